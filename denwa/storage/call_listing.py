"""Call records with what they cost, for people and other programs: the journal's rows joined with the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, Select, select

from denwa.rating.ledger import Posting, RatedCall, as_it_stands
from denwa.rating.ports import CHARGED_LEGS
from denwa.storage.posting_rows import posting_of
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import postings

_ROWS_AT_ONCE = 500


class ListedCall(NamedTuple):
    """A call record, with its charge after all corrections.

    `units`, `charge_yen` and `working` are None while a call that is charged has not been rated; `working` is "" for
    what costs nothing by its nature.
    """

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
    working: str | None
    reason: str  # why it was refused or did not ring, "" for any other call
    hidden_reason: str  # why the caller's number is missing or not shown (B4), "" when it is shown


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
                rated = self._rated([row.id for row in rows])
                for row in rows:
                    yield _listed(row, rated.get(row.id))

    def _rated(self, record_ids: list[int]) -> dict[int, RatedCall]:
        """The rated ones, as they are after all corrections."""
        found: dict[int, list[Posting]] = {}
        with self._main.connect() as connection:
            for row in connection.execute(select(postings).where(postings.c.record_id.in_(record_ids))):
                found.setdefault(row.record_id, []).append(posting_of(row))
        return {record: as_it_stands(mine) for record, mine in found.items()}


def _of(query: Select[Any], subscriber: str) -> Select[Any]:
    return query.where(calls.c.subscriber == subscriber) if subscriber else query


def _charge(row: Row[Any], rated: RatedCall | None) -> tuple[int | None, int | None, str | None]:
    """Units, yen and working."""
    if rated is None:
        unanswered = row.answered_at is None and row.ended_at is not None
        return (0, 0, "") if unanswered or row.leg not in CHARGED_LEGS else (None, None, None)  # C8
    charge = rated.rating.charge
    if not rated.in_force:
        return 0, 0, f"taken back: {charge._replace(credit_yen=0).working(row.leg)}"
    return charge.units, charge.yen, charge._replace(credit_yen=rated.credit_yen).working(row.leg)


def _listed(row: Row[Any], rated: RatedCall | None) -> ListedCall:
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
        *_charge(row, rated),
        row.reason,
        row.hidden_reason,
    )
