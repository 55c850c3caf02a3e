from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rating.shipped import TAX


@pytest.mark.parametrize(
    ("first_day", "percent"),
    [
        ((1989, 3, 31), 0),
        ((1989, 4, 1), 3),
        ((1997, 4, 1), 5),
        ((2014, 3, 31), 5),
        ((2014, 4, 1), 8),
        ((2019, 9, 30), 8),
        ((2019, 10, 1), 10),
        ((2026, 11, 1), 10),
    ],
)
def test_the_rate_goes_by_the_first_day_of_the_billing_month(first_day, percent) -> None:  # T6
    assert TAX.percent_on(date(*first_day)) == percent


@pytest.mark.parametrize(("taxed", "tax"), [(0, 0), (8, 0), (9, 0), (10, 1), (96, 9), (104, 10), (-96, -9)])
def test_the_fraction_of_a_yen_is_cut_off(taxed: int, tax: int) -> None:  # T6
    assert TAX.tax_on(taxed, date(2026, 11, 1)) == tax


@given(st.integers(0, 10**12), st.dates(date(1980, 1, 1), date(2100, 1, 1)))
def test_tax_is_a_whole_number_below_the_exact_tax_by_less_than_a_yen(taxed: int, first_day: date) -> None:
    tax = TAX.tax_on(taxed, first_day)
    assert 0 <= taxed * TAX.percent_on(first_day) - tax * 100 < 100
