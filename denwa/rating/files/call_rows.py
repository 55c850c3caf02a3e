"""Rates rows of the calls file, but for credit and for calls that come twice: those take the whole file.

Rows spelled as usual are rated all at once. Every other row is rated alone, and that is also what says why a row cannot
be rated. Both ask the functions that rate live calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from denwa.rating.billing_month import tokyo_day
from denwa.rating.charge import NETWORK_FAULT, units_of
from denwa.rating.csv_rows import is_text
from denwa.rating.files.contracts import Contracts
from denwa.rating.files.csv_blocks import Block
from denwa.rating.files.days import DAY_MS, NO_TARIFF, TOKYO_MS, Days
from denwa.rating.files.dialled_prices import ALONE, leading_digits
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Fields, Flags, Ints, equal, short_numbers
from denwa.rating.files.moments import Moments
from denwa.rating.moment import MomentError, parse_moment
from denwa.rating.ports import CHARGED_LEGS

CALL_COLUMNS = ("call_id", "subscriber", "dialed", "leg", "answered_at", "duration_ms", "end_cause")
LONGEST_MS = 10**11  # three years: a longer call is a fault of whoever wrote the file
LONGEST_KEY = 128  # bytes of a call id that is sorted with millions of others
_LEGS = sorted(CHARGED_LEGS)  # legs of one call are sorted by name
_ASCII = 128


class RatedCall(NamedTuple):
    """One row, rated. What is an index is one in `Contracts` or `Days`. Sorts as the rated file is sorted."""

    call_id: bytes
    leg: int
    contract: int
    line: int
    ended_ms: int
    duration_ms: int
    units: int
    price: int
    month: int


_NUMBERS: list[tuple[str, type[Any]]] = [
    ("leg", np.int32), ("contract", np.int32), ("line", np.int64), ("ended_ms", np.int64), ("duration_ms", np.int64),
    ("units", np.int64), ("price", np.int32), ("month", np.int32),
]  # fmt: skip
Records: TypeAlias = npt.NDArray[Any]  # rows as RatedCall has them


def record_type(width: int) -> np.dtype[np.void]:
    """Records with call ids of up to `width` bytes (a multiple of 8), filled up with NUL."""
    return np.dtype([("call_id", f"S{width}"), *_NUMBERS])


class CallRows:
    """Rates rows against the contracts."""

    def __init__(self, contracts: Contracts, days: Days) -> None:
        self._contracts = contracts
        self._days = days
        self._moments = Moments()

    def rate(self, row: tuple[str, ...], line: int) -> RatedCall:
        """One row (CALL_COLUMNS). Raises RowFault."""
        call_id, subscriber, dialed, leg, answered_at, duration, end_cause = row
        contract = self._contracts.index_of(subscriber)
        if leg not in _LEGS:
            raise RowFault(f"leg {leg!r} is not outgoing or forwarded")
        # As many digits as a number can have are looked at before it is made.
        if not (duration.isascii() and duration.isdigit() and len(duration.lstrip("0")) <= 12):
            raise RowFault(f"duration_ms {duration!r} is not a whole number from 0 to {LONGEST_MS}")
        duration_ms = int(duration.lstrip("0") or "0")
        if duration_ms > LONGEST_MS:
            raise RowFault(f"duration_ms {duration!r} is not a whole number from 0 to {LONGEST_MS}")
        if not end_cause:
            raise RowFault("end_cause is empty")
        if not call_id or "\0" in call_id or not is_text(call_id):
            raise RowFault("call_id is empty or no text")
        try:
            answered_ms = parse_moment(answered_at)
        except MomentError as fault:
            raise RowFault(f"answered_at: {fault}") from None
        start_ms = int(self._contracts.start_ms[contract])
        if answered_ms < start_ms:
            raise RowFault(f"answered before the contract started ({tokyo_day(start_ms)})")
        day = self._days.index_of((answered_ms + TOKYO_MS) // DAY_MS)
        price = self._days.dialled_on(day).price(dialed)
        units = units_of(duration_ms, self._days.prices[price].unit_ms, end_cause)
        month = int(self._days.month_of[day, self._contracts.bill_day[contract]])
        ended_ms = answered_ms + duration_ms
        key = call_id.encode()
        return RatedCall(key, _LEGS.index(leg), contract, line, ended_ms, duration_ms, units, price, month)

    def rate_block(self, block: Block) -> tuple[Records, Ints]:
        """(rated rows, those to be rated alone) of the rows in `block.columns`."""
        call_id, subscriber, dialed, leg, answered_at, duration, end_cause = block.columns
        contract, ok = self._contracts.find(subscriber)
        answered_ms, fine = self._moments.read(answered_at)
        ok &= fine
        duration_ms, fine = short_numbers(duration)
        ok &= fine
        legs, fine = _legs(leg)
        ok &= fine & (end_cause.lengths > 0) & (call_id.lengths > 0) & (call_id.lengths <= LONGEST_KEY)
        # From here on, rows that are not ok have any value that does no harm.
        contract = np.where(ok, contract, 0)
        answered_ms = np.where(ok, answered_ms, 0)
        if len(self._contracts):
            ok &= answered_ms >= self._contracts.start_ms[contract]
        day = self._days.find((answered_ms + TOKYO_MS) // DAY_MS)
        price, fine = self._prices(dialed, day)
        ok &= fine
        rows, alone = np.flatnonzero(ok), np.flatnonzero(~ok)
        rated = np.empty(len(rows), record_type(_width(int(call_id.lengths[rows].max(initial=1)))))
        _put_call_ids(rated, block.text, call_id.at(rows))
        contract, day, price, duration_ms = contract[rows], day[rows], price[rows], duration_ms[rows]
        rated["line"] = block.lines[rows]
        rated["leg"] = legs[rows]
        rated["contract"] = contract
        rated["ended_ms"] = answered_ms[rows] + duration_ms
        rated["duration_ms"] = duration_ms
        rated["price"] = price
        rated["month"] = self._days.month_of[day, self._contracts.bill_day[contract]]
        rated["units"] = self._units(duration_ms, price, equal(end_cause, NETWORK_FAULT)[rows])
        return rated, alone

    def _prices(self, dialed: Fields, day: Ints) -> tuple[Ints, Flags]:
        number, ok = leading_digits(dialed)
        lengths = np.where(ok, dialed.lengths, 0)
        number = np.where(ok, number, 0)
        dialled = self._days.dialled_of[day]
        ok &= dialled != NO_TARIFF
        found = np.full(len(day), ALONE, np.int64)
        for index in np.flatnonzero(np.bincount(dialled[ok])).tolist():
            rows = ok & (dialled == index)
            found[rows] = self._days.dialled[index].find(number[rows], lengths[rows])
        return found, found != ALONE

    def _units(self, duration_ms: Ints, price: Ints, network_fault: Flags) -> Ints:
        """T1, T3: `units_of` for many calls."""
        lengths = np.array([price.unit_ms for price in self._days.prices], np.int64)
        unit_ms: Any = int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else lengths[price]
        units: Ints = duration_ms // unit_ms
        units += (duration_ms != units * unit_ms) & ~network_fault
        return units


def _legs(column: Fields) -> tuple[Ints, Flags]:
    values = np.zeros(len(column.starts), np.int64)
    ok = np.zeros(len(column.starts), np.bool_)
    for value, leg in enumerate(_LEGS):
        rows = equal(column, leg)
        ok |= rows
        values[rows] = value
    return values, ok


def _width(length: int) -> int:
    return -(-length // 8) * 8


def _put_call_ids(rated: Records, text: bytearray, column: Fields) -> None:
    width = rated.dtype["call_id"].itemsize
    letters = np.lib.stride_tricks.sliding_window_view(np.frombuffer(text, np.uint8), width)[column.starts]
    letters[np.arange(width) >= column.lengths[:, None]] = 0
    rated["call_id"] = letters.view(f"S{width}")[:, 0]


def records_of(calls: list[RatedCall]) -> Records:
    """Calls that were rated alone, none with a call id of more than LONGEST_KEY bytes."""
    width = _width(max((len(call.call_id) for call in calls), default=1))
    made = np.empty(len(calls), record_type(width))
    for name in RatedCall._fields:
        made[name] = [getattr(call, name) for call in calls]
    return made
