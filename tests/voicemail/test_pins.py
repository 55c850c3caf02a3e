"""PINs of voicemail boxes: which can be set, and how long wrong tries shut a box."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voicemail.pins import FIRST_LOCK, LONGEST_LOCK, TRIES, PinFault, PinHashes, check_pin, lock_after

NUMBER = "+815050010001"


@pytest.mark.parametrize("pin", ["2718", "0707", "2718281828"])
def test_four_to_ten_digits_are_a_pin(pin: str) -> None:  # V6
    assert check_pin(pin, NUMBER) == pin


@pytest.mark.parametrize(
    "pin", ["", "123", "27182818281", "27a8", "２７１８", "-271", "1111", "4567", "9876", "0001", "50010001"]
)
def test_what_is_no_pin_or_guessed_at_once_is_refused(pin: str) -> None:
    with pytest.raises(PinFault):
        check_pin(pin, NUMBER)


def test_a_hash_opens_for_its_pin_its_number_and_its_key_only() -> None:
    hashes = PinHashes(b"k" * 32)
    stored = hashes.hash(NUMBER, "2718")
    assert "2718" not in stored
    assert hashes.verify(stored, NUMBER, "2718")
    assert not hashes.verify(stored, NUMBER, "2719")
    assert not hashes.verify(stored, "+815050010002", "2718")
    assert not PinHashes(b"x" * 32).verify(stored, NUMBER, "2718")
    assert not hashes.verify("", NUMBER, "2718")
    assert not hashes.verify("broken", NUMBER, "2718")


def test_every_fifth_wrong_try_shuts_the_box_and_longer_each_time() -> None:  # V6
    locks = [lock_after(n) for n in range(1, 4 * TRIES + 1)]
    assert [n for n, lock in enumerate(locks, 1) if lock] == [5, 10, 15, 20]
    assert [lock for lock in locks if lock] == [FIRST_LOCK, FIRST_LOCK * 2, FIRST_LOCK * 4, FIRST_LOCK * 8]


@given(st.integers(0, 10**6))
def test_no_lock_is_longer_than_a_day_nor_shorter_than_the_first(failures: int) -> None:
    lock = lock_after(failures)
    assert lock is None or FIRST_LOCK <= lock <= LONGEST_LOCK <= timedelta(days=1)
