"""What the SIP service keeps of every subscriber in memory, read whole at start and by change afterwards.

Rows are read with the driver's own cursor: 100,000 of them take a fraction of a second.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine

_COLUMNS = (
    "number, account, ha1_md5, ha1_sha256, state, ring_time, voicemail, forward_mode, forward_target, "
    "reject_anonymous, international, codecs, realm, priority"
)
_CHANGED = "SELECT DISTINCT subscriber FROM changes WHERE seq > {after} AND seq <= {upto}"


class DirectoryRow(NamedTuple):
    """One subscriber for call handling. Numbers are E.164; `forward_target` is "" when `forward_mode` is "off"."""

    number: str
    account: str  # SIP user (N2)
    ha1_md5: str  # hex, made for `realm`
    ha1_sha256: str
    state: str  # active | suspended | terminated
    ring_time: int  # seconds
    voicemail: bool
    forward_mode: str  # off | always | noanswer
    forward_target: str
    reject_anonymous: bool  # B2
    international: bool  # N6
    codecs: str  # phone | mobile | wifi (C3)
    realm: str
    blocked: frozenset[str]  # B1
    priority: bool  # C7


def latest_change(engine: Engine) -> int:
    """The number of the last change; 0 before the first. Ask before `load_directory`, then nothing is missed."""
    return int(_fetch(engine, "SELECT COALESCE(MAX(seq), 0) FROM changes")[0][0])


def load_directory(engine: Engine) -> list[DirectoryRow]:
    """Every subscriber whose contract has not ended, by number."""
    return _read(engine, "state <> 'terminated'", "")


def load_changed(engine: Engine, after_seq: int) -> tuple[list[DirectoryRow], int]:
    """Subscribers changed after `after_seq`, and the number to ask with next time.

    A row with state `terminated` means: take it out.
    """
    upto = latest_change(engine)
    if upto <= after_seq:
        return [], after_seq
    changed = _CHANGED.format(after=int(after_seq), upto=upto)
    return _read(engine, f"number IN ({changed})", f" WHERE subscriber IN ({changed})"), upto


def _read(engine: Engine, where: str, blocked_where: str) -> list[DirectoryRow]:
    # The blocklists first: a change between the two reads has a `seq` of its own and is read again.
    blocked: defaultdict[str, set[str]] = defaultdict(set)
    for subscriber, number in _fetch(engine, f"SELECT subscriber, blocked FROM blocked_numbers{blocked_where}"):
        blocked[subscriber].add(number)
    lists = {subscriber: frozenset(numbers) for subscriber, numbers in blocked.items()}
    none: frozenset[str] = frozenset()
    with _collector_paused():
        rows = _fetch(engine, f"SELECT {_COLUMNS} FROM subscribers WHERE {where} ORDER BY number")
        return [
            DirectoryRow(
                row[0], row[1], row[2], row[3], row[4], row[5], row[6] == 1, row[7], row[8], row[9] == 1, row[10] == 1,
                row[11], row[12], lists.get(row[0], none), row[13] == 1,
            )
            for row in rows
        ]  # fmt: skip


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Of 100,000 rows that all stay, the garbage collector would look at each many times: half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _fetch(engine: Engine, query: str) -> Sequence[Any]:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            return cursor.fetchall()
        finally:
            cursor.close()
    finally:
        connection.close()
