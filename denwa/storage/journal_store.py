"""The journal's stores on the databases' own drivers: a whole group costs one statement (SQLite) or one round trip.

The SIP loop and the writer thread share the interpreter lock, so the fewer the calls into the driver the better: the
rows of a group go over as JSON and are spread out by the database.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import psycopg
from sqlalchemy.engine import make_url

from denwa.storage.engine import open_engine
from denwa.storage.migrate import JOURNAL, current, upgrade
from denwa.voip.calls.journal import AliveEntry, BindingEntry, CallEntry, EndEntry, Group, JournalStore, UnbindingEntry

_CALL = ", ".join('"class"' if name == "number_class" else name for name in CallEntry._fields)
_BINDING = ", ".join(BindingEntry._fields)
_NEXT = "coalesce((SELECT max(end_seq) FROM calls), 0) + 1"
_UPSERT = "ON CONFLICT (aor, contact) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in BindingEntry._fields[2:]
)
_OPEN_CALLS = (
    f"SELECT {_CALL} FROM calls WHERE end_seq IS NULL AND answered_at IS NOT NULL AND ended_at IS NULL ORDER BY id"
)
_EXPIRED = "DELETE FROM bindings WHERE expires_at <= "
_BINDINGS = f"SELECT {_BINDING} FROM bindings ORDER BY registered_at"
_ENDED_AT = CallEntry._fields.index("ended_at")
_LOCK = 0x64656E776131  # PostgreSQL: who numbers ended calls


class _Rows(NamedTuple):
    """A group as the statements take it: at most one row a key in each list."""

    calls: Sequence[CallEntry]
    ends: Sequence[EndEntry]
    alive: Sequence[AliveEntry]
    bindings: Sequence[BindingEntry]
    unbindings: Sequence[UnbindingEntry]


def _rows(group: Group) -> _Rows:
    ends: Sequence[EndEntry] = group.ends
    if len(ends) > 1:
        first: dict[int, EndEntry] = {}
        for end in ends:
            first.setdefault(end.id, end)
        ends = list(first.values())
    alive = list({entry.id: entry for entry in group.alive}.values())
    bound: list[BindingEntry] = []
    unbound: list[UnbindingEntry] = []
    for entry in {entry[:2]: entry for entry in group.bindings}.values():
        if isinstance(entry, BindingEntry):
            bound.append(entry)
        else:
            unbound.append(entry)
    return _Rows(group.calls, ends, alive, bound, unbound)


def _dumps(rows: Sequence[tuple[Any, ...]]) -> str:
    """JSON of `rows`; characters that no database stores (U+0000, lone surrogates) become U+FFFD."""
    if not rows:
        return "[]"
    text = json.dumps(rows, separators=(",", ":"))
    if "\\u0000" in text or "\\ud" in text:
        text = json.dumps([[_storable(value) for value in row] for row in rows], separators=(",", ":"))
    return text


def _storable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def _extracted(count: int, source: str) -> str:
    return ", ".join(f"json_extract({source}.value, '$[{index}]')" for index in range(count))


def _sqlite_inbox() -> str:
    """A view whose INSERT is the commit: one step of the driver, and a transaction of its own."""
    ended = f"json_extract(c.value, '$[{_ENDED_AT}]')"
    ends = "json_extract(e.value, '$[{}]')"
    alive = "json_extract(a.value, '$[{}]')"
    unbound = "json_extract(u.value, '$[{}]')"
    return f"""
CREATE TEMP VIEW inbox AS SELECT NULL AS calls, NULL AS ends, NULL AS alive, NULL AS bindings, NULL AS unbindings;
CREATE TEMP TRIGGER inbox_insert INSTEAD OF INSERT ON inbox BEGIN
  INSERT INTO calls ({_CALL}, end_seq)
    SELECT {_extracted(len(CallEntry._fields), "c")}, CASE WHEN {ended} IS NOT NULL THEN {_NEXT} + c.key END
    FROM json_each(NEW.calls) AS c WHERE true ON CONFLICT (id) DO NOTHING;
  UPDATE calls SET end_seq = {_NEXT} + e.key, ended_at = {ends.format(1)}, duration_ms = {ends.format(2)},
      end_cause = {ends.format(3)}, sip_status = {ends.format(4)}, dialog = ''
    FROM json_each(NEW.ends) AS e WHERE calls.id = {ends.format(0)} AND calls.ended_at IS NULL;
  UPDATE calls SET alive_at = {alive.format(1)}, dialog = {alive.format(2)}
    FROM json_each(NEW.alive) AS a WHERE calls.id = {alive.format(0)} AND calls.ended_at IS NULL;
  DELETE FROM bindings WHERE (aor, contact) IN
    (SELECT {unbound.format(0)}, {unbound.format(1)} FROM json_each(NEW.unbindings) AS u);
  INSERT INTO bindings ({_BINDING})
    SELECT {_extracted(len(BindingEntry._fields), "b")} FROM json_each(NEW.bindings) AS b WHERE true {_UPSERT};
