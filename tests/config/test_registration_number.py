"""K3: the issuer's registration number, T and 13 digits with a check digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.config.registration_number import check_digit, checked_registration_number

BASES = st.integers(0, 10**12 - 1).map(lambda n: f"{n:012d}")


def test_the_check_digit_of_a_known_corporate_number_is_right() -> None:
    assert check_digit("000012050002") == 7  # 国税庁, 7000012050002
    assert checked_registration_number("T7000012050002") == "T7000012050002"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "T",
        "7000012050002",
        "T700001205000",
        "T70000120500022",
        "t7000012050002",
        "T７000012050002",
        "T7000012050002\n",
    ],
)
def test_what_is_not_t_and_13_digits_is_refused(text: str) -> None:  # K3
    with pytest.raises(ValueError, match="T and 13 digits"):
        checked_registration_number(text)


def test_a_wrong_check_digit_is_named_with_the_right_one() -> None:  # K3
    with pytest.raises(ValueError, match="its check digit is 8, but should be 7"):
        checked_registration_number("T8000012050002")


@given(BASES)
def test_the_check_digit_is_1_to_9_and_only_that_one_is_taken(base: str) -> None:
    right = check_digit(base)
    assert 1 <= right <= 9
    assert checked_registration_number(f"T{right}{base}") == f"T{right}{base}"
    for wrong in set(range(10)) - {right}:
        with pytest.raises(ValueError, match=f"should be {right}"):
            checked_registration_number(f"T{wrong}{base}")


@given(BASES, st.integers(0, 11), st.integers(1, 8))
def test_one_misread_digit_is_found_unless_9_was_read_as_0(base: str, place: int, by: int) -> None:
    other = (int(base[place]) + by) % 10
    if {other, int(base[place])} == {0, 9}:
        return
    assert check_digit(base[:place] + str(other) + base[place + 1 :]) != check_digit(base)
