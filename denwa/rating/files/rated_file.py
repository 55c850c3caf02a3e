"""The rated file, once all credit is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np

from denwa.rating.csv_rows import LINE_END, csv_line, quoted
from denwa.rating.files.call_rows import Records
from denwa.rating.files.credit_use import Shares
from denwa.rating.files.days import Days
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import Price

RATED_COLUMNS = ("call_id", "class", "units", "charge_yen", "credit_yen", "payable_yen", "period_start")
_TABLED_UNITS = 1 << 12  # what calls of up to 34 hours cost is written once
_AT_ONCE = 1 << 13
_NEEDS_QUOTES = (b",", b'"', b"\n", b"\r")


class RatedFile:
    """Writes calls that come in order."""

    def __init__(self, days: Days, shares: Shares, credited: Callable[[Ints, Ints, Ints, Ints], None]) -> None:
        """`shares`: credit by place among the calls. `credited` hears of contract, month, price and credit of those."""
        self._days = days
        self._shares = shares
        self._credited = credited
        self._months = [month.start.isoformat().encode() + LINE_END.encode() for month in days.months]
        self._texts = [b""] * (len(days.prices) * _TABLED_UNITS)  # by price and units
        self._made = np.zeros(len(self._texts), np.bool_)

    def lines(self, calls: Iterable[Records]) -> Iterator[tuple[int, bytes]]:
        """(calls, their lines), header first."""
        yield 0, csv_line(RATED_COLUMNS).encode()
        first = 0
        for block in calls:
            for start in range(0, len(block), _AT_ONCE):
                part = block[start : start + _AT_ONCE]
                yield len(part), self._text(part, first)
                first += len(part)

    def _text(self, part: Records, first: int) -> bytes:
        """The lines of some calls, of which the first has the place `first`."""
        shares = self._shares
        some = slice(*np.searchsorted(shares.place, (first, first + len(part))))
        rows, yen = shares.place[some] - first, shares.credit_yen[some]
        self._credited(shares.contract[some].astype(np.int64), part["month"][rows], part["price"][rows], yen)
        pieces = [b""] * (3 * len(part))
        pieces[0::3] = _call_ids(part)
        pieces[1::3] = self._amounts(part["price"], part["units"], rows, yen)
        pieces[2::3] = _each(self._months, part["month"])
        return b"".join(pieces)

    def _amounts(self, price: Ints, units: Ints, credited: Ints, credit: Ints) -> list[bytes]:
        """`,class,units,charge,credit,payable,` of each call; those that are `credited` with their credit."""
        tabled = units < _TABLED_UNITS
        keys = np.where(tabled, price.astype(np.int64) * _TABLED_UNITS + units, 0)
        for key in np.unique(keys[tabled & ~self._made[keys]]).tolist():
            self._texts[key] = _amount(self._days.prices[key // _TABLED_UNITS], key % _TABLED_UNITS, 0)
            self._made[key] = True
        result = _each(self._texts, keys)
        for index in np.flatnonzero(~tabled).tolist():
            result[index] = _amount(self._days.prices[int(price[index])], int(units[index]), 0)
        prices = self._days.prices
        rows = (credited.tolist(), price[credited].tolist(), units[credited].tolist(), credit.tolist())
        for index, price_index, count, yen in zip(*rows, strict=True):
            result[index] = _amount(prices[price_index], count, yen)
        return result


@lru_cache(maxsize=1 << 12)
def _amount(price: Price, units: int, credit: int) -> bytes:
    yen = units * price.yen_per_unit
    return f",{quoted(price.number_class)},{units},{yen},{credit},{yen - credit},".encode()


def _each(texts: list[bytes], indices: Any) -> list[bytes]:
    if len(indices) == 1:
        return [texts[int(indices[0])]]
    return list(itemgetter(*indices.tolist())(texts))


def _call_ids(records: Any) -> list[bytes]:
    call_ids: list[bytes] = records["call_id"].tolist()
    letters = records["call_id"].tobytes()
    if any(sign in letters for sign in _NEEDS_QUOTES):
        return [quoted(call_id.decode()).encode() for call_id in call_ids]
    return call_ids
