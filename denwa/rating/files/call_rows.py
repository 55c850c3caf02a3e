"""Rates rows of the calls file, but for credit and for calls that come twice: those take the whole file.

Rows spelled as usual are rated all at once. Every other row is rated alone, and that is also what says why a row cannot
be rated. Both ask the functions that rate live calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from denwa.rating.billing_month import tokyo_day
from denwa.rating.charge import units_of
from denwa.rating.csv_rows import is_text
from denwa.rating.files.contracts import Contracts
from denwa.rating.files.days import DAY_MS, NO_TARIFF, TOKYO_MS, Days
from denwa.rating.files.decoding import LEGS, Decoded
from denwa.rating.files.dialled_prices import ALONE
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Fields, Flags, Ints
from denwa.rating.moment import MomentError, parse_moment

NO_RUN = 255  # `source` of a call that was in no sorted run
LONGEST_MS = 10**11  # three years: a longer call is a fault of whoever wrote the file


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


# As small as can be, for a file of them is written and read; in words, because they are copied as words. `Days` sees to
# it that prices and units fit. `source`: which of the runs that are merged a call comes from.
_NUMBERS: list[tuple[str, type[Any]]] = [
    ("leg", np.uint8), ("source", np.uint8), ("price", np.uint16), ("month", np.uint32), ("contract", np.int32),
    ("units", np.uint32), ("line", np.int64), ("ended_ms", np.int64), ("duration_ms", np.int64),
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

    def rate(self, row: tuple[str, ...], line: int) -> RatedCall:
        """One row (CALL_COLUMNS). Raises RowFault."""
        call_id, subscriber, dialed, leg, answered_at, duration, end_cause = row
        contract = self._contracts.index_of(subscriber)
        if leg not in LEGS:
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
        return RatedCall(key, LEGS.index(leg), contract, line, ended_ms, duration_ms, units, price, month)

    def rate_block(self, rows: Decoded) -> tuple[Records, Ints]:
        """(rated rows, indices of those to be rated alone)."""
        contract = self._contracts.find(rows.subscriber)
        ok = rows.ok & (contract >= 0)
        # From here on, rows that are not ok have any value that does no harm.
        contract = np.where(ok, contract, 0)
        answered_ms = np.where(ok, rows.answered_ms, 0)
        if len(self._contracts):
            ok &= answered_ms >= self._contracts.start_ms[contract]
        day = self._days.find((answered_ms + TOKYO_MS) // DAY_MS)
        price, fine = self._prices(rows, ok, day)
        ok &= fine
        alone = np.flatnonzero(~ok)
        call_id, lines, leg = rows.call_id, rows.lines, rows.leg
        duration_ms, fault = rows.duration_ms, rows.network_fault
        if len(alone):
            usual = np.flatnonzero(ok)
            call_id, lines, leg = call_id.at(usual), lines[usual], leg[usual]
            contract, answered_ms, day, price = contract[usual], answered_ms[usual], day[usual], price[usual]
            duration_ms, fault = duration_ms[usual], fault[usual]
        rated = np.empty(len(lines), record_type(_width(int(call_id.lengths.max(initial=1)))))
        rated["call_id"] = _call_ids(call_id, rated.dtype["call_id"].itemsize)
        rated["line"] = lines
        rated["leg"] = leg
        rated["contract"] = contract
        rated["ended_ms"] = answered_ms + duration_ms
        rated["duration_ms"] = duration_ms
        rated["price"] = price
        rated["month"] = self._days.month_of[day, self._contracts.bill_day[contract]]
        rated["units"] = self._units(duration_ms, price, fault)
        return rated, alone

    def _prices(self, rows: Decoded, ok: Flags, day: Ints) -> tuple[Ints, Flags]:
        lengths = np.where(ok, rows.dialled_length, 0)
        number = np.where(ok, rows.dialled, 0)
        dialled = self._days.dialled_of[day]
        ok = ok & (dialled != NO_TARIFF)
        found = np.full(len(day), ALONE, np.int64)
        for index in np.flatnonzero(np.bincount(dialled[ok])).tolist():
            prices = self._days.dialled[index]
            mine = ok & (dialled == index)
            if mine.all():
                found = prices.find(number, lengths)
            else:
                found[mine] = prices.find(number[mine], lengths[mine])
        return found, found != ALONE

    def _units(self, duration_ms: Ints, price: Ints, network_fault: Flags) -> Ints:
        """T1, T3: `units_of` for many calls."""
        lengths = np.array([price.unit_ms for price in self._days.prices], np.int64)
        unit_ms: Any = int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else lengths[price]
        units: Ints = duration_ms // unit_ms
        units += (duration_ms != units * unit_ms) & ~network_fault
        return units


def _width(length: int) -> int:
    return -(-length // 8) * 8


def _call_ids(column: Fields, width: int) -> npt.NDArray[np.bytes_]:
    text = np.frombuffer(column.text, np.uint8)
    letters = np.lib.stride_tricks.sliding_window_view(text, width)[column.starts]
    shortest = int(column.lengths.min(initial=width))
    letters[:, shortest:][np.arange(shortest, width) >= column.lengths[:, None]] = 0
    found: npt.NDArray[np.bytes_] = letters.view(f"S{width}")[:, 0]
    return found


def records_of(calls: list[RatedCall]) -> Records:
    """Calls that were rated alone, none with a call id of more than LONGEST_KEY bytes."""
    width = _width(max((len(call.call_id) for call in calls), default=1))
    made = np.empty(len(calls), record_type(width))
    made["source"] = NO_RUN
    for name in RatedCall._fields:
        made[name] = [getattr(call, name) for call in calls]
    return made
