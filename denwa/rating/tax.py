"""T6: consumption tax on a month's taxed charges after credit, the fraction of a yen cut off."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from denwa.rating.money import Yen, cut_fraction


class TaxRate(NamedTuple):
    """Consumption tax (national and local together) in whole percent from a day on."""

    valid_from: date
    percent: int


class TaxRates:
    """Every rate there has been. The rate of a month is the one on its first day."""

    def __init__(self, rates: Iterable[TaxRate]) -> None:
        self.rates = tuple(sorted(rates))
        self._starts = [rate.valid_from for rate in self.rates]
        if len(set(self._starts)) != len(self._starts):
            raise ValueError("two tax rates for one day")

    def percent_on(self, first_day: date) -> int:
        """Percent for a billing month that begins on `first_day`; 0 before the first rate (no such tax then)."""
        index = bisect_right(self._starts, first_day) - 1
        return self.rates[index].percent if index >= 0 else 0

    def tax_on(self, taxed_yen: Yen, first_day: date) -> Yen:
        """Tax on the month's sum of taxed charges after credit. Rounded once, here."""
        return cut_fraction(taxed_yen * self.percent_on(first_day), 100)
