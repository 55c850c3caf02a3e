from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.billing_month import (
    MonthNameError,
    billing_month_named,
    billing_month_of,
    calendar_month,
    midnight_ms,
    next_month,
    tokyo_day,
)

DAYS = st.dates(date(1970, 1, 2), date(2999, 12, 31))
BILL_DAYS = st.integers(1, 28)


@pytest.mark.parametrize(
    ("day", "bill_day", "start", "end"),
    [
        ((2026, 11, 21), 1, (2026, 11, 1), (2026, 11, 30)),
        ((2026, 11, 21), 21, (2026, 11, 21), (2026, 12, 20)),
        ((2026, 11, 20), 21, (2026, 10, 21), (2026, 11, 20)),
        ((2027, 1, 1), 28, (2026, 12, 28), (2027, 1, 27)),
        ((2028, 2, 29), 28, (2028, 2, 28), (2028, 3, 27)),
        ((2027, 3, 1), 1, (2027, 3, 1), (2027, 3, 31)),
    ],
)
def test_a_billing_month_runs_from_its_start_day_to_the_day_before_the_next(day, bill_day, start, end) -> None:  # T5
    month = billing_month_of(date(*day), bill_day)
    assert (month.start, month.end) == (date(*start), date(*end))


@pytest.mark.parametrize("bill_day", [0, 29, 31, -1])
def test_a_start_day_outside_1_to_28_is_refused(bill_day: int) -> None:  # T5
    with pytest.raises(ValueError, match="1–28"):
        billing_month_of(date(2026, 11, 21), bill_day)


def test_the_month_changes_at_midnight_in_tokyo_to_the_millisecond() -> None:  # T5
    midnight = midnight_ms(date(2026, 12, 1))
    assert datetime.fromtimestamp(midnight / 1000, UTC) == datetime(2026, 11, 30, 15, tzinfo=UTC)
    assert (tokyo_day(midnight - 1), tokyo_day(midnight)) == (date(2026, 11, 30), date(2026, 12, 1))
    november = billing_month_of(date(2026, 11, 30), 1)
    assert (november.end_ms, november.name) == (midnight, "2026-11")


def test_a_month_is_named_after_the_calendar_month_in_which_it_starts() -> None:
    month = billing_month_named("2026-11", 28)
    assert (month.start, month.end, month.name) == (date(2026, 11, 28), date(2026, 12, 27), "2026-11")


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "2026/11", "２０２６-11", "2026-11-1"]
)
def test_what_is_no_month_is_refused_in_words(name: str) -> None:
    with pytest.raises(MonthNameError, match="YYYY-MM"):
        calendar_month(name)


@given(DAYS, BILL_DAYS)
def test_every_day_is_in_exactly_one_billing_month(day: date, bill_day: int) -> None:  # T5
    month = billing_month_of(day, bill_day)
    assert month.start <= day <= month.end
    assert month.start.day == bill_day
    following = next_month(month)
    assert following.start == month.end + timedelta(days=1)
    assert billing_month_of(month.start - timedelta(days=1), bill_day) != month


@given(st.integers(86_400_000, 32_000_000_000_000))
def test_the_day_in_tokyo_is_the_one_of_the_time_zone_database(moment_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
    assert tokyo_day(moment_ms) == moment.astimezone(ZoneInfo("Asia/Tokyo")).date()
