"""The 12-month rule: a contract without a bill for 12 months in a row may be ended, after notice (約款 第13条 3, 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from denwa.rating.billing_month import BillingMonth, billing_month_of, next_month

MONTHS = 12
NOTICE_DAYS = (90, 30, 10)  # before the day on which it may be ended


class Notice(NamedTuple):
    """`day` is the day on which the notice is to be sent."""

    days_before: int
    day: date


class Dormancy(NamedTuple):
    """When a contract may be ended for lack of bills if no further one comes."""

    last_billed: BillingMonth | None  # None: never billed
    may_end_on: date  # the first day after 12 whole billing months without a bill
    notices: tuple[Notice, ...]

    def may_end(self, today: date) -> bool:
        return today >= self.may_end_on

    def due(self, today: date) -> tuple[Notice, ...]:
        """The notices whose day has come, those that should have been sent before too."""
        return tuple(notice for notice in self.notices if notice.day <= today)


def dormancy(
    service_start: date, bill_day: int, billed: Iterable[BillingMonth], notice_days: Sequence[int] = NOTICE_DAYS
) -> Dormancy:
    """The 12-month rule for a contract: `billed` are its billing months with 利用料 to pay, the current one included.

    12 whole billing months count: neither the month of the last bill nor the one in which the contract started, unless
    it started on that month's first day. Any later bill starts the count anew.
    """
    last = max(billed, default=None)
    month = billing_month_of(service_start, bill_day)
    if last is not None:
        month = next_month(last)
    elif month.start < service_start:
        month = next_month(month)
    for _ in range(MONTHS):
        month = next_month(month)
    may_end_on = month.start
    notices = tuple(Notice(days, may_end_on - timedelta(days=days)) for days in notice_days)
    return Dormancy(last, may_end_on, notices)
