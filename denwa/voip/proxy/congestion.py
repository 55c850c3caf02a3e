"""The operator's orders in congestion and emergency (C7; 約款 第19条, 第20条): pure.

Priority subscribers are bound by none of them. Orders hold for calls of subscribers, forwarded ones too; the longest
call also ends calls from the telephone network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from denwa.voip.proxy.refusal import Refused

RETRY_AFTER: Final = 300  # seconds a phone should wait, at most
_AREA: Final = re.compile(r"\+[1-9][0-9]{0,14}")
PRIORITY_ONLY: Final = Refused("priority-only", 503, 42, "only priority subscribers can call at present", "congestion")
AREA_RESTRICTED: Final = Refused("area-restricted", 503, 42, "calls to this area are restricted", "congestion")


class OrderKind(StrEnum):
    PRIORITY_ONLY = "priority-only"  # 第19条
    MAX_SECONDS = "max-seconds"  # 第20条: 通信時間
    AREA = "area"  # 第20条: 特定の地域


class Order(NamedTuple):
    """`value`: the seconds, or beginnings of E.164 numbers with commas. Times in ms since 1970 UTC; `until_ms` 0: until
    it is taken back."""

    id: int
    kind: OrderKind
    value: str
    from_ms: int
    until_ms: int

    def in_force(self, now_ms: int) -> bool:
        return self.from_ms <= now_ms and (not self.until_ms or now_ms < self.until_ms)


def area_beginning(text: str) -> str:
    """`03`, `+813`, `010 33`: how numbers of an area begin in E.164. ValueError when it is none."""
    digits = re.sub(r"[\s-]", "", text)
    if digits.startswith("010"):
        digits = "+" + digits[3:]
    elif digits.startswith("0"):
        digits = "+81" + digits[1:]
    if not _AREA.fullmatch(digits) or digits == "+81":
        raise ValueError(f"{text!r} is not the beginning of telephone numbers (03, 06, +33)")
    return digits


class Congestion:
    """The orders that the engine knows; `orders` is empty in ordinary times."""

    def __init__(self) -> None:
        self.orders: tuple[Order, ...] = ()
        self.longest = False  # whether any order is about the length of calls
        self._areas: dict[int, tuple[str, ...]] = {}

    def put(self, orders: Iterable[Order]) -> None:
        """All orders that are not taken back; those before are forgotten."""
        self.orders = tuple(orders)
        self._areas = {one.id: tuple(one.value.split(",")) for one in self.orders if one.kind is OrderKind.AREA}
        self.longest = any(one.kind is OrderKind.MAX_SECONDS for one in self.orders)

    def refusal(self, number: str, now_ms: int) -> Refused | None:
        """Why a subscriber without priority may not call `number` (E.164) now."""
        for order in self.orders:
            if not order.in_force(now_ms):
                continue
            if order.kind is OrderKind.PRIORITY_ONLY:
                return _until(PRIORITY_ONLY, order, now_ms)
            if order.kind is OrderKind.AREA and number.startswith(self._areas[order.id]):
                return _until(AREA_RESTRICTED, order, now_ms)
        return None

    def longest_ms(self, now_ms: int) -> int:
        """How long a call may be now; 0: not restricted."""
        lengths = [
            int(order.value) * 1000
            for order in self.orders
            if order.kind is OrderKind.MAX_SECONDS and order.in_force(now_ms)
        ]
        return min(lengths, default=0)


def _until(why: Refused, order: Order, now_ms: int) -> Refused:
    left = -((now_ms - order.until_ms) // 1000) if order.until_ms else RETRY_AFTER
    return why._replace(retry_after=min(left, RETRY_AFTER))
