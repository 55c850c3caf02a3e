"""The result of a computation of the contract: amounts by tax class, and the working that a person can follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from denwa.rating.money import Yen
from denwa.rating.tariff import TaxClass


class ArithmeticRefusal(Exception):
    """What is known does not allow the computation; the text says what is missing."""


class Computed(NamedTuple):
    """Amounts in yen, tax excluded, + = the subscriber owes. Classes that come to 0 are left out."""

    amounts: Mapping[TaxClass, Yen]
    steps: tuple[str, ...]

    @property
    def yen(self) -> Yen:
        """The sum over all tax classes."""
        return sum(self.amounts.values())

    def text(self) -> str:
        """The working in one line."""
        return "; ".join(self.steps)


def computed(amounts: Mapping[TaxClass, Yen], *steps: str) -> Computed:
    """A result without the classes that come to nothing."""
    return Computed({tax: yen for tax, yen in amounts.items() if yen}, steps)
