"""Closed months and what was billed in them, as rows and back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from denwa.rating.billing_month import BillingMonth
from denwa.rating.ports import Bill, ClosedMonth
from denwa.rating.statement import Statement
from denwa.storage.columns import to_millis


def bill_row(name: str, statement: Statement) -> tuple[Any, ...]:
    """The columns of `bills` in their order."""
    return (
        name,
        statement.subscriber,
        statement.month.start.isoformat(),
        statement.month.end.isoformat(),
        statement.taxed_yen,
        statement.exempt_yen,
        statement.out_of_scope_yen,
        statement.tax_percent,
        statement.tax_yen,
        statement.total_yen,
    )


def bill_of(row: Row[Any]) -> Bill:
    """The bill of a row of `bills`."""
    return Bill(
        row.subscriber,
        BillingMonth(row.month_start, row.month_end),
        row.taxed_yen,
        row.exempt_yen,
        row.out_of_scope_yen,
        row.tax_percent,
        row.tax_yen,
        row.total_yen,
    )


def closed_month_of(row: Row[Any]) -> ClosedMonth:
    """The closed month of a row of `closed_months`."""
    return ClosedMonth(row.name, to_millis(row.closed_at), row.sha256, row.layout, row.lines_sha256)
