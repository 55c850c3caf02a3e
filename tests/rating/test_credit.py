from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.credit import CreditOrder, CreditUse, share_credit

USES = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["a", "b", "c", "B"]), st.integers(0, 60)), max_size=40
).map(lambda rows: [CreditUse(end, call_id, key, yen) for key, (end, call_id, yen) in enumerate(rows)])


def test_the_call_that_crosses_the_limit_is_billed_for_the_part_above() -> None:  # T4
    uses = [CreditUse(end, f"c{end}", end, 24) for end in range(1, 6)]
    assert share_credit(100, uses) == {1: 24, 2: 24, 3: 24, 4: 24, 5: 4}


def test_credit_goes_by_end_and_not_by_arrival() -> None:  # T4
    assert share_credit(100, [CreditUse(2, "late", "late", 96), CreditUse(1, "early", "early", 96)]) == {
        "early": 96,
        "late": 4,
    }


def test_calls_that_end_together_use_credit_by_call_id() -> None:  # T4
    assert share_credit(10, [CreditUse(1, "b", "second", 8), CreditUse(1, "a", "first", 8)]) == {
        "first": 8,
        "second": 2,
    }


def test_a_free_call_uses_no_credit() -> None:
    assert share_credit(100, [CreditUse(1, "free", 1, 0)]) == {}


def test_no_credit_granted_means_none_used() -> None:
    assert share_credit(0, [CreditUse(1, "a", 1, 8)]) == {}


@given(USES, st.integers(0, 200), st.randoms(use_true_random=False))
def test_credit_used_is_exactly_the_lesser_of_limit_and_charges_in_every_arrival_order(uses, granted, random) -> None:
    expected, left = {}, granted  # T4, written down naively
    for use in sorted(uses):
        if take := min(use.yen, left):
            expected[use.key] = take
            left -= take
    shuffled = list(uses)
    random.shuffle(shuffled)
    order = CreditOrder(granted)
    for use in shuffled:
        order.add(*use)
    assert order.shares() == expected
    assert order.used_yen == sum(expected.values()) == min(granted, sum(use.yen for use in uses))


@given(USES, st.integers(1, 100))
def test_only_calls_that_the_credit_reaches_are_kept(uses, granted) -> None:
    order = CreditOrder(granted)
    for use in uses:
        order.add(*use)
        assert len(order.shares()) <= granted
