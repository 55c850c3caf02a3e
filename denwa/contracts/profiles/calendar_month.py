"""Calendar months (Asia/Tokyo), in which every provider's terms count."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple


class CalendarMonth(NamedTuple):
    """A month of the calendar; `month` is 1 to 12."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> CalendarMonth:
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, self.month, self.days)

    @property
    def days(self) -> int:
        return monthrange(self.year, self.month)[1]

    def plus(self, months: int) -> CalendarMonth:
        """The month `months` later (earlier, if negative)."""
        years, index = divmod(self.month - 1 + months, 12)
        return CalendarMonth(self.year + years, index + 1)

    def since(self, earlier: CalendarMonth) -> int:
        """How many months after `earlier` this one is."""
        return (self.year - earlier.year) * 12 + self.month - earlier.month

    def through(self, last: CalendarMonth) -> Iterator[CalendarMonth]:
        """This month and those after it up to `last`; none when `last` is earlier."""
        for months in range(last.since(self) + 1):
            yield self.plus(months)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
