"""Money is whole yen, an `int`, tax excluded unless a name says otherwise. No float ever touches it."""

from __future__ import annotations

from typing import TypeAlias

Yen: TypeAlias = int


def whole_yen(value: object) -> Yen:
    """`value` if it is an amount of money; TypeError for anything that is no int (a float, a bool, a text)."""
    if type(value) is not int:
        raise TypeError(f"money is whole yen (int), not {value!r}")
    return value


def cut_fraction(numerator: int, denominator: int) -> Yen:
    """`numerator / denominator` with the fraction of a yen cut off (約款 料金表 通則 5), towards zero."""
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, not {denominator}")
    magnitude = abs(numerator) // denominator
    return magnitude if numerator >= 0 else -magnitude
