"""Tariffs: what 30 seconds to each class of number cost, and from which day (T2, T8)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from denwa.rating.money import Yen

# The classes a tariff prices, in the order they are listed to people: the values of numbering's NumberClass.
PRICED_CLASSES = ("on-net", "partner-050", "paid-050", "fixed", "mobile", "international")
INTERNATIONAL = "international"


class TaxClass(StrEnum):
    TAXED = "taxed"
    EXEMPT = "exempt"  # a call abroad: 料金表 通則 7 ただし書
    OUT_OF_SCOPE = "out-of-scope"  # 不課税: no price for a service, such as late interest; never the price of a call


class Price(NamedTuple):
    """One row of a tariff: `yen_per_unit` for every started `unit_ms` of a call to `number_class`."""

    number_class: str
    unit_ms: int
    yen_per_unit: Yen
    tax: TaxClass


class NoPriceError(LookupError):
    """No tariff is in force on the day, or it has no price for the class."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices in force from `valid_from` until `valid_to` or the next tariff of the same name."""

    name: str
    valid_from: date
    credit_yen: Yen  # T4: a new contract's first charges that are not billed
    prices: Mapping[str, Price]
    valid_to: date | None = None  # the last day; None: until the next tariff
    # Class → beginning of an E.164 number → its price, where a range has one of its own.
    ranges: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)

    def price(self, number_class: str, number: str = "") -> Price:
        """The price row of the longest range that `number` (E.164) is in, else of its class.

        NoPriceError when the tariff has none (never a free call by omission).
        """
        ranges = self.ranges.get(number_class)
        if ranges:
            for end in range(len(number), 1, -1):
                if number[:end] in ranges:
                    return ranges[number[:end]]
        try:
            return self.prices[number_class]
        except KeyError:
            raise NoPriceError(
                f"tariff {self.name} of {self.valid_from} has no price for class {number_class!r}"
            ) from None


class TariffBook:
    """Every dated tariff of one name. `on(day)` is the one in force (T8)."""

    def __init__(self, name: str, tariffs: Iterable[Tariff]) -> None:
        self.name = name
        self.tariffs = tuple(sorted(tariffs, key=lambda t: t.valid_from))
        if not self.tariffs:
            raise ValueError(f"tariff {name!r} has no dated prices")
        self._starts = [t.valid_from for t in self.tariffs]
        if len(set(self._starts)) != len(self._starts):
            raise ValueError(f"tariff {name!r} has two tables for one day")

    def on(self, day: date) -> Tariff:
        """The tariff in force on `day` (Asia/Tokyo); NoPriceError before the first and after the end of the last."""
        index = bisect_right(self._starts, day) - 1
        if index < 0:
            raise NoPriceError(f"no tariff {self.name!r} in force on {day} (the first is of {self._starts[0]})")
        found = self.tariffs[index]
        if found.valid_to is not None and day > found.valid_to:
            raise NoPriceError(f"no tariff {self.name!r} in force on {day} (the last one ended on {found.valid_to})")
        return found

    def credit_at_start(self, service_start: date) -> Yen:
        """T4: the credit of a contract that starts on `service_start`; the first tariff's before all tariffs."""
        return self.on(max(service_start, self._starts[0])).credit_yen
