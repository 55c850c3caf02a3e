"""T11: the surcharge on evaded charges (約款 第26条)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.evasion import evaded_charge, surcharge
from denwa.rating.tariff import TaxClass


def test_the_surcharge_is_twice_the_evaded_amount_and_taxed() -> None:  # T11
    assert dict(surcharge(1_200).amounts) == {TaxClass.TAXED: 2_400}
    assert surcharge(1_200).text() == "免れた額 1200 円 × 2 → 2400 円, 消費税を加算 (第26条)"


def test_what_was_evaded_is_owed_besides_in_its_own_tax_classes() -> None:  # T11: 免れた額のほか
    assert dict(evaded_charge(800, 400).amounts) == {TaxClass.TAXED: 800, TaxClass.EXEMPT: 400}
    assert dict(evaded_charge(0, 400).amounts) == {TaxClass.EXEMPT: 400}


@pytest.mark.parametrize("amounts", [(-1, 0), (0, -1)])
def test_a_negative_evaded_amount_is_refused(amounts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="evaded"):
        evaded_charge(*amounts)
    with pytest.raises(ValueError, match="evaded"):
        surcharge(-1)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_surcharge_of_the_sum_is_the_sum_of_the_surcharges(one: int, other: int) -> None:
    assert surcharge(one + other).yen == surcharge(one).yen + surcharge(other).yen == 2 * (one + other)
