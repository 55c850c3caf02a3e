"""T4 for very many contracts at once: the same as a `CreditOrder` for each, in columns.

Keeps no more than the calls that the credit of their contract reaches, and those offered since the last look.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from denwa.rating.files.fields import Ints

_LEAST_WAITING = 1 << 17
_FOREVER = 2**63 - 1


class _Uses(NamedTuple):
    """Charged calls. `place` is their place in the rated file, which goes by call id."""

    contract: Ints
    ended_ms: Ints
    place: Ints
    yen: Ints
    price: Ints
    month: Ints


class Shares(NamedTuple):
    """Calls that use credit, by place, with how much; indices as in `RatedCall`."""

    place: Ints
    contract: Ints
    price: Ints
    month: Ints
    credit_yen: Ints


class CreditUse:
    """`offer` calls in any order, then `shares`."""

    def __init__(self, granted: Ints) -> None:
        """`granted`: yen by contract."""
        self._granted = granted
        self._until_ms = np.where(granted > 0, _FOREVER, -1)  # a call that ends later than this gets nothing
        self._uses = _Uses(*(np.zeros(0, np.int64) for _ in _Uses._fields))
        self._waiting: list[_Uses] = []
        self._waiting_rows = 0

    def offer(self, contract: Ints, ended_ms: Ints, place: Ints, yen: Ints, price: Ints, month: Ints) -> None:
        """Calls with their charges (≥ 0)."""
        rows = np.flatnonzero((yen > 0) & (ended_ms <= self._until_ms[contract]))
        columns = (contract, ended_ms, place, yen, price, month)
        self._waiting.append(_Uses(*(column[rows] for column in columns)))
        self._waiting_rows += len(rows)
        if self._waiting_rows > max(_LEAST_WAITING, len(self._uses.place)):
            self._settle()

    def shares(self) -> Shares:
        """Credit of each call that uses some, in order of `place`."""
        before = self._settle()
        uses = self._uses
        credit = np.minimum(uses.yen, self._granted[uses.contract] - before)
        order = np.argsort(uses.place)
        return Shares(*(column[order] for column in (uses.place, uses.contract, uses.price, uses.month, credit)))

    def _settle(self) -> Ints:
        """Keep what the credit reaches; the result is what of it was used before each call."""
        columns = [np.concatenate(parts) for parts in zip(self._uses, *self._waiting, strict=True)]
        self._waiting, self._waiting_rows = [], 0
        order = np.lexsort((columns[2], columns[1], columns[0]))
        uses = _Uses(*(column[order] for column in columns))
        contract, yen = uses.contract, uses.yen
        total = np.cumsum(yen)
        first = np.flatnonzero(np.diff(contract, prepend=-1))  # of each contract
        before_contract = np.repeat((total - yen)[first], np.diff(first, append=len(contract)))
        before = total - yen - before_contract
        granted = self._granted[contract]
        kept = before < granted
        last = kept & (before + yen >= granted)
        self._until_ms[contract[last]] = uses.ended_ms[last]
        self._uses = _Uses(*(column[kept] for column in uses))
        return before[kept]
