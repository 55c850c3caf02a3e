"""The rated file: its calls are kept in order until all credit is known, and then written."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from denwa.rating.csv_rows import LINE_END, csv_line, quoted
from denwa.rating.files.call_rows import Records
from denwa.rating.files.credit_use import Shares
from denwa.rating.files.days import Days
from denwa.rating.files.fields import Ints

RATED_COLUMNS = ("call_id", "class", "units", "charge_yen", "credit_yen", "payable_yen", "period_start")
_KEPT = ["call_id", "price", "units", "month"]
_TABLED_UNITS = 1 << 12  # what calls of up to 34 hours cost is written once
_AT_ONCE = 1 << 14
_NEEDS_QUOTES = (b",", b'"', b"\n", b"\r")


class RatedFile:
    """`keep` calls in order, then `lines` once."""

    def __init__(self, folder: Path, days: Days) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115
        self._days = days
        self._blocks = 0
        self._texts: list[bytes] = []  # by price and units
        self._made = np.zeros(0, np.bool_)

    def keep(self, records: Records) -> None:
        """Calls that follow, in order, those that were kept before."""
        kept = np.empty(len(records), [(name, records.dtype[name]) for name in _KEPT])
        for name in _KEPT:
            kept[name] = records[name]
        np.save(self._file, kept, allow_pickle=False)
        self._blocks += 1

    def lines(self, shares: Shares) -> Iterator[tuple[int, bytes]]:
        """(calls, their lines), header first. `shares`: credit by place among the calls that were kept."""
        yield 0, csv_line(RATED_COLUMNS).encode()
        self._texts = [b""] * (len(self._days.prices) * _TABLED_UNITS)
        self._made = np.zeros(len(self._texts), np.bool_)
        months = [month.start.isoformat().encode() + LINE_END.encode() for month in self._days.months]
        first = 0
        self._file.seek(0)
        with self._file:
            for _ in range(self._blocks):
                block = np.load(self._file, allow_pickle=False)
                for start in range(0, len(block), _AT_ONCE):
                    part = block[start : start + _AT_ONCE]
                    count = len(part)
                    credited = slice(*np.searchsorted(shares.place, (first, first + count)))
                    places, credit = (shares.place[credited] - first).tolist(), shares.credit_yen[credited].tolist()
                    pieces = [b""] * (3 * count)
                    pieces[0::3] = _call_ids(part)
                    pieces[1::3] = self._amounts(part["price"], part["units"], dict(zip(places, credit, strict=True)))
                    pieces[2::3] = _each(months, part["month"])
                    yield count, b"".join(pieces)
                    first += count

    def _amounts(self, price: Ints, units: Ints, credit: dict[int, int]) -> list[bytes]:
        """`,class,units,charge,credit,payable,` of each call; `credit` by index."""
        tabled = units < _TABLED_UNITS
        keys = np.where(tabled, price.astype(np.int64) * _TABLED_UNITS + units, 0)
        for key in np.unique(keys[tabled & ~self._made[keys]]).tolist():
            self._texts[key] = self._amount(key // _TABLED_UNITS, key % _TABLED_UNITS, 0)
            self._made[key] = True
        result = _each(self._texts, keys)
        for index in {*np.flatnonzero(~tabled).tolist(), *credit}:
            result[index] = self._amount(int(price[index]), int(units[index]), credit.get(index, 0))
        return result

    def _amount(self, price_index: int, units: int, credit: int) -> bytes:
        price = self._days.prices[price_index]
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