END;
"""


class SqliteJournalStore:
    """JournalStore in a SQLite file (WAL, full sync); a fresh file gets the schema.

    Raises sqlite3.Error. To be used from one thread at a time; readers have connections of their own.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        _ensure_schema(f"sqlite:///{path}")
        self._connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA temp_store=MEMORY")  # what a statement sets aside needs no disk
        self._connection.executescript(_sqlite_inbox())

    def commit(self, group: Group) -> None:
        self._connection.execute("INSERT INTO inbox VALUES (?, ?, ?, ?, ?)", tuple(map(_dumps, _rows(group))))

    def open_calls(self) -> list[CallEntry]:
        return [CallEntry._make(row) for row in self._connection.execute(_OPEN_CALLS)]

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        self._connection.execute(_EXPIRED + "?", (now_ms,))
        return [BindingEntry._make(row) for row in self._connection.execute(_BINDINGS)]

    def close(self) -> None:
        self._connection.close()


def _columns(types: Sequence[str], source: str) -> str:
    return ", ".join(f"({source}.value->>{index})::{kind}" for index, kind in enumerate(types))


def _each(source: str) -> str:
    return f"jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS {source} (value, place)"


def _types(entry: type) -> list[str]:
    return ["text" if kind is str else "bigint" for kind in get_type_hints(entry).values()]


_PG_CALLS = (
    f"INSERT INTO calls ({_CALL}, end_seq) SELECT {_columns(_types(CallEntry), 'c')}, "
    f"CASE WHEN c.value->>{_ENDED_AT} IS NOT NULL THEN {_NEXT} + c.place - 1 END "
    f"FROM {_each('c')} ON CONFLICT (id) DO NOTHING"
)
_PG_ENDS = (
    f"UPDATE calls SET end_seq = {_NEXT} + e.place - 1, ended_at = (e.value->>1)::bigint, "
    "duration_ms = (e.value->>2)::bigint, end_cause = e.value->>3, sip_status = (e.value->>4)::int, dialog = '' "
    f"FROM {_each('e')} WHERE calls.id = (e.value->>0)::bigint AND calls.ended_at IS NULL"
)
_PG_ALIVE = (
    "UPDATE calls SET alive_at = (a.value->>1)::bigint, dialog = a.value->>2 "
    f"FROM {_each('a')} WHERE calls.id = (a.value->>0)::bigint AND calls.ended_at IS NULL"
)
_PG_BINDINGS = (
    f"INSERT INTO bindings ({_BINDING}) SELECT {_columns(_types(BindingEntry), 'b')} "
    f"FROM {_each('b')} WHERE true {_UPSERT}"
)
_PG_UNBINDINGS = f"DELETE FROM bindings USING {_each('u')} WHERE aor = u.value->>0 AND contact = u.value->>1"


class PostgresJournalStore:
    """JournalStore in PostgreSQL; connects again after a failure. Raises psycopg.Error. One thread at a time.

    Several services may write to one database: the numbers of ended calls are given under an advisory lock, so that
    they become visible in their order.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._conninfo = parsed.render_as_string(hide_password=False)
        _ensure_schema(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._connect()

    def commit(self, group: Group) -> None:
        rows = _rows(group)
        connection = self._connect()
        try:
            with connection.pipeline(), connection.transaction():
                if rows.ends or any(call.ended_at is not None for call in rows.calls):
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                for statement, entries in (
                    (_PG_CALLS, rows.calls),
                    (_PG_ENDS, rows.ends),
                    (_PG_ALIVE, rows.alive),
                    (_PG_UNBINDINGS, rows.unbindings),
                    (_PG_BINDINGS, rows.bindings),
                ):
                    if entries:
                        connection.execute(statement.encode(), (_dumps(entries),))
        except psycopg.OperationalError:
            self.close()
            raise

    def open_calls(self) -> list[CallEntry]:
        with self._connect().transaction():
            return [CallEntry._make(row) for row in self._connect().execute(_OPEN_CALLS.encode())]

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        with self._connect().transaction():
            self._connect().execute(_EXPIRED.encode() + b"%s", (now_ms,))
            return [BindingEntry._make(row) for row in self._connect().execute(_BINDINGS.encode())]

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


def _ensure_schema(url: str) -> None:
    engine = open_engine(url)
    try:
        if not current(JOURNAL, engine):
            upgrade(JOURNAL, engine)
    finally:
        engine.dispose()


def open_journal_store(url: str, path: Path) -> JournalStore:
    """The store of `database.url`: PostgreSQL, or with an empty URL the SQLite file `path`."""
    return PostgresJournalStore(url) if url else SqliteJournalStore(path)
