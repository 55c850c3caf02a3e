"""A telephone number: E.164 inside, Japanese forms outside (N3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from denwa.numbering.spelling import (
    COUNTRY_CODE,
    INTERNATIONAL_PREFIX,
    NumberFault,
    canonical,
    dial_string,
)

_E164 = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
_HOME = "+" + COUNTRY_CODE
_ONE_DIGIT_CODES = frozenset("17")
# ITU-T E.164: country codes of two digits; every other has three. Stable since 1964, unlike what is behind them.
_TWO_DIGIT_CODES = frozenset(
    map(str, [20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67), *range(81, 83)])
) | frozenset(map(str, [84, 86, *range(90, 96), 98]))
_WEATHER = "177"  # N5: area code + 177 is a number though it is short


@dataclass(frozen=True, slots=True, order=True)
class PhoneNumber:
    """A complete number. ``e164``: ``+`` and 4 to 15 digits; anything else raises NumberFault."""

    e164: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.e164):
            raise NumberFault("not an E.164 number: '+' and at most 15 digits")

    @classmethod
    def parse(cls, text: str) -> PhoneNumber:
        """Read a number in any form of N3. Raises NumberFault, whose text says what is wrong.

        Whether the number can be called is another question: see NumberingPlan.read.
        """
        foreign, digits = canonical(dial_string(text))
        if foreign:
            _check_length(digits, 7, 15)
            return cls("+" + digits)
        if digits[0] not in "0*#":
            raise NumberFault("a number in Japan begins with 0 and the area code", incomplete=True)
        if not digits.isdigit():
            raise NumberFault("a number with * or # is a service, not a telephone number")
        if digits.startswith("00"):
            raise NumberFault("a number with a carrier's prefix (00XY) is not a telephone number")
        if not (digits.endswith(_WEATHER) and 5 <= len(digits) <= 8):
            _check_length(digits, *_national_length(digits))
        return cls(_HOME + digits[1:])

    @property
    def domestic(self) -> bool:
        """Whether it is a number of Japan."""
        return self.e164.startswith(_HOME)

    def national(self) -> str:
        """Digits as dialled in Japan: ``05050010001``; a foreign number behind 010."""
        if self.domestic:
            return "0" + self.e164[3:]
        return INTERNATIONAL_PREFIX + self.e164[1:]

    def grouped(self) -> str:
        """With hyphens: ``050-5001-0001``, ``03-1234-5678``, ``010-1-8085551234``.

        Fixed numbers outside 03 and 06 stay undivided: where their area code ends is the number plan's knowledge
        (NumberingPlan.grouped).
        """
        digits = self.national()
        if not self.domestic:
            code = country_code(self.e164)
            return f"{INTERNATIONAL_PREFIX}-{code}-{self.e164[1 + len(code) :]}"
        if len(digits) == 11 and digits[2] == "0":
            if digits.startswith("0800"):
                return f"{digits[:4]}-{digits[4:7]}-{digits[7:]}"
            return f"{digits[:3]}-{digits[3:7]}-{digits[7:]}"
        if len(digits) == 10 and digits[:2] in ("03", "06"):
            return f"{digits[:2]}-{digits[2:6]}-{digits[6:]}"
        if len(digits) == 10 and digits[:4] in ("0120", "0570", "0990", "0180"):
            return f"{digits[:4]}-{digits[4:7]}-{digits[7:]}"
        return digits

    def __str__(self) -> str:
        return self.e164


def country_code(e164: str) -> str:
    """The country code in front of an E.164 number: ``+8133…`` gives ``81``."""
    if e164[1] in _ONE_DIGIT_CODES:
        return e164[1]
    return e164[1:3] if e164[1:3] in _TWO_DIGIT_CODES else e164[1:4]


def _national_length(digits: str) -> tuple[int, int]:
    if digits.startswith("0200"):
        return 11, 14  # numbers of machines have 14 digits
    return (11, 11) if digits[2:3] == "0" else (10, 10)


def _check_length(digits: str, least: int, most: int) -> None:
    if len(digits) < least:
        raise NumberFault(f"the number is too short: {len(digits)} digits, not {least}", incomplete=True)
    if len(digits) > most:
        raise NumberFault(f"the number is too long: {len(digits)} digits, not {most}")
