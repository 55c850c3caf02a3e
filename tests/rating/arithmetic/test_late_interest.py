"""T11: late interest (約款 第27条)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.late_interest import late_interest

DUE = date(2026, 10, 31)
YEN = st.integers(0, 10**9)
LATE = st.integers(-400, 4000)


@pytest.mark.parametrize("late", [-30, 0, 1, 9, 10])
def test_no_interest_if_paid_within_10_days_after_the_due_day(late: int) -> None:  # T11
    interest = late_interest(10**8, DUE, DUE + timedelta(days=late))
    assert (interest.days, interest.yen) == (0, 0)
    assert "延滞利息なし" in interest.text()


def test_on_the_11th_day_interest_is_for_the_10_days_before_the_payment() -> None:  # T11
    interest = late_interest(36_500, DUE, date(2026, 11, 11))
    assert (interest.days, interest.yen) == (10, 145)  # 36500 × 14.5 % × 10 / 365
    assert interest.text() == "36500 円 × 14.5% × 10 日 ÷ 365 日 → 145 円 (2026-11-01〜2026-11-10, 第27条)"


@pytest.mark.parametrize(
    ("principal", "late", "yen"),
    [
        (12_000, 31, 143),  # 30 days: 143.01…
        (1_000, 31, 11),  # 11.9…: the fraction is cut off
        (83, 31, 0),  # 0.98…
        (84, 31, 1),  # 1.001…
        (10_000, 366, 1_450),  # a whole year
        (1, 10**6, 397),
    ],
)
def test_the_fraction_of_a_yen_is_cut_off_exactly(principal: int, late: int, yen: int) -> None:  # 通則 5
    assert late_interest(principal, DUE, DUE + timedelta(days=late)).yen == yen


def test_a_year_is_365_days_in_leap_years_too() -> None:
    common = late_interest(10_000, date(2026, 12, 31), date(2028, 1, 1))
    leap = late_interest(10_000, date(2027, 12, 31), date(2029, 1, 1))
    assert (common.days, common.yen) == (365, 1450)
    assert (leap.days, leap.yen) == (366, 1453)  # 29 February is a day of interest like any other


@pytest.mark.parametrize("given_", [{"principal_yen": -1}, {"per_mille": -1}, {"grace_days": -1}])
def test_nonsense_is_refused(given_: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="interest on"):
        late_interest(**{"principal_yen": 1, "due": DUE, "paid": DUE, **given_})  # type: ignore[arg-type]


def test_money_that_is_no_int_is_refused() -> None:
    with pytest.raises(TypeError):
        late_interest(1.5, DUE, DUE)  # type: ignore[arg-type]


@given(YEN, LATE, LATE)
def test_interest_never_falls_the_later_a_debt_is_paid(principal: int, one: int, other: int) -> None:
    first, second = sorted((one, other))
    assert (
        late_interest(principal, DUE, DUE + timedelta(days=first)).yen
        <= late_interest(principal, DUE, DUE + timedelta(days=second)).yen
    )


@given(YEN, st.integers(11, 4000))
def test_interest_is_the_largest_whole_yen_not_above_the_exact_amount(principal: int, late: int) -> None:
    interest = late_interest(principal, DUE, DUE + timedelta(days=late))
    assert interest.yen * 365_000 <= principal * 145 * (late - 1) < (interest.yen + 1) * 365_000
