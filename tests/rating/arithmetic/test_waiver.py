"""T12: charges waived in a disaster (料金表 通則 8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.usage import UsedCall
from denwa.rating.arithmetic.waiver import calls_in, waiver
from denwa.rating.tariff import TaxClass


def call(payable: int, *, answered: int = 0, tax: TaxClass = TaxClass.TAXED) -> UsedCall:
    return UsedCall(1, "c", answered, tax, payable)


CALLS = st.lists(
    st.builds(
        lambda yen, exempt: call(yen, tax=TaxClass.EXEMPT if exempt else TaxClass.TAXED),
        st.integers(0, 10**6),
        st.booleans(),
    ),
    max_size=20,
)


def test_what_is_payable_is_taken_back_for_each_tax_class() -> None:  # T12
    waived = waiver([call(24), call(8), call(80, tax=TaxClass.EXEMPT)])
    assert dict(waived.amounts) == {TaxClass.TAXED: -32, TaxClass.EXEMPT: -80}
    assert "3 件 112 円 の 100% を減免 → -112 円" in waived.text()


def test_calls_within_the_credit_have_nothing_to_waive() -> None:  # T4, T12
    assert dict(waiver([call(0), call(0)]).amounts) == {}


def test_a_call_belongs_to_the_time_in_which_it_was_answered() -> None:  # T12: half-open
    calls = [call(8, answered=at) for at in (99, 100, 199, 200)]
    assert [c.answered_ms for c in calls_in(100, 200, calls)] == [100, 199]


def test_of_a_part_the_rest_to_pay_is_cut_to_whole_yen() -> None:  # 通則 5
    assert waiver([call(25)], 50).yen == -13  # 12.5 remain, of which 12 are paid


@pytest.mark.parametrize("percent", [0, 101, -5])
def test_another_percentage_is_refused(percent: int) -> None:
    with pytest.raises(ValueError, match="cannot be waived"):
        waiver([call(8)], percent)


@given(CALLS, st.integers(1, 100))
def test_never_more_is_waived_than_was_to_be_paid(calls: list[UsedCall], percent: int) -> None:
    for tax, yen in waiver(calls, percent).amounts.items():
        assert -sum(c.payable_yen for c in calls if c.tax is tax) <= yen < 0


@given(CALLS)
def test_all_of_it_waived_leaves_nothing(calls: list[UsedCall]) -> None:
    assert waiver(calls).yen == -sum(c.payable_yen for c in calls)
