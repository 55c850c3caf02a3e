"""Postings as rows of the ledger's tables, and back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, case, func, select

from denwa.rating.billing_month import BillingMonth
from denwa.rating.charge import Charge
from denwa.rating.ledger import Posting, PostingKind, RatedCall
from denwa.rating.money import whole_yen
from denwa.rating.tariff import Price, TaxClass
from denwa.storage.tables.rating import postings


def append(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows in the order of the table's columns, as the database stores them.

    Given to the driver as they are: SQLAlchemy's work for each row costs more than the database's.
    """
    mark = "?" if connection.dialect.positional else "%s"
    marks = ", ".join([mark] * len(table.columns))
    columns = ", ".join(column.name for column in table.columns)
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)


def posting_row(posting: Posting) -> tuple[Any, ...]:
    """The columns of `postings` in their order, without `posted_at`."""
    charge = posting.charge
    price = charge.price
    start, end = posting.month
    return (
        posting.record_id,
        posting.revision,
        posting.corrects,
        posting.kind.value,
        posting.subscriber,
        posting.call_id,
        posting.ended_ms,
        start.isoformat(),
        end.isoformat(),
        posting.call_month_start.isoformat(),
        posting.calls,
        price.number_class,
        price.tax.value,
        charge.duration_ms,
        charge.units,
        price.unit_ms,
        whole_yen(price.yen_per_unit),
        charge.unfinished_dropped,
        charge.tariff,
        charge.tariff_date.isoformat(),
        whole_yen(posting.charge_yen),
        whole_yen(posting.credit_yen),
    )


def posting_of(row: Row[Any]) -> Posting:
    """The posting of a row of `postings`."""
    price = Price(row.number_class, row.unit_ms, row.yen_per_unit, TaxClass(row.tax))
    charge = Charge(
        row.duration_ms,
        row.units,
        price,
        row.tariff,
        row.tariff_date,
        row.units * row.yen_per_unit,
        row.credit_yen if row.kind == PostingKind.CALL else 0,
        row.unfinished_dropped,
    )
    return Posting(
        row.record_id,
        row.revision,
        PostingKind(row.kind),
        row.subscriber,
        row.call_id,
        row.ended_ms,
        BillingMonth(row.month_start, row.month_end),
        row.call_month_start,
        row.calls,
        charge,
        row.credit_yen,
        row.charge_yen,
        row.corrects,
    )


def charged_calls(connection: Connection, subscriber: str, *, with_credit: bool = False) -> list[RatedCall]:
    """Every call of the contract that is charged something after all corrections; those with credit, if asked so."""
    columns = postings.c
    now = (
        select(
            columns.record_id,
            func.sum(columns.calls).label("calls"),
            func.sum(columns.credit_yen).label("credit"),
            func.max(columns.revision).label("revision"),
            func.max(case((columns.kind == PostingKind.CALL, columns.revision))).label("rating"),
        )
        .where(columns.subscriber == subscriber)
        .group_by(columns.record_id)
        .having(func.sum(columns.credit_yen if with_credit else columns.charge_yen) != 0)
        .subquery()
    )
    query = select(postings, now.c.calls.label("in_force"), now.c.credit, now.c.revision.label("last")).join(
        now, (now.c.record_id == columns.record_id) & (now.c.rating == columns.revision)
    )
    return [
        RatedCall(posting_of(row), bool(row.in_force), int(row.credit), int(row.last))
        for row in connection.execute(query)
    ]
