"""The journal in a SQLite file, on the standard library's driver.

The SIP loop and the writer thread share the interpreter lock, and every statement gives it away and must get it back;
so up to 64 rows go in one statement.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from denwa.storage.journal_rows import (
    BINDING,
    BINDINGS,
    CALL,
    ENDED_AT,
    EXPIRED,
    NEXT,
    OPEN_CALLS,
    UPSERT,
    Rows,
    ensure_schema,
    rows_of,
    storable,
)
from denwa.voip.calls.journal import BindingEntry, CallEntry, Group

_AT_ONCE = 64  # rows in a statement; one prepared statement for each number of rows is kept


def _marks(width: int, count: int) -> str:
    return ", ".join(["(" + ", ".join("?" * width) + ")"] * count)


def _insert_calls(count: int) -> str:
    width = len(CallEntry._fields)
    values = ", ".join(f"column{place}" for place in range(1, width + 1))
    number = f"CASE WHEN column{ENDED_AT + 1} IS NOT NULL THEN {NEXT} + column{width + 1} END"
    return (
        f"INSERT INTO calls ({CALL}, end_seq) SELECT {values}, {number} FROM (VALUES {_marks(width + 1, count)}) "
        "WHERE true ON CONFLICT (id) DO NOTHING"
    )


def _update_ends(count: int) -> str:
    return (
        f"WITH e (id, ended_at, duration_ms, end_cause, sip_status, place) AS (VALUES {_marks(6, count)}) "
        f"UPDATE calls SET end_seq = {NEXT} + e.place, ended_at = e.ended_at, duration_ms = e.duration_ms, "
        "end_cause = e.end_cause, sip_status = e.sip_status, dialog = '' "
        "FROM e WHERE calls.id = e.id AND calls.ended_at IS NULL"
    )


def _update_alive(count: int) -> str:
    return (
        f"WITH a (id, alive_at, dialog) AS (VALUES {_marks(3, count)}) "
        "UPDATE calls SET alive_at = a.alive_at, dialog = a.dialog FROM a "
        "WHERE calls.id = a.id AND calls.ended_at IS NULL"
    )


def _upsert_bindings(count: int) -> str:
    return f"INSERT INTO bindings ({BINDING}) VALUES {_marks(len(BindingEntry._fields), count)} {UPSERT}"


def _delete_bindings(count: int) -> str:
    # The pair alone is looked for row by row; `aor` alone is looked up in the key.
    return (
        f"WITH u (aor, contact) AS (VALUES {_marks(2, count)}) DELETE FROM bindings "
        "WHERE aor IN (SELECT aor FROM u) AND (aor, contact) IN (SELECT aor, contact FROM u)"
    )


# The statements for the fields of `Rows`, in the order they must run; True: rows are numbered (for `end_seq`).
_SQLITE: tuple[tuple[Callable[[int], str], bool], ...] = (
    (lru_cache(_AT_ONCE)(_insert_calls), True),
    (lru_cache(_AT_ONCE)(_update_ends), True),
    (lru_cache(_AT_ONCE)(_update_alive), False),
    (lru_cache(_AT_ONCE)(_upsert_bindings), False),
    (lru_cache(_AT_ONCE)(_delete_bindings), False),
)


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "temp_store=MEMORY",  # what a statement sets aside needs no disk
    "cache_size=-65536",  # KiB; bindings are rewritten all over their table
    "wal_autocheckpoint=8000",  # pages (32 MB): a page rewritten many times goes to the table once
)


def _work(rows: Rows) -> list[tuple[str, list[Any]]]:
    work: list[tuple[str, list[Any]]] = []
    for (statement, numbered), entries in zip(_SQLITE, rows, strict=True):
        for start in range(0, len(entries), _AT_ONCE):
            portion = entries[start : start + _AT_ONCE]
            values: list[Any]
            if numbered:
                values = [value for place, entry in enumerate(portion) for value in (*entry, place)]
            else:
                values = list(chain.from_iterable(portion))
            work.append((statement(len(portion)), values))
    return work


class SqliteJournalStore:
    """JournalStore in a SQLite file (WAL, full sync); a fresh file gets the schema.

    Raises sqlite3.Error. To be used from one thread at a time; readers have connections of their own.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        ensure_schema(f"sqlite:///{path}")
        self._connection = sqlite3.connect(
            path,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_AT_ONCE * len(_SQLITE) + 8,
        )
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")

    def commit(self, group: Group) -> None:
        rows = rows_of(group)
        try:
            self._run(_work(rows))
        except UnicodeEncodeError:
            self._run(_work(Rows._make([storable(entry) for entry in entries] for entries in rows)))

    def _run(self, work: list[tuple[str, list[Any]]]) -> None:
        connection = self._connection
        if connection.in_transaction:  # a rollback failed, as the commit before it
            connection.execute("ROLLBACK")
        if len(work) == 1:
            connection.execute(*work[0])  # a transaction of its own
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in work:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise

    def open_calls(self) -> list[CallEntry]:
        return [CallEntry._make(row) for row in self._connection.execute(OPEN_CALLS)]

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        self._connection.execute(EXPIRED + "?", (now_ms,))
        return [BindingEntry._make(row) for row in self._connection.execute(BINDINGS)]

    def close(self) -> None:
        self._connection.close()
