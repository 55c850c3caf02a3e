"""The stock of numbers: given in order from the operator's own ranges, never twice (N1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class OwnRange(NamedTuple):
    """Numbers from `first` to `last`, both included; E.164 of equal length."""

    first: str
    last: str

    def __contains__(self, number: object) -> bool:
        return isinstance(number, str) and len(number) == len(self.first) and self.first <= number <= self.last


def without(ranges: Iterable[OwnRange], number: str) -> list[OwnRange]:
    """The ranges but for one number, which the service uses itself."""
    left: list[OwnRange] = []
    for own in ranges:
        if number in own:
            parts = (OwnRange(own.first, f"+{int(number) - 1}"), OwnRange(following(number), own.last))
            left += [part for part in parts if part.first <= part.last]
        else:
            left.append(own)
    return left


def following(number: str) -> str:
    """The next number in order: `+815050010001` after `+815050010000`; one digit more after all nines."""
    return f"+{int(number) + 1}"


def first_free(position: str, last: str, used: Iterable[str]) -> str | None:
    """The lowest number from `position` to `last` that is not in `used`; None when all are.

    `used` must be in order and hold no number below `position`.
    """
    candidate = position
    for number in used:
        if number != candidate:
            break
        candidate = following(candidate)
    return candidate if len(candidate) == len(last) and candidate <= last else None
