"""Call records with what they cost, for people and other programs: the journal's rows joined with the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, Select, func, select

from denwa.rating.ports import CHARGED_LEGS
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import postings

_ROWS_AT_ONCE = 500


class ListedCall(NamedTuple):
    """A call record. `units` and `charge_yen` are None while a call that is charged has not been rated."""

    call_id: str
    leg: str
    subscriber: str  # E.164
    direction: str
    caller: str  # E.164, "" when hidden
    callee: str  # E.164, or as dialled
    number_class: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    duration_ms: int
    end_cause: str
    sip_status: int
    forwarded_by: str
    voicemail: bool
    units: int | None
    charge_yen: int | None


class CallListing:
    """Reads both databases; writes nothing."""

    def __init__(self, main: Engine, journal: Engine) -> None:
        self._main = main.execution_options(read_only=True)
        self._journal = journal.execution_options(read_only=True)

    def calls(
        self, *, first: datetime | None = None, before: datetime | None = None, subscriber: str = ""
    ) -> Iterator[ListedCall]:
        """Every call that started in [`first`, `before`), oldest first; of one `subscriber` (E.164) if given."""
        query = select(calls).order_by(calls.c.started_at, calls.c.id)
        if first is not None:
            query = query.where(calls.c.started_at >= first)
        if before is not None:
            query = query.where(calls.c.started_at < before)
        return self._listed(_of(query, subscriber))

    def active(self, *, subscriber: str = "") -> Iterator[ListedCall]:
        """Calls in progress: answered and not ended."""
        query = select(calls).where(calls.c.answered_at.is_not(None), calls.c.ended_at.is_(None))
        return self._listed(_of(query, subscriber).order_by(calls.c.started_at, calls.c.id))

    def _listed(self, query: Select[Any]) -> Iterator[ListedCall]:
        with self._journal.connect() as connection:
            for rows in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query).partitions():
                charges = self._charges([row.id for row in rows])
                for row in rows:
                    yield _listed(row, *charges.get(row.id, (None, None)))

    def _charges(self, record_ids: list[int]) -> dict[int, tuple[int, int]]:
        """(units, yen) of the rated ones after all corrections."""
        columns = postings.c
        units = func.sum(columns.units * columns.calls)  # a reversal counts as -1 call, moved credit as none
        query = (
            select(columns.record_id, units, func.sum(columns.charge_yen))
            .where(columns.record_id.in_(record_ids))
            .group_by(columns.record_id)
        )
        with self._main.connect() as connection:
            return {record: (int(units), int(yen)) for record, units, yen in connection.execute(query)}


def _of(query: Select[Any], subscriber: str) -> Select[Any]:
    return query.where(calls.c.subscriber == subscriber) if subscriber else query


def _listed(row: Row[Any], units: int | None, yen: int | None) -> ListedCall:
    if units is None and ((row.answered_at is None and row.ended_at is not None) or row.leg not in CHARGED_LEGS):
        units = yen = 0  # C8, and no answer: there is nothing to rate
    return ListedCall(
        row.call_id,
        row.leg,
        row.subscriber,
        row.direction,
        row.caller,
        row.callee,
        row._mapping["class"],
        row.started_at,
        row.answered_at,
        row.ended_at,
        row.duration_ms,
        row.end_cause,
        row.sip_status,
        row.forwarded_by,
        bool(row.voicemail),
        units,
        yen,
    )
