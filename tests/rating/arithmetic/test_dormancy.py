"""The 12-month rule (約款 第13条 3, 4), with notices 90, 30 and 10 days before."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.dormancy import dormancy
from denwa.rating.billing_month import billing_month_of, next_month

DAYS = st.dates(date(2015, 1, 1), date(2040, 12, 31))
BILL_DAYS = st.integers(1, 28)


def test_a_contract_may_be_ended_after_12_whole_months_without_a_bill() -> None:  # L2
    rule = dormancy(date(2024, 1, 1), 1, [billing_month_of(date(2025, 10, 5), 1)])
    assert rule.may_end_on == date(2026, 11, 1)  # November 2025 to October 2026 were without a bill
    assert not rule.may_end(date(2026, 10, 31))
    assert rule.may_end(date(2026, 11, 1))


def test_notices_are_due_90_30_and_10_days_before() -> None:  # L2
    rule = dormancy(date(2024, 1, 1), 1, [billing_month_of(date(2025, 10, 5), 1)])
    assert [(n.days_before, n.day) for n in rule.notices] == [
        (90, date(2026, 8, 3)), (30, date(2026, 10, 2)), (10, date(2026, 10, 22)),
    ]  # fmt: skip
    assert rule.due(date(2026, 8, 2)) == ()
    assert [n.days_before for n in rule.due(date(2026, 10, 2))] == [90, 30]
    assert len(rule.due(date(2030, 1, 1))) == 3  # days without a run lose no notice


def test_other_notices_can_be_asked_for() -> None:
    assert [n.days_before for n in dormancy(date(2024, 1, 1), 1, [], (60,)).notices] == [60]


def test_a_contract_never_billed_counts_from_its_first_whole_month() -> None:
    assert dormancy(date(2025, 3, 1), 1, []).may_end_on == date(2026, 3, 1)
    assert dormancy(date(2025, 3, 2), 1, []).may_end_on == date(2026, 4, 1)


def test_the_latest_bill_starts_the_count_anew() -> None:
    months = [billing_month_of(day, 16) for day in (date(2026, 2, 20), date(2024, 5, 1))]
    rule = dormancy(date(2024, 1, 1), 16, months)
    assert rule.last_billed == months[0]
    assert rule.may_end_on == date(2027, 3, 16)


def test_29_february_is_a_day_like_any_other() -> None:  # leap year
    rule = dormancy(date(2020, 1, 1), 1, [billing_month_of(date(2027, 3, 1), 1)])
    assert rule.may_end_on == date(2028, 4, 1)
    assert rule.notices[1].day == date(2028, 3, 2)


@given(DAYS, BILL_DAYS, st.lists(DAYS, max_size=5))
def test_at_least_365_days_without_a_bill_lie_before_the_end(start: date, bill_day: int, bills: list[date]) -> None:
    billed = [billing_month_of(max(day, start), bill_day) for day in bills]
    rule = dormancy(start, bill_day, billed)
    since = max([start - timedelta(days=1), *(month.end for month in billed)])
    assert 365 <= (rule.may_end_on - since).days - 1 <= 366 + 31
    assert rule.may_end_on.day == bill_day
    following = next_month(billing_month_of(rule.may_end_on - timedelta(days=1), bill_day))
    assert following.start == rule.may_end_on
