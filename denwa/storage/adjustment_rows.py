"""Adjustments as rows of the ledger's tables, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from denwa.rating.adjustment import Adjustment, AdjustmentKind, entries_of_adjustment
from denwa.rating.billing_month import BillingMonth
from denwa.rating.ports import BookedAdjustment
from denwa.rating.tariff import TaxClass
from denwa.storage.columns import to_millis
from denwa.storage.posting_rows import append
from denwa.storage.tables.rating import adjustment_entries, adjustments


def append_adjustments(connection: Connection, booked: Sequence[BookedAdjustment]) -> None:
    """Insert adjustments with their entries."""
    if not booked:
        return
    append(connection, adjustments, [_row(one) for one in booked])
    entries = [
        (one.adjustment.reference, entry.account, entry.yen)
        for one in booked
        for entry in entries_of_adjustment(one.adjustment)
    ]
    append(connection, adjustment_entries, entries)


def adjustments_where(connection: Connection, *conditions: ColumnElement[bool]) -> list[BookedAdjustment]:
    """Those that meet all `conditions`, in the order in which they were posted, then by reference."""
    rows = connection.execute(select(adjustments).where(*conditions))
    # Sorted here: databases do not agree on the order of texts.
    return sorted(map(_booked, rows), key=lambda one: (one.posted_ms, one.adjustment.reference))


def _row(booked: BookedAdjustment) -> tuple[Any, ...]:
    one = booked.adjustment
    return (
        one.reference,
        one.kind.value,
        one.subscriber,
        booked.asked_month_start.isoformat(),
        one.month.start.isoformat(),
        one.month.end.isoformat(),
        one.yen,
        one.tax.value,
        one.working,
        one.reason,
        one.who,
        one.corrects,
        booked.posted_ms,
    )


def _booked(row: Row[Any]) -> BookedAdjustment:
    adjustment = Adjustment(
        row.reference,
        AdjustmentKind(row.kind),
        row.subscriber,
        BillingMonth(row.month_start, row.month_end),
        row.yen,
        TaxClass(row.tax),
        row.working,
        row.reason,
        row.who,
        row.corrects,
    )
    return BookedAdjustment(adjustment, row.asked_month_start, to_millis(row.posted_at))
