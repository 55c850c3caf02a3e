"""Calendar days and months as arguments of commands."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click

from denwa.contracts.profiles.calendar_month import CalendarMonth


class Day(click.ParamType[date]):
    """`YYYY-MM-DD`."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007  (a calendar day has no zone)
        except ValueError:
            self.fail(f"{value!r} is no day; write it as YYYY-MM-DD", param, ctx)


class Month(click.ParamType[CalendarMonth]):
    """`YYYY-MM`."""

    name = "YYYY-MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CalendarMonth:
        if isinstance(value, CalendarMonth):
            return value
        try:
            return CalendarMonth.of(datetime.strptime(value, "%Y-%m").date())  # noqa: DTZ007
        except ValueError:
            self.fail(f"{value!r} is no month; write it as YYYY-MM", param, ctx)


DAY = Day()
MONTH = Month()
