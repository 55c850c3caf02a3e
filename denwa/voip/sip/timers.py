"""Timers of RFC 3261 §17 (table 4) as ordered queues: one `deque` for each length of time, no heap, no callback.

`now` never runs back, so that a queue of equal lengths is always in order. A timer is stopped by forgetting its due
time in its owner; the stale entry is dropped when its time comes.
"""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import Any, Final

T1: Final = 0.5
T2: Final = 4.0
T4: Final = 5.0
TIMEOUT: Final = 64 * T1  # B, F, H, J, L, M
WAIT_D: Final = 32.0  # more than 32 s on an unreliable transport


class TimerQueues:
    """`start` returns the due time, which the owner keeps; `due` yields (owner, kind, due) whose time has come."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, deque[tuple[float, Any, int]]] = {}

    def start(self, owner: Any, kind: int, after: float, now: float) -> float:
        """Start a timer of `after` seconds. Give round lengths: each distinct length makes a queue."""
        due = now + after
        queue = self._queues.get(after)
        if queue is None:
            queue = self._queues[after] = deque()
        queue.append((due, owner, kind))
        return due

    def next_due(self) -> float | None:
        """When to call `due` next; a stopped timer may make it early, never late."""
        heads = [queue[0][0] for queue in self._queues.values() if queue]
        return min(heads) if heads else None

    def due(self, now: float) -> list[tuple[Any, int, float]]:
        out: list[tuple[float, Any, int]] = []
        several = 0
        for queue in self._queues.values():
            if queue and queue[0][0] <= now:
                several += 1
                while queue and queue[0][0] <= now:
                    out.append(queue.popleft())
        if several > 1:
            out.sort(key=itemgetter(0))
        return [(owner, kind, when) for when, owner, kind in out]

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())
