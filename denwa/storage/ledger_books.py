"""The ledger's accounts, and whether all that is in it agrees (port `denwa.rating.books.LedgerBooks`)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Engine, Select, case, func, literal, select, union_all

from denwa.rating.books import AccountTotal, BookedSum, Difference, RatedRecord
from denwa.rating.ledger import Correction, Posting
from denwa.storage.ledger_checks import ledger_differences
from denwa.storage.posting_rows import posting_of
from denwa.storage.tables.rating import adjustment_entries, adjustments, bills, corrections, entries, postings

RECEIVABLE = "receivable:"
TAX = "consumption-tax"  # 仮受消費税: booked when a month is closed


class SqlLedgerBooks:
    """Read-only; waits for nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)

    def accounts(self) -> list[AccountTotal]:
        booked = _every_entry().subquery()
        yen = booked.c.yen
        query = select(
            booked.c.account,
            func.sum(case((yen > 0, yen), else_=0)),
            func.sum(case((yen < 0, -yen), else_=0)),
        ).group_by(booked.c.account)
        with self._engine.connect() as connection:
            return sorted(AccountTotal(row[0], int(row[1]), int(row[2])) for row in connection.execute(query))

    def booked(self, first_day: date, last_day: date) -> list[BookedSum]:
        with self._engine.connect() as connection:
            return [
                found
                for query in (_of_calls(), _of_adjustments(), *_of_bills())
                for found in _sums(connection, query, first_day, last_day)
            ]

    def rated_calls(self, after: int, limit: int) -> list[RatedRecord]:
        columns = postings.c
        query = (
            select(columns.record_id, columns.subscriber, columns.call_id)
            .where(columns.revision == 0, columns.record_id > after)
            .order_by(columns.record_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [RatedRecord(*row) for row in connection.execute(query)]

    def history(self, record_id: int) -> list[tuple[Posting, Correction | None]]:
        by_call = postings.c.record_id == record_id
        with self._engine.connect() as connection:
            made = connection.execute(select(corrections).where(corrections.c.record_id == record_id))
            why = {row.revision: Correction(*row) for row in made}
            rows = connection.execute(select(postings).where(by_call).order_by(postings.c.revision))
            return [(posting_of(row), why.get(row.revision)) for row in rows]

    def differences(self) -> list[Difference]:
        with self._engine.connect() as connection:
            return list(ledger_differences(connection))


def _every_entry() -> CompoundSelect[Any]:
    receivable: ColumnElement[str] = literal(RECEIVABLE) + bills.c.subscriber
    return union_all(
        select(entries.c.account.label("account"), entries.c.yen.label("yen")),
        select(adjustment_entries.c.account, adjustment_entries.c.yen),
        select(receivable, bills.c.tax_yen).where(bills.c.tax_yen != 0),
        select(literal(TAX), -bills.c.tax_yen).where(bills.c.tax_yen != 0),
    )


def _of_calls() -> Select[Any]:
    same = (entries.c.record_id == postings.c.record_id) & (entries.c.revision == postings.c.revision)
    return select(postings.c.subscriber, postings.c.month_start, entries.c.account, entries.c.yen).join(entries, same)


def _of_adjustments() -> Select[Any]:
    return select(
        adjustments.c.subscriber, adjustments.c.month_start, adjustment_entries.c.account, adjustment_entries.c.yen
    ).join(adjustment_entries, adjustment_entries.c.reference == adjustments.c.reference)


def _of_bills() -> list[Select[Any]]:
    taxed = bills.c.tax_yen != 0
    receivable = (literal(RECEIVABLE) + bills.c.subscriber).label("account")
    both = ((receivable, bills.c.tax_yen), (literal(TAX).label("account"), (-bills.c.tax_yen).label("yen")))
    return [
        select(bills.c.subscriber, bills.c.month_start, account, yen.label("yen")).where(taxed) for account, yen in both
    ]


def _sums(connection: Connection, query: Select[Any], first_day: date, last_day: date) -> list[BookedSum]:
    booked = query.subquery()
    subscriber, month_start, account, yen = booked.c
    key = (subscriber, month_start, account)
    summed = select(*key, func.sum(yen)).where(month_start >= first_day, month_start <= last_day).group_by(*key)
    return [BookedSum(row[0], row[1], row[2], int(row[3])) for row in connection.execute(summed)]
