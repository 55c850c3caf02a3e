"""SIP account, password and the digest's HA1 (N2; RFC 7616 §3.4.2, RFC 8760)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from denwa.contracts.faults import ContractFault, Reason

RandomBytes = Callable[[int], bytes]

# 32 signs that are not taken for one another on a phone's screen: 5 bits each, no bias from a byte.
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_PASSWORD_LENGTH = 16  # 80 bits
_LONGEST_PASSWORD = 128
_PREFIX_050 = "+8150"


def account_of(number: str) -> str:
    """The SIP user name of an own number (E.164): the 8 digits after 050 (N2)."""
    digits = number.removeprefix(_PREFIX_050)
    if digits == number or len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        raise ContractFault(Reason.NOT_OWN_NUMBER, f"{number} is not an 050 number")
    return digits


def generate_sip_password(random_bytes: RandomBytes) -> str:
    """A password of 16 lower-case letters and digits; `random_bytes` must be fit for secrets."""
    return "".join(_ALPHABET[byte & 31] for byte in random_bytes(_PASSWORD_LENGTH))


def check_sip_password(password: str) -> str:
    """A password given by the operator: 1 to 128 visible ASCII signs, as every phone can enter and hash alike."""
    if not 1 <= len(password) <= _LONGEST_PASSWORD or not all("!" <= sign <= "~" for sign in password):
        raise ContractFault(
            Reason.BAD_VALUE, f"SIP password: 1 to {_LONGEST_PASSWORD} visible ASCII characters without spaces"
        )
    return password


def ha1(account: str, realm: str, password: str) -> tuple[str, str]:
    """H(username:realm:password) as hex, by MD5 and by SHA-256. MD5 is what phones in the field need (R1)."""
    text = f"{account}:{realm}:{password}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest(), hashlib.sha256(text).hexdigest()
