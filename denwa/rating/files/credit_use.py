"""T4 for very many contracts at once: the same as a `CreditOrder` for each, in columns.

Keeps no more than the calls that the credit of their contract reaches, and those offered since the last look.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from denwa.rating.files.fields import Ints

_SHARDS = 8  # parts of the contracts that are looked at apart, each with an eighth of the memory
_WAITING = 1 << 14  # calls offered to a part, after which is looked which of them count
_FOREVER = 2**63 - 1


class Shares(NamedTuple):
    """Calls that use credit, in order of their place, with how much."""

    place: Ints
    contract: Ints
    credit_yen: Ints


class CreditUse:
    """`offer` calls, then `shares` once."""

    def __init__(self, granted: Ints, waiting: int = _WAITING) -> None:
        """`granted`: yen by contract."""
        granted = self._granted = granted.astype(smallest_type(granted))
        self._until_ms = np.where(granted > 0, _FOREVER, -1)  # a call that ends later than this gets nothing
        self._shards = [_Shard(granted, self._until_ms, waiting) for _ in range(_SHARDS)]
        self._shard_size = -(-len(granted) // _SHARDS)

    def offer(self, contract: Ints, ended_ms: Ints, place: Ints, yen: Ints) -> None:
        """Calls with their charges (≥ 0). `place` in the rated file, which goes by call id, grows from call to call."""
        rows = np.flatnonzero((yen > 0) & (ended_ms <= self._until_ms[contract]))
        contract = contract[rows]
        # More than the credit, and the sums could not be held.
        columns = (
            contract.astype(np.int32),
            ended_ms[rows],
            place[rows],
            np.minimum(yen[rows], self._granted[contract]).astype(self._granted.dtype),
        )
        shards = contract // self._shard_size if len(contract) else contract
        for index, shard in enumerate(self._shards):
            mine = np.flatnonzero(shards == index)
            if len(mine):
                shard.offer(tuple(column[mine] for column in columns))

    def shares(self) -> Shares:
        """Credit of each call that uses some."""
        parts: list[list[Ints]] = [[], [], []]
        while self._shards:
            for part, column in zip(parts, self._shards.pop().shares(), strict=True):
                part.append(column)
        place = np.concatenate(parts[0])
        parts[0].clear()  # each of these is as long as all of it
        order = np.argsort(place)
        place = place[order]
        return Shares(place, *(np.concatenate(part)[order] for part in parts[1:]))


def smallest_type(granted: Ints) -> np.dtype[Any]:
    """What holds any part of a contract's credit in as few bytes as can be."""
    return np.min_scalar_type(-int(granted.max(initial=1)) - 1)


class _Shard:
    """Charged calls by contract and end: contract, end, place, yen (no more than the credit)."""

    def __init__(self, granted: Ints, until_ms: Ints, limit: int) -> None:
        self._granted = granted
        self._until_ms = until_ms
        self._limit = limit
        self._uses: list[Any] = [np.zeros(0, kind) for kind in (np.int32, np.int64, np.int64, granted.dtype)]
        self._waiting: list[tuple[Any, ...]] = []
        self._waiting_count = 0

    def offer(self, columns: tuple[Any, ...]) -> None:
        self._waiting.append(columns)
        self._waiting_count += len(columns[0])
        if self._waiting_count > self._limit:
            self._settle()

    def shares(self) -> tuple[Ints, Ints, Ints]:
        """(place, contract, credit)."""
        before = self._settle()
        contract, _, place, yen = self._uses
        credit = np.minimum(yen, self._granted[contract] - before)
        return place, contract, credit.astype(self._granted.dtype)

    def _settle(self) -> Ints:
        """Keep the calls that the credit reaches; the result is what was used of it before each."""
        waiting, self._waiting, self._waiting_count = self._waiting, [], 0
        contract, ended_ms, place, yen = (np.concatenate(parts) for parts in zip(self._uses, *waiting, strict=True))
        order = _order(contract, ended_ms)
        contract, ended_ms, place, yen = contract[order], ended_ms[order], place[order], yen[order]
        before = np.cumsum(yen) - yen
        first = np.flatnonzero(np.diff(contract, prepend=np.int32(-1)))  # of each contract
        before -= np.repeat(before[first], np.diff(first, append=len(contract)))
        granted = self._granted[contract]
        kept = before < granted
        last = kept & (before + yen >= granted)
        self._until_ms[contract[last]] = ended_ms[last]
        self._uses = [column[kept] for column in (contract, ended_ms, place, yen)]
        result: Ints = before[kept]
        return result


def _order(contract: Ints, ended_ms: Ints) -> Ints:
    """By contract and end; calls that end together stay as they came, which is by call id."""
    contract = contract.astype(np.int64)
    contract -= contract.min(initial=_FOREVER)
    ended_ms = ended_ms - ended_ms.min(initial=_FOREVER)
    bits = int(ended_ms.max(initial=0)).bit_length()
    if bits + int(contract.max(initial=0)).bit_length() >= 63:
        return np.lexsort((ended_ms, contract))
    keys = contract << bits | ended_ms
    order = np.argsort(keys)  # several times faster than the stable kind, which is needed only for equal ones
    if (np.diff(keys[order]) == 0).any():
        order = np.argsort(keys, kind="stable")
    return order
