"""L3: what becomes known after its month was closed is billed in the next open one."""

from __future__ import annotations

from collections.abc import Collection

from denwa.rating.billing_month import BillingMonth, next_month


def open_month(month: BillingMonth, closed: Collection[str]) -> BillingMonth:
    """`month`, or the first one after it that is not among the names of `closed` months."""
    while month.name in closed:
        month = next_month(month)
    return month
