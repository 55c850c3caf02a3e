"""T9: days that could not be measured (料金表 第1表 第1 1-1 (4))."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.computed import ArithmeticRefusal
from denwa.rating.arithmetic.lost_metering import lost_metering
from denwa.rating.arithmetic.usage import Known, Usage, months_before
from denwa.rating.tariff import TaxClass

FIRST, LAST = date(2026, 11, 3), date(2026, 11, 5)  # 3 days
BEFORE = Usage(date(2026, 10, 20), date(2026, 11, 2), 140)  # 10 a day
AFTER = Usage(date(2026, 11, 6), date(2026, 11, 12), 63)  # 9 a day


def months(*yen: int) -> tuple[Usage, ...]:
    """The last months before November 2026, with so much usage each."""
    spans = months_before(FIRST, 1)[-len(yen) :] if yen else []
    return tuple(Usage(span.start, span.end, used) for span, used in zip(spans, yen, strict=True))


def test_the_lowest_daily_average_of_the_6_months_before_times_the_days() -> None:  # T9 ア
    result = lost_metering(FIRST, LAST, Known(months(620, 600, 310, 930, 900, 620), BEFORE), AFTER)
    assert dict(result.amounts) == {TaxClass.TAXED: 30}  # July: 310 / 31 = 10 a day
    assert "310 円 ÷ 31 日 × 3 日 → 30 円 (料金表 第1表 第1 1-1 (4) ア)" in result.text()


def test_the_lowest_average_is_not_that_of_the_lowest_month() -> None:  # T9 ア: per day
    by_day = lost_metering(FIRST, LAST, Known(months(900, 900, 900, 900, 601, 620), None), None)
    assert by_day.yen == 60  # October, 620 / 31, not September, 601 / 30


def test_2_known_months_are_enough_for_the_lowest_of_them() -> None:  # T9 イ (1)
    result = lost_metering(FIRST, LAST, Known(months(600, 930), BEFORE), AFTER)
    assert result.yen == 60
    assert "イ(1)" in result.text()


@pytest.mark.parametrize("known", [(), (930,)])
def test_with_less_the_lower_of_the_days_before_and_the_7_days_after(known: tuple[int, ...]) -> None:  # T9 イ (2)
    result = lost_metering(FIRST, LAST, Known(months(*known), BEFORE), AFTER)
    assert result.yen == 27
    assert "イ(2)" in result.text()
    assert lost_metering(FIRST, LAST, Known(months(*known), BEFORE), AFTER._replace(taxed_yen=77)).yen == 30


def test_a_fault_on_the_first_day_of_a_contract_is_charged_by_the_days_after() -> None:  # T9 イ (2)
    assert lost_metering(FIRST, LAST, Known((), None), AFTER).yen == 27


def test_where_nothing_is_known_nothing_is_guessed() -> None:  # T9
    with pytest.raises(ArithmeticRefusal, match="nothing is known"):
        lost_metering(FIRST, LAST, Known((), None), None)


def test_a_month_without_calls_makes_the_lost_days_free() -> None:  # T9 ア
    assert lost_metering(FIRST, LAST, Known(months(620, 600, 0, 930, 900, 620), BEFORE), AFTER).amounts == {}


def test_calls_abroad_in_the_lowest_month_stay_exempt() -> None:  # T2, T9
    lowest = Usage(date(2026, 10, 1), date(2026, 10, 31), 310, 62)
    result = lost_metering(FIRST, LAST, Known((lowest, lowest), None), None)
    assert dict(result.amounts) == {TaxClass.TAXED: 30, TaxClass.EXEMPT: 6}


def test_what_was_measured_all_the_same_is_not_charged_twice() -> None:  # T9
    known = Known(months(600, 930), BEFORE)  # 60 for the 3 days
    assert lost_metering(FIRST, LAST, known, AFTER, Usage(FIRST, LAST, 24)).yen == 36
    assert lost_metering(FIRST, LAST, known, AFTER, Usage(FIRST, LAST, 24, 16)).yen == 20
    assert lost_metering(FIRST, LAST, known, AFTER, Usage(FIRST, LAST, 80)).amounts == {}


def test_a_period_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="before the first"):
        lost_metering(LAST, FIRST, Known((), BEFORE), None)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=2, max_size=6),
    st.integers(0, 10**4), st.integers(0, 10**4),
)  # fmt: skip
def test_never_more_than_any_known_month_would_have_come_to(
    used: list[tuple[int, int]], taxed: int, exempt: int
) -> None:
    spans = months_before(FIRST, 1)[-len(used) :]
    known = tuple(Usage(span.start, span.end, *yen) for span, yen in zip(spans, used, strict=True))
    measured = Usage(FIRST, LAST, taxed, exempt)
    result = lost_metering(FIRST, LAST, Known(known, None), None)
    assert all(result.yen * usage.days <= usage.yen * 3 for usage in known)
    assert lost_metering(FIRST, LAST, Known(known, None), None, measured).yen == max(0, result.yen - measured.yen)
