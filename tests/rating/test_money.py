import pytest

from denwa.rating.money import cut_fraction, whole_yen


@pytest.mark.parametrize("value", [1.0, "8", True, None])
def test_what_is_no_int_is_no_money(value: object) -> None:
    with pytest.raises(TypeError, match="whole yen"):
        whole_yen(value)


def test_fractions_are_cut_towards_zero() -> None:
    assert [cut_fraction(n, 100) for n in (199, 100, 99, -99, -199)] == [1, 1, 0, 0, -1]


def test_a_denominator_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        cut_fraction(1, 0)
