"""Prices of many dialled numbers at once (N4, T2).

Number plan and tariff decide by beginnings of a number. Between two neighbouring beginnings all numbers of one length
have one price, which is asked for once, of the functions that rate live calls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import date

import numpy as np

from denwa.numbering import NumberingPlan, Reading, Refusal
from denwa.rating.files.decoding import DIALLED_DIGITS, LONGEST_DIALLED
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import NoPriceError, Price, Tariff

_UNKNOWN, ALONE = -1, -2
_HOME, _ABROAD = "+81", "010"
_JAPAN_ABROAD = "01081"  # behind it any rule of Japan's numbers may decide


class DialledPrices:
    """Prices by one state of the number plan and one tariff."""

    def __init__(self, plan: NumberingPlan, tariff: Tariff, on: date, index_of: Callable[[Price], int]) -> None:
        """`on`: any day on which both are in force. `index_of` numbers the prices."""
        self._plan = plan
        self._tariff = tariff
        self._on = on
        self._index_of = index_of
        beginnings = {*plan.beginnings_on(on)[1], *_dialled_ranges(tariff), _JAPAN_ABROAD}
        spans = [_span(beginning) for beginning in beginnings if beginning.isdigit()]
        self._starts = np.array(sorted({0, *(place for span in spans for place in span)}), np.int64)
        self._prices = np.full((len(self._starts), LONGEST_DIALLED + 1), _UNKNOWN, np.int64)
        for beginning in beginnings:
            if len(beginning) > DIALLED_DIGITS or beginning == _JAPAN_ABROAD:
                first, end = _span(beginning)
                self._prices[bisect_left(self._starts, first) : bisect_left(self._starts, end)] = ALONE

    def find(self, numbers: Ints, lengths: Ints) -> Ints:
        """Index of the price by the first ten digits and the length; ALONE: `price` must be asked for the number."""
        places = np.searchsorted(self._starts, numbers, "right") - 1
        found = self._prices[places, lengths]
        unknown = np.flatnonzero(found == _UNKNOWN)
        if len(unknown):
            for place, length in set(zip(places[unknown].tolist(), lengths[unknown].tolist(), strict=True)):
                self._prices[place, length] = self._ask(int(self._starts[place]), length)
            found = self._prices[places, lengths]
        return found

    def price(self, dialled: str) -> int:
        """Index of the price of one dialled number. Raises RowFault."""
        number_class = self._plan.class_of(dialled, self._on)
        if isinstance(number_class, Refusal):
            raise RowFault(f"dialed {dialled!r}: {number_class.text}")
        number = ""
        if self._tariff.ranges:
            reading = self._plan.read(dialled, self._on)
            number = reading.number.e164 if isinstance(reading, Reading) else ""
        try:
            return self._index_of(self._tariff.price(number_class, number))
        except NoPriceError as fault:
            raise RowFault(str(fault)) from None

    def _ask(self, number: int, length: int) -> int:
        """One number stands for all of its length between two beginnings."""
        try:
            return self.price(f"{number:0{DIALLED_DIGITS}}".ljust(length, "0"))
        except RowFault:
            return ALONE


def _dialled_ranges(tariff: Tariff) -> set[str]:
    """How numbers in ranges with a price of their own (E.164) begin when they are dialled."""
    ranges = {beginning for prices in tariff.ranges.values() for beginning in prices}
    return {
        "0" + beginning[len(_HOME) :] if beginning.startswith(_HOME) else _ABROAD + beginning[1:]
        for beginning in ranges
    }


def _span(beginning: str) -> tuple[int, int]:
    """What begins so, as half-open interval of ten digits."""
    first = int(beginning[:DIALLED_DIGITS].ljust(DIALLED_DIGITS, "0"))
    return first, first + 10 ** max(0, DIALLED_DIGITS - len(beginning))
