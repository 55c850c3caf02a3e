"""Reads the ledger for statements, exports and metrics (port `denwa.rating.ports.StatementReader`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import Engine, func, select

from denwa.rating.billing_month import BillingMonth
from denwa.rating.ports import ClosedMonth, Problem
from denwa.rating.statement import LedgerSum
from denwa.rating.tariff import TaxClass
from denwa.storage.columns import to_millis
from denwa.storage.rating_store import rated_among
from denwa.storage.tables.rating import closed_months, postings, rating_problems


class SqlStatements:
    """Read-only; sees what is committed and waits for nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)

    def sums(self, first_day: date, last_day: date) -> list[LedgerSum]:
        columns = postings.c
        group = (columns.subscriber, columns.month_start, columns.month_end, columns.number_class, columns.tax)
        amounts = (columns.calls, columns.duration_ms * columns.calls, columns.charge_yen, columns.credit_yen)
        query = (
            select(*group, *map(func.sum, amounts))
            .where(columns.month_start >= first_day, columns.month_start <= last_day)
            .group_by(*group)
        )
        with self._engine.connect() as connection:
            return [
                LedgerSum(row[0], BillingMonth(row[1], row[2]), row[3], TaxClass(row[4]), *map(int, row[5:]))
                for row in connection.execute(query)
            ]

    def rated(self, record_ids: Collection[int]) -> set[int]:
        with self._engine.connect() as connection:
            return rated_among(connection, record_ids)

    def closed(self, name: str) -> ClosedMonth | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(closed_months).where(closed_months.c.name == name)).one_or_none()
        return None if row is None else ClosedMonth(row.name, to_millis(row.closed_at), row.sha256)

    def problems(self) -> list[Problem]:
        columns = rating_problems.c
        query = (
            select(columns.record_id, columns.subscriber, columns.call_id, columns.problem)
            .where(columns.solved_at.is_(None))
            .order_by(columns.record_id)
        )
        with self._engine.connect() as connection:
            return [Problem(*row) for row in connection.execute(query)]

    def problem_count(self) -> int:
        """How many calls cannot be rated: the figure to alert on."""
        query = select(func.count()).where(rating_problems.c.solved_at.is_(None))
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0
