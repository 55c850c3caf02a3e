"""Reads the journal's call records for rating (port `denwa.rating.ports.JournalReader`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import BigInteger, Engine, Row, Select, func, select, type_coerce

from denwa.rating.ports import CHARGED_LEGS, EndedCall, FoundCall
from denwa.storage.columns import from_millis
from denwa.storage.rating_store import chunks
from denwa.storage.tables.journal import calls

_PAGE = 5000
_COLUMNS = (
    calls.c.id,
    calls.c.end_seq,
    calls.c.call_id,
    calls.c.leg,
    calls.c.subscriber,
    calls.c["class"],
    type_coerce(calls.c.answered_at, BigInteger),  # ms as they are stored
    type_coerce(calls.c.ended_at, BigInteger),
    calls.c.duration_ms,
    calls.c.end_cause,
    calls.c.callee,
)


class SqlJournalReader:
    """Read-only; as many as one likes beside the journal's one writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)
        self._in_order = engine.dialect.name == "sqlite"  # one writer at a time: `end_seq` grows with the commits

    @property
    def commits_in_order(self) -> bool:
        return self._in_order

    def last_end_seq(self) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(select(func.max(calls.c.end_seq))) or 0

    def ended_after(self, end_seq: int, limit: int, up_to: int | None = None) -> tuple[list[EndedCall], int]:
        query = select(*_COLUMNS).where(calls.c.end_seq > end_seq).order_by(calls.c.end_seq).limit(limit)
        if up_to is not None:
            query = query.where(calls.c.end_seq <= up_to)
        rows = self._rows(query)
        return _charged(rows), (rows[-1].end_seq if rows else end_seq)

    def ended(self, record_ids: Collection[int]) -> list[EndedCall]:
        found: list[EndedCall] = []
        for chunk in chunks(record_ids):
            found += _charged(self._rows(select(*_COLUMNS).where(calls.c.id.in_(chunk), calls.c.end_seq.is_not(None))))
        return found

    def find(self, call_id: str, leg: str = "") -> list[FoundCall]:
        query = select(*_COLUMNS).where(calls.c.call_id == call_id, calls.c.end_seq.is_not(None))
        if leg:
            query = query.where(calls.c.leg == leg)
        rows = self._rows(query.order_by(calls.c.id))
        callees = {row.id: row.callee for row in rows}
        return [FoundCall(call, callees[call.record_id]) for call in _charged(rows)]

    def answered_between(self, first_ms: int, end_ms: int) -> Iterator[list[EndedCall]]:
        """By record id, so that a page costs no more than the rows between."""
        columns = calls.c
        answered = (columns.answered_at >= from_millis(first_ms), columns.answered_at < from_millis(end_ms))
        query = select(*_COLUMNS).where(*answered, columns.leg.in_(CHARGED_LEGS)).order_by(columns.id).limit(_PAGE)
        after = -1
        while rows := self._rows(query.where(columns.id > after)):
            yield _charged(rows)
            after = rows[-1].id

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))


def _charged(rows: Iterable[Any]) -> list[EndedCall]:
    return [
        EndedCall(
            row[0],
            row[1] or 0,
            row[2],
            row[3],
            row[4],
            row[5],
            row[6],
            row[7] or 0,
            row[8],
            row[9],
            row[10],
        )
        for row in rows
        if row[6] is not None and row[3] in CHARGED_LEGS
    ]
