"""T7: the number fee (料金表 第1表 第4; 第9条 2 (1))."""

import pytest

from denwa.rating.arithmetic.computed import ArithmeticRefusal
from denwa.rating.arithmetic.number_fee import NumberFeeTerms, number_fee
from denwa.rating.tariff import TaxClass


def test_the_first_number_on_a_card_is_free() -> None:  # T7
    fee = number_fee(0)
    assert (fee.yen, dict(fee.amounts)) == (0, {})


@pytest.mark.parametrize("before", [1, 2, 3, 4])
def test_each_of_the_2nd_to_5th_number_on_a_card_costs_500_yen_taxed(before: int) -> None:  # T7
    fee = number_fee(before)
    assert dict(fee.amounts) == {TaxClass.TAXED: 500}
    assert f"{before + 1} 個目" in fee.text()


@pytest.mark.parametrize("before", [5, 6, 50])
def test_a_6th_number_is_refused(before: int) -> None:  # T7
    with pytest.raises(ArithmeticRefusal, match="no more than 5"):
        number_fee(before)


def test_another_carriers_terms_are_followed() -> None:
    terms = NumberFeeTerms(yen=300, free_numbers=2, most_numbers=3)
    assert [number_fee(before, terms).yen for before in range(3)] == [0, 0, 300]
    with pytest.raises(ArithmeticRefusal):
        number_fee(3, terms)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 numbers"):
        number_fee(-1)
