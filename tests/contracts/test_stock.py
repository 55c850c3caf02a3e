"""Numbers in order (N1)."""

from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.stock import OwnRange, first_free, following, without

RANGE = OwnRange("+815050010000", "+815050019999")


def number(n: int) -> str:
    return f"+81505001{n:04d}"


def test_the_next_number_follows_across_a_carry() -> None:
    assert following("+815050010999") == "+815050011000"


def test_a_number_belongs_to_a_range_only_with_all_its_digits() -> None:
    assert "+815050010000" in RANGE
    assert "+815050019999" in RANGE
    assert "+815050020000" not in RANGE
    assert "+81505001000" not in RANGE
    assert "+8150500100001" not in RANGE


@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_the_lowest_number_never_given_comes_next(used: set[int], last: int) -> None:  # N1
    found = first_free(number(0), number(last), [number(n) for n in sorted(used) if n <= last])
    free = [n for n in range(last + 1) if n not in used]
    assert found == (number(free[0]) if free else None)


def test_a_range_that_is_all_nines_ends() -> None:
    assert first_free("+815099999999", "+815099999999", ["+815099999999"]) is None
    assert first_free(following("+815099999999"), "+815099999999", []) is None


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 14))
def test_a_range_without_a_number_is_all_its_others_in_order(first: int, size: int, taken: int) -> None:  # N1
    left = without([OwnRange(number(first), number(first + size))], number(taken))
    given_ = [n for n in range(30) if any(number(n) in own for own in left)]
    assert given_ == [n for n in range(first, first + size + 1) if n != taken]
    assert [own.first for own in left] == sorted(own.first for own in left)
