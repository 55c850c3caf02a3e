"""T5: a contract's billing month, from its start day (1–28) to the day before the next, in Asia/Tokyo."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

# Japan has had no daylight saving time since 1952, so a fixed offset is exact for every call there can be.
TOKYO = timezone(timedelta(hours=9), "Asia/Tokyo")
_OFFSET_MS = 9 * 3_600_000
_DAY_MS = 86_400_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Times a call record may carry: beyond them a clock or a file is wrong, and calendar arithmetic would overflow.
EARLIEST_MS = 0
LATEST_MS = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp()) * 1000


class BillingMonth(NamedTuple):
    """First and last day, both belonging to it."""

    start: date
    end: date

    @property
    def start_ms(self) -> int:
        """The first millisecond (UTC epoch) of the month."""
        return midnight_ms(self.start)

    @property
    def end_ms(self) -> int:
        """The first millisecond after the month: the interval is half-open."""
        return midnight_ms(self.end) + _DAY_MS

    @property
    def name(self) -> str:
        """`YYYY-MM` of the calendar month in which the billing month starts."""
        return f"{self.start:%Y-%m}"


class MonthNameError(ValueError):
    """The text is no calendar month `YYYY-MM`."""


def tokyo_day(moment_ms: int) -> date:
    """The calendar day in Asia/Tokyo of a moment (ms since 1970 UTC)."""
    return date.fromordinal(_EPOCH_DAY + (moment_ms + _OFFSET_MS) // _DAY_MS)


def midnight_ms(day: date) -> int:
    """The moment (ms since 1970 UTC) at which `day` begins in Asia/Tokyo."""
    return (day.toordinal() - _EPOCH_DAY) * _DAY_MS - _OFFSET_MS


@lru_cache(maxsize=8192)
def billing_month_of(day: date, bill_day: int) -> BillingMonth:
    """The billing month that holds `day` for a contract whose months start on `bill_day` (1–28, else ValueError)."""
    if not 1 <= bill_day <= 28:
        raise ValueError(f"bill day {bill_day} is not 1–28")
    if day.day >= bill_day:
        return _starting(day.year, day.month, bill_day)
    last = day.replace(day=1) - timedelta(days=1)
    return _starting(last.year, last.month, bill_day)


def billing_month_named(name: str, bill_day: int) -> BillingMonth:
    """The billing month that starts in the calendar month `name`; MonthNameError unless `name` is `YYYY-MM`."""
    year, month = calendar_month(name)
    return billing_month_of(date(year, month, bill_day), bill_day)


def calendar_month(name: str) -> tuple[int, int]:
    """(year, month) of `YYYY-MM`; MonthNameError for anything else."""
    year, dash, month = name.partition("-")
    digits = name.isascii() and year.isdigit() and month.isdigit()
    if not (
        digits and dash and len(year) == 4 and len(month) == 2 and 1 <= int(month) <= 12 and 1970 <= int(year) < 9000
    ):
        raise MonthNameError(f"{name!r} is no month; write it as YYYY-MM, for example 2026-11")
    return int(year), int(month)


def next_month(month: BillingMonth) -> BillingMonth:
    """The billing month of the same contract that follows."""
    return billing_month_of(month.end + timedelta(days=1), month.start.day)


def _starting(year: int, month: int, bill_day: int) -> BillingMonth:
    following = date(year + month // 12, month % 12 + 1, bill_day)
    return BillingMonth(date(year, month, bill_day), following - timedelta(days=1))
