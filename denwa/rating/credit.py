"""T4: the new subscriber's credit: the first yen of charges from the start of the contract are not billed.

One total per contract. It is used in the order in which calls end, then by call id.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import Any, NamedTuple

from denwa.rating.money import Yen

_FOREVER = 2**63


class CreditUse(NamedTuple):
    """A charged call that may use credit. Sorts by end, then call id (T4).

    `key` names the call to whoever asks: unique in its contract, hashable, and orderable, because it decides between
    two legs that end in the same millisecond under the same call id.
    """

    ended_ms: int
    call_id: str
    key: Any
    yen: Yen


class CreditOrder:
    """The calls of one contract that use its credit, whatever order they arrive in.

    Keeps no more than the calls that the credit reaches: every charge is at least 1 yen, so at most `granted` calls.
    """

    __slots__ = ("_sum", "_uses", "granted", "until_ms")

    def __init__(self, granted: Yen) -> None:
        self.granted = granted
        self.until_ms = _FOREVER if granted else -1  # a call that ends later than this gets nothing
        self._uses: list[CreditUse] = []
        self._sum = 0

    def add(self, ended_ms: int, call_id: str, key: Any, yen: Yen) -> None:
        """Offer a call with a charge of `yen` (≥ 0)."""
        uses = self._uses
        if yen <= 0 or (self._sum >= self.granted and (not uses or (ended_ms, call_id, key) > uses[-1][:3])):
            return
        insort(uses, CreditUse(ended_ms, call_id, key, yen))
        self._sum += yen
        while uses and self._sum - uses[-1].yen >= self.granted:
            self._sum -= uses.pop().yen
        if self._sum >= self.granted:
            self.until_ms = uses[-1].ended_ms if uses else -1

    def shares(self) -> dict[Any, Yen]:
        """Credit of each call that uses some: whole charges, and for the last the part up to the limit."""
        left = self.granted
        result: dict[Any, Yen] = {}
        for use in self._uses:
            result[use.key] = min(use.yen, left)
            left -= result[use.key]
        return result

    @property
    def used_yen(self) -> Yen:
        """Credit used so far: min(granted, sum of all charges)."""
        return min(self.granted, self._sum)


def share_credit(granted: Yen, uses: Iterable[CreditUse]) -> dict[Any, Yen]:
    """Credit of each of `uses` that gets some (key → yen)."""
    order = CreditOrder(granted)
    for use in uses:
        order.add(*use)
    return order.shares()
