"""What a call costs: a pure function that returns its working."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from denwa.rating.money import Yen
from denwa.rating.tariff import Price, Tariff

# T3: the only cause of an end that changes the charge.
NETWORK_FAULT = "network_fault"
FORWARDED = "forwarded"  # F4: the leg from the subscriber to where its calls are forwarded


class Charge(NamedTuple):
    """A charge with its working. `yen` is before credit; `credit_yen` of it is not billed (T4)."""

    duration_ms: int
    units: int
    price: Price
    tariff: str
    tariff_date: date
    yen: Yen
    credit_yen: Yen = 0
    unfinished_dropped: bool = False  # T3 took the unfinished unit away

    @property
    def payable_yen(self) -> Yen:
        return self.yen - self.credit_yen

    def with_credit(self, credit_yen: Yen) -> Charge:
        """The same charge with `credit_yen` (0 … `yen`) not billed; ValueError outside that range."""
        if not 0 <= credit_yen <= self.yen:
            raise ValueError(f"credit {credit_yen} is not within the charge of {self.yen} yen")
        return self._replace(credit_yen=credit_yen)

    def text(self) -> str:
        """For a person: `61.0 s → 3 × 30 s → 24 yen; credit 16; to pay 8`."""
        steps = [_seconds(self.duration_ms), f"{self.units} × {_unit(self.price.unit_ms)}", f"{self.yen} yen"]
        if self.unfinished_dropped:
            steps[1] += " (cut by a fault of the service: the unfinished unit is not counted)"
        return f"{' → '.join(steps)}; credit {self.credit_yen}; to pay {self.payable_yen}"

    def rules(self, leg: str = "") -> tuple[str, ...]:
        """The rules that decided: how units were counted, the price, who pays a forwarded leg, the credit."""
        used = ["T3" if self.unfinished_dropped else "T1", "T2"]
        return (*used, *["F4"] * (leg == FORWARDED), *["T4"] * (self.credit_yen != 0))

    def working(self, leg: str = "") -> str:
        """`text()` with the price row, the tariff with its date, and the rules.

        `61.0 s → 3 × 30 s → 24 yen; credit 16; to pay 8 [mobile 8 yen per 30 s, taxed; tariff default of 2000-01-01;
        T1, T2, T4]` in one line.
        """
        price = self.price
        row = f"{price.number_class} {price.yen_per_unit} yen per {_unit(price.unit_ms)}, {price.tax}"
        rules = ", ".join(self.rules(leg))
        return f"{self.text()} [{row}; tariff {self.tariff} of {self.tariff_date}; {rules}]"


def units_of(duration_ms: int, unit_ms: int, end_cause: str = "") -> int:
    """Units counted for a call of `duration_ms` (≥ 0): every started one (T1), for `network_fault` finished ones (T3).

    0 ms is 0 units. Raises ValueError for a negative duration.
    """
    if duration_ms < 0:
        raise ValueError(f"negative duration: {duration_ms} ms")
    return duration_ms // unit_ms if end_cause == NETWORK_FAULT else -(-duration_ms // unit_ms)


def charge_call(tariff: Tariff, number_class: str, duration_ms: int, end_cause: str, callee: str = "") -> Charge:
    """T1–T3: the charge of a call to `callee` (E.164) rated with `tariff`, before credit.

    NoPriceError, ValueError as their sources say.
    """
    price = tariff.price(number_class, callee)
    units = units_of(duration_ms, price.unit_ms, end_cause)
    dropped = end_cause == NETWORK_FAULT and duration_ms % price.unit_ms != 0
    return Charge(duration_ms, units, price, tariff.name, tariff.valid_from, units * price.yen_per_unit, 0, dropped)


def _seconds(duration_ms: int) -> str:
    seconds, millis = divmod(duration_ms, 1000)
    return f"{seconds}.{f'{millis:03d}'.rstrip('0') or '0'} s"


def _unit(unit_ms: int) -> str:
    return f"{unit_ms // 1000} s" if unit_ms % 1000 == 0 else f"{unit_ms} ms"
