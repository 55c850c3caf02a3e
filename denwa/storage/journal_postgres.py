"""The journal in PostgreSQL, on psycopg: the rows of a kind go as JSON, a whole group in one round trip."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import String, Table
from sqlalchemy.engine import make_url
from sqlalchemy.types import TypeEngine

from denwa.storage.journal_rows import (
    BINDING,
    BINDINGS,
    CALL,
    ENDED_AT,
    EXPIRED,
    NEXT,
    OPEN_CALLS,
    UPSERT,
    ensure_schema,
    rows_of,
    storable,
)
from denwa.storage.tables.journal import bindings, calls
from denwa.voip.calls.journal import BindingEntry, CallEntry, Group

_LOCK = 0x64656E776131  # who numbers ended calls


def _dumps(rows: Sequence[tuple[Any, ...]]) -> str:
    """JSON of `rows`, made storable."""
    if not rows:
        return "[]"
    text = json.dumps(rows, separators=(",", ":"))
    if "\\u0000" in text or "\\ud" in text:
        text = json.dumps([storable(row) for row in rows], separators=(",", ":"))
    return text


def _columns(types: Sequence[str], source: str) -> str:
    return ", ".join(f"({source}.value->>{index})::{kind}" for index, kind in enumerate(types))


def _each(source: str) -> str:
    return f"jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS {source} (value, place)"


def _types(table: Table, fields: Sequence[str]) -> list[str]:
    """Casts; text longer than its column is cut, not refused."""
    names = ("class" if field == "number_class" else field for field in fields)
    return [_cast(table.c[name].type) for name in names]


def _cast(kind: TypeEngine[Any]) -> str:
    if not isinstance(kind, String):
        return "bigint"
    return f"varchar({kind.length})" if kind.length else "text"


_INSERT_CALLS = (
    f"INSERT INTO calls ({CALL}, end_seq) SELECT {_columns(_types(calls, CallEntry._fields), 'c')}, "
    f"CASE WHEN c.value->>{ENDED_AT} IS NOT NULL THEN {NEXT} + c.place - 1 END "
    f"FROM {_each('c')} ON CONFLICT (id) DO NOTHING"
)
_UPDATE_ENDS = (
    f"UPDATE calls SET end_seq = {NEXT} + e.place - 1, ended_at = (e.value->>1)::bigint, "
    "duration_ms = (e.value->>2)::bigint, end_cause = e.value->>3, sip_status = (e.value->>4)::int, dialog = '' "
    f"FROM {_each('e')} WHERE calls.id = (e.value->>0)::bigint AND calls.ended_at IS NULL"
)
_UPDATE_ALIVE = (
    "UPDATE calls SET alive_at = (a.value->>1)::bigint, dialog = a.value->>2 "
    f"FROM {_each('a')} WHERE calls.id = (a.value->>0)::bigint AND calls.ended_at IS NULL"
)
_UPSERT_BINDINGS = (
    f"INSERT INTO bindings ({BINDING}) SELECT {_columns(_types(bindings, BindingEntry._fields), 'b')} "
    f"FROM {_each('b')} WHERE true {UPSERT}"
)
_DELETE_BINDINGS = f"DELETE FROM bindings USING {_each('u')} WHERE aor = u.value->>0 AND contact = u.value->>1"


class PostgresJournalStore:
    """JournalStore in PostgreSQL; connects again after a failure. Raises psycopg.Error. One thread at a time.

    Several services may write to one database: the numbers of ended calls are given under an advisory lock, so that
    they become visible in their order.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._conninfo = parsed.render_as_string(hide_password=False)
        ensure_schema(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._connect()

    def commit(self, group: Group) -> None:
        rows = rows_of(group)
        connection = self._connect()
        try:
            with connection.pipeline(), connection.transaction():
                if rows.ends or any(call.ended_at is not None for call in rows.calls):
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                for statement, entries in (
                    (_INSERT_CALLS, rows.calls),
                    (_UPDATE_ENDS, rows.ends),
                    (_UPDATE_ALIVE, rows.alive),
                    (_DELETE_BINDINGS, rows.unbindings),
                    (_UPSERT_BINDINGS, rows.bindings),
                ):
                    if entries:
                        connection.execute(statement.encode(), (_dumps(entries),))
        except psycopg.OperationalError:
            self.close()
            raise

    def open_calls(self) -> list[CallEntry]:
        with self._connect().transaction():
            return [CallEntry._make(row) for row in self._connect().execute(OPEN_CALLS.encode())]

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        with self._connect().transaction():
            self._connect().execute(EXPIRED.encode() + b"%s", (now_ms,))
            return [BindingEntry._make(row) for row in self._connect().execute(BINDINGS.encode())]

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The open connection, or a new one. A statement that hangs for seconds fails, so that the spool takes over."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=2,
                tcp_user_timeout=5_000,
                options="-c statement_timeout=5000 -c lock_timeout=3000 -c synchronous_commit=on -c timezone=UTC",
            )
        return self._connection
