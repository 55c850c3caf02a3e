"""Taking in many subscribers at once: in small transactions, the good rows kept and every bad one told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from denwa.contracts.csv_rows import BadRow
from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.import_file import Row
from denwa.contracts.subscriber import Subscriber
from denwa.contracts.web_password import BULK

# One transaction. Small, because other writers (a running service, other commands) wait for it.
BATCH = 500
_CHUNK = 50  # web passwords that one thread hashes at a time


@dataclass(frozen=True, slots=True)
class _Prepared:
    line: int
    subscriber: Subscriber


def take_in(
    desk: Desk, rows: Iterable[Row | BadRow], who: str, clock: Callable[[], datetime], executor: Executor
) -> Iterator[tuple[int, list[BadRow]]]:
    """Batch by batch: how many were added, and the rows that were not. A batch given out is committed.

    Passwords are hashed by `executor` for the next batch while this one is written.
    """
    source = iter(rows)
    pending = _prepare(desk, list(islice(source, BATCH)), clock(), executor)
    while pending is not None:
        following = _prepare(desk, list(islice(source, BATCH)), clock(), executor)
        prepared, bad = pending()
        yield _write(desk, prepared, bad, who, clock())
        pending = following


def _prepare(
    desk: Desk, rows: list[Row | BadRow], now: datetime, executor: Executor
) -> Callable[[], tuple[list[_Prepared], list[BadRow]]] | None:
    """Start on a batch; the function waits for the hashes. None when there are no rows left."""
    if not rows:
        return None
    bad = [row for row in rows if isinstance(row, BadRow)]
    good: list[Row] = []
    for row in rows:
        if isinstance(row, Row):
            try:
                desk.check(row.application)
                good.append(row)
            except ContractFault as fault:
                bad.append(BadRow(row.line, str(fault)))
    hashes = _start_hashing(desk, [row.application.web_password for row in good], executor)

    def finish() -> tuple[list[_Prepared], list[BadRow]]:
        flat = [web_hash for chunk in hashes for web_hash in chunk.result()]
        return [_made(desk, row, flat[at], now) for at, row in enumerate(good)], bad

    return finish


def _start_hashing(desk: Desk, passwords: list[str], executor: Executor) -> list[Future[list[str]]]:
    def hash_chunk(chunk: list[str]) -> list[str]:
        return [desk.web_passwords.hash(password, BULK) if password else "" for password in chunk]

    return [executor.submit(hash_chunk, passwords[at : at + _CHUNK]) for at in range(0, len(passwords), _CHUNK)]


def _made(desk: Desk, row: Row, web_hash: str, now: datetime) -> _Prepared:
    password = row.application.sip_password or desk.new_sip_password()
    return _Prepared(row.line, desk.made(row.application, password, web_hash, now))


def _write(
    desk: Desk, prepared: list[_Prepared], bad: list[BadRow], who: str, now: datetime
) -> tuple[int, list[BadRow]]:
    new: dict[str, Subscriber] = {}
    with desk.store.changing(who, now) as unit:
        given = unit.given([row.subscriber.number for row in prepared])
        for row in prepared:
            number = row.subscriber.number
            if number in given or number in new:
                bad.append(BadRow(row.line, f"{number} was given before"))
            else:
                new[number] = row.subscriber
        if new:
            unit.add(list(new.values()), "imported")
    return len(new), sorted(bad)
