"""PINs of voicemail boxes: what is a PIN, its hash, and how long a box is shut after wrong tries (V6).

A PIN has few digits, so the hash is keyed with a pepper that lives outside the database: a copy of the database alone
allows no guessing. Guessing by telephone is bounded by the lock-out.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from itertools import pairwise

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

LEAST, MOST = 4, 10  # digits
TRIES = 5  # wrong ones until the box is shut
FIRST_LOCK = timedelta(minutes=5)
LONGEST_LOCK = timedelta(hours=24)
FORGET_AFTER = timedelta(days=7)  # without a wrong try

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, type=Type.ID)


class PinFault(ValueError):
    """Not a PIN that can be set; the text says why."""


def check_pin(pin: str, number: str) -> str:
    """A PIN for the box of `number` (E.164): 4 to 10 digits, and none that is tried first. Raises PinFault."""
    if not (pin.isascii() and pin.isdigit() and LEAST <= len(pin) <= MOST):
        raise PinFault(f"a PIN has {LEAST} to {MOST} digits")
    steps = {int(two) - int(one) for one, two in pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        raise PinFault("a PIN of equal digits, or of digits in a row, is guessed at once")
    if number.endswith(pin):
        raise PinFault("the end of the own number is guessed at once")
    return pin


def lock_after(failures: int) -> timedelta | None:
    """For how long a box is shut after its `failures`th wrong try: every fifth, and longer each time."""
    if failures < TRIES or failures % TRIES:
        return None
    doubled = min(failures // TRIES - 1, 20)
    return min(FIRST_LOCK * int(2**doubled), LONGEST_LOCK)


class PinHashes:
    """Makes and checks the hashes; a check takes as long whether there is a PIN or not. Safe between threads."""

    def __init__(self, key: bytes) -> None:
        self._pepper = hmac.digest(key, b"voicemail PIN", "sha256")
        self._nobody = self.hash("+", secrets.token_hex(8))

    def hash(self, number: str, pin: str) -> str:
        return _HASHER.hash(self._mixed(number, pin))

    def verify(self, stored: str, number: str, pin: str) -> bool:
        """`stored` "" for a box without a PIN: then never."""
        try:
            return _HASHER.verify(stored or self._nobody, self._mixed(number, pin)) and bool(stored)
        except (Argon2Error, InvalidHashError):
            return False

    def _mixed(self, number: str, pin: str) -> bytes:
        return hmac.digest(self._pepper, f"{number}:{pin}".encode(), "sha256")
