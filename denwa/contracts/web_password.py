"""My Page passwords: Argon2id over a keyed digest of the password (P1).

The password is first mixed with a pepper that lives outside the database, so that a copy of the database alone
allows no guessing at all. Two sets of costs: `STRONG` for a password set by a person, and `BULK` for an import,
where 100,000 passwords must be hashed in seconds; a `BULK` hash asks to be made again at its first login.
"""

from __future__ import annotations

import hmac

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from denwa.contracts.credentials import RandomBytes
from denwa.contracts.faults import ContractFault, Reason

LONGEST = 256
_SALT_BYTES = 16
STRONG = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, type=Type.ID)
BULK = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1, hash_len=32, type=Type.ID)


def check_web_password(password: str) -> str:
    """A password brought along by the operator: 1 to 256 characters, none of them a control character."""
    if not 1 <= len(password) <= LONGEST or not password.isprintable():
        raise ContractFault(Reason.BAD_VALUE, f"My Page password: 1 to {LONGEST} printable characters")
    return password


class WebPasswords:
    """Makes and checks the hashes. Safe to use from several threads; Argon2 runs without the interpreter's lock."""

    def __init__(self, pepper: bytes, random_bytes: RandomBytes) -> None:
        self._pepper = pepper
        self._random_bytes = random_bytes

    def hash(self, password: str, hasher: PasswordHasher = STRONG) -> str:
        return hasher.hash(self._mixed(password), salt=self._random_bytes(_SALT_BYTES))

    def verify(self, stored: str, password: str) -> bool:
        """False for a wrong password and for an account without one."""
        try:
            return STRONG.verify(stored, self._mixed(password))
        except (Argon2Error, InvalidHashError):
            return False

    def outdated(self, stored: str) -> bool:
        """The hash was made with other costs than STRONG: make it again while the password is at hand."""
        return STRONG.check_needs_rehash(stored)

    def _mixed(self, password: str) -> bytes:
        return hmac.digest(self._pepper, password.encode(), "sha256")
