"""Reads the ledger for statements, exports and metrics (port `denwa.rating.ports.StatementReader`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import ColumnElement, Engine, Table, func, or_, select

from denwa.rating.billing_month import BillingMonth
from denwa.rating.ledger import Posting
from denwa.rating.ports import Bill, BookedAdjustment, ClosedMonth, Problem
from denwa.rating.statement import LedgerSum
from denwa.rating.tariff import TaxClass
from denwa.storage.adjustment_rows import adjustments_where
from denwa.storage.bill_rows import bill_of, closed_month_of
from denwa.storage.posting_rows import posting_of
from denwa.storage.rating_store import rated_among
from denwa.storage.tables.rating import adjustments, bills, closed_months, postings, rating_problems


class SqlStatements:
    """Read-only; sees what is committed and waits for nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)

    def sums(self, first_day: date, last_day: date, subscriber: str = "") -> list[LedgerSum]:
        columns = postings.c
        group = (columns.subscriber, columns.month_start, columns.month_end, columns.number_class, columns.tax)
        amounts = (columns.calls, columns.duration_ms * columns.calls, columns.charge_yen, columns.credit_yen)
        query = (
            select(*group, *map(func.sum, amounts))
            .where(*_billed(postings, first_day, last_day, subscriber))
            .group_by(*group)
        )
        with self._engine.connect() as connection:
            return [
                LedgerSum(row[0], BillingMonth(row[1], row[2]), row[3], TaxClass(row[4]), *map(int, row[5:]))
                for row in connection.execute(query)
            ]

    def size(self, first_day: date, last_day: date) -> tuple[int, int]:
        counts = [
            select(func.count()).select_from(table).where(*_billed(table, first_day, last_day)).scalar_subquery()
            for table in (postings, adjustments)
        ]
        with self._engine.connect() as connection:
            of_calls, of_adjustments = connection.execute(select(*counts)).one()
            return of_calls, of_adjustments

    def adjustments(self, first_day: date, last_day: date, subscriber: str = "") -> list[BookedAdjustment]:
        with self._engine.connect() as connection:
            return adjustments_where(connection, *_billed(adjustments, first_day, last_day, subscriber))

    def postings(self, subscriber: str, first_day: date, last_day: date) -> list[Posting]:
        query = select(postings).where(*_billed(postings, first_day, last_day, subscriber))
        with self._engine.connect() as connection:
            found = [posting_of(row) for row in connection.execute(query)]
        return sorted(
            found, key=lambda posting: (posting.ended_ms, posting.call_id, posting.record_id, posting.revision)
        )

    def corrected(self, first_day: date, last_day: date) -> list[Posting]:
        columns = postings.c
        other = or_(columns.revision > 0, columns.call_month_start != columns.month_start)
        query = select(postings).where(*_billed(postings, first_day, last_day), other)
        with self._engine.connect() as connection:
            found = [posting_of(row) for row in connection.execute(query)]
        return sorted(found, key=lambda posting: (posting.subscriber, posting.record_id, posting.revision))

    def bills(self, name: str, subscriber: str = "") -> list[Bill]:
        query = select(bills).where(bills.c.month == name)
        if subscriber:
            query = query.where(bills.c.subscriber == subscriber)
        with self._engine.connect() as connection:
            return sorted(map(bill_of, connection.execute(query)))

    def rated(self, record_ids: Collection[int]) -> set[int]:
        with self._engine.connect() as connection:
            return rated_among(connection, record_ids)

    def closed(self, name: str) -> ClosedMonth | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(closed_months).where(closed_months.c.name == name)).one_or_none()
        return None if row is None else closed_month_of(row)

    def closed_months(self) -> list[ClosedMonth]:
        with self._engine.connect() as connection:
            return sorted(map(closed_month_of, connection.execute(select(closed_months))))

    def problems(self) -> list[Problem]:
        columns = rating_problems.c
        query = (
            select(columns.record_id, columns.subscriber, columns.call_id, columns.problem)
            .where(columns.solved_at.is_(None))
            .order_by(columns.record_id)
        )
        with self._engine.connect() as connection:
            return [Problem(*row) for row in connection.execute(query)]


def _billed(table: Table, first_day: date, last_day: date, subscriber: str = "") -> list[ColumnElement[bool]]:
    """Rows of `table` billed in months that start from `first_day` to `last_day`, of one subscriber if given."""
    conditions = [table.c.month_start >= first_day, table.c.month_start <= last_day]
    return [*conditions, table.c.subscriber == subscriber] if subscriber else conditions
