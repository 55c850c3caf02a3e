"""What a contract used and is billed for, from ledger and journal (port `denwa.rating.ports.ContractHistory`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import BigInteger, Engine, func, select, type_coerce

from denwa.rating.arithmetic.usage import UsedCall
from denwa.rating.billing_month import BillingMonth
from denwa.rating.money import Yen
from denwa.rating.ports import BilledPosting
from denwa.rating.tariff import TaxClass
from denwa.storage.posting_rows import posting_of
from denwa.storage.rating_store import chunks
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import postings


class SqlContractHistory:
    """Read-only; sees what is committed and waits for nobody."""

    def __init__(self, main: Engine, journal: Engine) -> None:
        self._main = main.execution_options(read_only=True)
        self._journal = journal.execution_options(read_only=True)

    def months(
        self, subscribers: Collection[str], first_day: date, last_day: date
    ) -> dict[str, dict[date, dict[TaxClass, Yen]]]:
        columns = postings.c
        group = (columns.subscriber, columns.call_month_start, columns.tax)
        found: dict[str, dict[date, dict[TaxClass, Yen]]] = {}
        with self._main.connect() as connection:
            for chunk in chunks(subscribers):
                query = (
                    select(*group, func.sum(columns.charge_yen - columns.credit_yen))
                    .where(columns.subscriber.in_(chunk), columns.call_month_start.between(first_day, last_day))
                    .group_by(*group)
                )
                for subscriber, start, tax, yen in connection.execute(query):
                    found.setdefault(subscriber, {}).setdefault(start, {})[TaxClass(tax)] = int(yen)
        return found

    def calls(self, subscriber: str, first_day: date, last_day: date) -> list[UsedCall]:
        columns = postings.c
        answered = func.max(columns.ended_ms - columns.duration_ms)  # they differ where a record was corrected
        query = (
            select(
                columns.record_id,
                func.max(columns.call_id),
                answered,
                columns.tax,
                func.sum(columns.charge_yen - columns.credit_yen),
            )
            .where(columns.subscriber == subscriber, columns.call_month_start.between(first_day, last_day))
            .group_by(columns.record_id, columns.tax)
            .having(func.sum(columns.calls) > 0)
            .order_by(answered, columns.record_id)
        )
        with self._main.connect() as connection:
            return [
                UsedCall(record_id, call_id, at, TaxClass(tax), int(yen))
                for record_id, call_id, at, tax, yen in connection.execute(query)
            ]

    def billed(self, subscriber: str, month: BillingMonth) -> list[BilledPosting]:
        query = select(postings).where(postings.c.subscriber == subscriber, postings.c.month_start == month.start)
        with self._main.connect() as connection:
            found = [posting_of(row) for row in connection.execute(query)]
        records = self._records({posting.record_id for posting in found})
        billed = []
        for posting in found:
            lasted_from = posting.ended_ms - posting.charge.duration_ms
            billed.append(BilledPosting(posting, *records.get(posting.record_id, ("", "", lasted_from))))
        return sorted(billed, key=lambda one: (one.answered_ms, one.posting.record_id, one.posting.revision))

    def _records(self, record_ids: Collection[int]) -> dict[int, tuple[str, str, int]]:
        """(leg, callee, answered) of the calls that the journal still has."""
        answered = type_coerce(calls.c.answered_at, BigInteger)  # ms as they are stored
        found: dict[int, tuple[str, str, int]] = {}
        with self._journal.connect() as connection:
            for chunk in chunks(sorted(record_ids)):
                query = select(calls.c.id, calls.c.leg, calls.c.callee, answered).where(calls.c.id.in_(chunk))
                found |= {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query) if row[3] is not None}
        return found
