"""So many accounts a second, whatever happens at once: a restart, a purge, a network that comes back. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from denwa.voip.context import Context
from denwa.voip.mwi.machines import Event

DRAIN: Final = 72  # timer kind
_TICK: Final = 0.1  # seconds
Job: TypeAlias = tuple[bytes, str]  # account, and a contact; "": all of them


class Pace:
    """Calls `do(account, contact, event, now)` at once while few ask, later and in order when many do. What waits is
    kept once: the last event of a job wins."""

    def __init__(self, ctx: Context, per_second: int, do: Callable[[bytes, str, Event, float], None]) -> None:
        self._ctx = ctx
        self._share = per_second * _TICK
        self._most = max(self._share, 1.0)
        self._do = do
        self._left = self._most
        self._jobs: dict[Job, Event] = {}
        self._due = 0.0

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, account: bytes, contact: str, event: Event, now: float) -> None:
        if self._left >= 1.0 and not self._jobs:
            self._left -= 1.0
            self._do(account, contact, event, now)
        else:
            self._jobs[account, contact] = event
        if not self._due:
            self._due = self._ctx.timers.start(self, DRAIN, _TICK, now)

    def forget(self, account: bytes) -> None:
        """The change of a box that is no more need not be told."""
        self._jobs.pop((account, ""), None)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due != self._due:
            return
        self._left = min(self._left + self._share, self._most)
        while self._jobs and self._left >= 1.0:
            self._left -= 1.0
            (account, contact), event = next(iter(self._jobs.items()))
            del self._jobs[account, contact]
            self._do(account, contact, event, now)
        full = not self._jobs and self._left >= self._most
        self._due = 0.0 if full else self._ctx.timers.start(self, DRAIN, _TICK, now)
