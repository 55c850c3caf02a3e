"""The contracts of a subscribers file: columns, because there may be very many."""

from __future__ import annotations

from array import array
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from denwa.numbering import NumberFault, PhoneNumber
from denwa.rating.billing_month import midnight_ms
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import TariffBook

_NUMBER_DIGITS = 11  # 050 and eight more
_NO_NUMBER = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: spreads numbers that follow one another


class ContractsRead:
    """Takes the rows; `contracts` closes it."""

    def __init__(self, tariffs: TariffBook) -> None:
        self._places: dict[str, int] = {}  # in the columns
        self._columns = tuple(array("q") for _ in range(3))
        self._faulty: dict[str, int] = {}  # number -> line of a row that cannot be used
        self._start = lru_cache(maxsize=4096)(lambda day: (midnight_ms(day), tariffs.credit_at_start(day)))

    def add(self, line: int, number: str, service_start: str, bill_day: str) -> None:
        """A row. Raises RowFault; calls of a faulty row are rejected later."""
        try:
            national = PhoneNumber.parse(number).national()
        except NumberFault as fault:
            raise RowFault(f"number {number!r}: {fault}") from None
        try:
            if national in self._places or national in self._faulty:
                raise RowFault(f"{national} comes twice")
            start = date.fromisoformat(service_start)
            if not (bill_day.isascii() and bill_day.isdigit() and 1 <= int(bill_day) <= 28):
                raise RowFault(f"bill_day {bill_day!r} is not 1–28")
        except ValueError:
            self._faulty[national] = line
            raise RowFault(f"service_start {service_start!r} is no ISO date") from None
        except RowFault:
            self._faulty.setdefault(national, line)
            self._places.pop(national, None)  # which of the two is meant is not guessed
            raise
        self._places[national] = len(self._columns[0])
        for column, value in zip(self._columns, (*self._start(start), int(bill_day)), strict=True):
            column.append(value)

    def contracts(self) -> Contracts:
        """All that can be used, in order of their numbers. To be called once."""
        numbers = np.array(sorted(self._places), "S")
        order = np.array([self._places[number] for number in sorted(self._places)], np.int64)
        self._places = {}
        start_ms, credit_yen, bill_day = (np.array(column, np.int64)[order] for column in self._columns)
        return Contracts(numbers, start_ms, credit_yen, bill_day, self._faulty)


class Contracts:
    """Contracts by index, which grows with the number (national, `numbers`)."""

    def __init__(
        self, numbers: npt.NDArray[np.bytes_], start_ms: Ints, credit_yen: Ints, bill_day: Ints, faulty: dict[str, int]
    ) -> None:
        self.numbers = numbers
        self.start_ms = start_ms
        self.credit_yen = credit_yen
        self.bill_day = bill_day
        self._faulty = faulty
        usual = np.strings.str_len(numbers) == _NUMBER_DIGITS
        self._places = _Places(np.where(usual, np.where(usual, numbers, b"0").astype(np.int64), _NO_NUMBER))

    def __len__(self) -> int:
        return len(self.numbers)

    def find(self, numbers: Ints) -> Ints:
        """Indices of the contracts of numbers of eleven digits, given without the leading 0; -1: there is none."""
        return self._places.find(numbers)

    def index_of(self, subscriber: str) -> int:
        """The contract of a number in any spelling (N3). Raises RowFault."""
        try:
            national = PhoneNumber.parse(subscriber).national()
        except NumberFault as fault:
            raise RowFault(f"subscriber {subscriber!r}: {fault}") from None
        index = int(np.searchsorted(self.numbers, national.encode()))
        if index < len(self.numbers) and self.numbers[index].decode() == national:
            return index
        if national in self._faulty:
            raise RowFault(f"the row of subscriber {national} (line {self._faulty[national]}) cannot be used")
        raise RowFault(f"subscriber {national} is not in the subscribers file")


class _Places:
    """A hash table (open addressing) from number to index, for many at once."""

    def __init__(self, numbers: Ints) -> None:
        self._numbers = np.append(numbers, _NO_NUMBER)  # the last stands for "none" (index -1)
        self._bits = max(4, (4 * len(numbers)).bit_length())
        self._table = np.full(1 << self._bits, -1, np.int32)
        waiting = np.flatnonzero(numbers != _NO_NUMBER)
        places = self._first(numbers[waiting])
        while len(waiting):
            free = self._table[places] < 0
            self._table[places[free]] = waiting[free]
            left = self._table[places] != waiting
            waiting, places = waiting[left], self._next(places[left])

    def find(self, numbers: Ints) -> Ints:
        """Index of each number, -1 for those that are not there."""
        places = self._first(numbers)
        found = self._table[places].astype(np.int64)
        rows = np.flatnonzero((found >= 0) & (self._numbers[found] != numbers))
        while len(rows):
            places[rows] = self._next(places[rows])
            found[rows] = self._table[places[rows]]
            rows = rows[(found[rows] >= 0) & (self._numbers[found[rows]] != numbers[rows])]
        return found

    def _first(self, numbers: Ints) -> Ints:
        return ((numbers.view(np.uint64) * _MIX) >> (64 - self._bits)).view(np.int64)

    def _next(self, places: Ints) -> Ints:
        return (places + 1) & (len(self._table) - 1)
