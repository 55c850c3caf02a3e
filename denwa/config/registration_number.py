"""The registration number of an issuer of qualified invoices: T and 13 digits (消費税法 第57条の2; K3)."""

from __future__ import annotations

import re

_FORM = re.compile(r"T[0-9]{13}", re.ASCII)


def check_digit(base: str) -> int:
    """The first of the 13 digits, from the 12 others (法人番号の指定等に関する省令 第2条).

    9 - (Σ P × Q mod 9), P being the digits from the last to the first, Q 1 and 2 in turn. ValueError unless 12 digits.
    """
    if not (len(base) == 12 and base.isascii() and base.isdigit()):
        raise ValueError(f"{base!r} is not 12 digits")
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(base)))
    return 9 - total % 9


def checked_registration_number(text: str) -> str:
    """`text` if it is a registration number whose check digit is right; ValueError that says what is wrong."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is no registration number: T and 13 digits")
    right = check_digit(text[2:])
    if int(text[1]) != right:
        raise ValueError(f"{text!r} is no registration number: its check digit is {text[1]}, but should be {right}")
    return text
