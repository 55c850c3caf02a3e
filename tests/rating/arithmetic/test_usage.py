"""What is known of a contract's 利用料 before a day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.usage import Usage, UsedCall, known_before, months_before, usage_between
from denwa.rating.billing_month import billing_month_of, midnight_ms
from denwa.rating.tariff import TaxClass

LONG_AGO = date(2020, 1, 1)
DAY = date(2026, 11, 10)
MONTHS = {date(2026, n, 1): {TaxClass.TAXED: n * 100, TaxClass.EXEMPT: n} for n in range(1, 11)}


def used_on(day: date, yen: int, tax: TaxClass = TaxClass.TAXED) -> UsedCall:
    """A call answered in the last millisecond of `day` in Tokyo."""
    return UsedCall(1, "c", midnight_ms(day + timedelta(days=1)) - 1, tax, yen)


def test_the_6_months_before_are_those_before_the_month_that_holds_the_day() -> None:
    assert [m.start for m in months_before(DAY, 1)] == [date(2026, n, 1) for n in range(5, 11)]
    assert [m.start for m in months_before(date(2026, 3, 15), 16)] == [
        date(2025, 8, 16), date(2025, 9, 16), date(2025, 10, 16), date(2025, 11, 16), date(2025, 12, 16),
        date(2026, 1, 16),
    ]  # fmt: skip


def test_a_long_contract_has_6_known_months() -> None:  # T9, T10
    known = known_before(DAY, 1, LONG_AGO, MONTHS, [])
    assert known.six
    assert known.months[0] == Usage(date(2026, 5, 1), date(2026, 5, 31), 500, 5)


def test_a_month_without_a_call_is_known_to_be_of_0_yen() -> None:
    known = known_before(DAY, 1, LONG_AGO, {}, [])
    assert [u.yen for u in known.months] == [0] * 6


def test_the_month_in_which_the_contract_began_is_not_known_as_a_whole() -> None:
    used = [used_on(date(2026, 8, 20), 80), used_on(DAY, 8)]
    known = known_before(DAY, 1, date(2026, 8, 15), MONTHS, used)
    assert [u.first for u in known.months] == [date(2026, 9, 1), date(2026, 10, 1)]
    assert known.before == Usage(date(2026, 8, 15), date(2026, 11, 9), 80, 0)  # the day itself is not before


def test_a_month_of_an_earlier_fault_is_not_relied_on() -> None:
    known = known_before(DAY, 1, LONG_AGO, MONTHS, [], {date(2026, 7, 1)})
    assert not known.six
    assert len(known.months) == 5
    assert known.before == Usage(date(2026, 8, 1), date(2026, 11, 9))  # known without a gap


def test_february_of_a_leap_year_is_an_average_over_29_days() -> None:
    known = known_before(date(2028, 3, 10), 1, LONG_AGO, {date(2028, 2, 1): {TaxClass.TAXED: 290}}, [])
    assert (known.months[-1].days, known.months[-1].over(3)[0]) == (29, 30)
    assert known_before(date(2027, 3, 10), 1, LONG_AGO, {}, []).months[-1].days == 28


def test_on_the_first_day_of_a_contract_nothing_is_known() -> None:
    assert known_before(DAY, 1, DAY, {}, []) == ((), None)


def test_the_shares_of_the_tax_classes_sum_to_the_cut_whole() -> None:
    whole, shares = Usage(date(2026, 5, 1), date(2026, 5, 31), 100, 50).over(3)
    assert (whole, shares) == (14, {TaxClass.TAXED: 9, TaxClass.EXEMPT: 5})  # 14.5 → 14; 9.67 → 9


@given(
    st.dates(date(2016, 1, 1), date(2032, 12, 31)), st.integers(1, 28), st.integers(0, 10**7), st.integers(0, 10**7),
    st.integers(0, 60),
)  # fmt: skip
def test_an_average_times_its_own_days_is_what_was_used(
    day: date, bill_day: int, taxed: int, exempt: int, days: int
) -> None:
    month = billing_month_of(day, bill_day)
    usage = Usage(month.start, month.end, taxed, exempt)
    assert usage.over(usage.days) == (taxed + exempt, {TaxClass.TAXED: taxed, TaxClass.EXEMPT: exempt})
    whole, shares = usage.over(days)
    assert sum(shares.values()) == whole
    assert whole * usage.days <= usage.yen * days < (whole + 1) * usage.days
    assert min(shares.values()) >= 0


@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from(list(TaxClass)[:2]), st.integers(0, 10**5))))
def test_the_usage_of_the_parts_is_that_of_the_whole(calls: list[tuple[int, TaxClass, int]]) -> None:
    used = [used_on(LONG_AGO + timedelta(days=n), yen, tax) for n, tax, yen in calls]
    cut, end = LONG_AGO + timedelta(days=100), LONG_AGO + timedelta(days=200)
    parts = [usage_between(LONG_AGO, cut, used), usage_between(cut + timedelta(days=1), end, used)]
    assert sum(part.yen for part in parts) == usage_between(LONG_AGO, end, used).yen == sum(c.payable_yen for c in used)
