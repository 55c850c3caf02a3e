"""What time does to mailboxes: messages go as their seven days end, and what a fault left behind is cleared (V4)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from denwa.voicemail.deposit import Depositor
from denwa.voicemail.mail.sending import in_own_thread

log = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds at most between rounds; a message's end is waited for to the millisecond
SWEEP_INTERVAL = timedelta(hours=1)  # between looks at what does not belong together


class Retention:
    """Bound to the loop that runs it. `tidy(now)` is the rest of a round; `sweep(now)` is called in a thread."""

    def __init__(
        self,
        depositor: Depositor,
        clock: Callable[[], datetime],
        tidy: Callable[[datetime], Awaitable[None]],
        sweep: Callable[[datetime], object],
    ) -> None:
        self._depositor = depositor
        self._clock = clock
        self._tidy = tidy
        self._sweep = sweep
        self._looked_at = clock()
        self._swept_at: datetime | None = None
        self._again = asyncio.Event()

    def look_again(self) -> None:
        """Something may have to go before its time: a contract has ended."""
        self._again.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._again.clear()
            self._looked_at = self._clock()
            await guarded(self._round, "retention")
            await guarded(self._sweep_now_and_then, "the look for strays")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(await asyncio.to_thread(self._pause)):
                    await self._again.wait()

    async def _round(self) -> None:
        now = self._looked_at
        await asyncio.to_thread(self._depositor.keep_places, now)
        deleted = await in_own_thread(lambda: self._depositor.purge(now))
        if deleted:
            log.info("voicemail: %d messages deleted at the end of their time", deleted)
        await self._tidy(now)

    async def _sweep_now_and_then(self) -> None:
        now = self._looked_at
        if self._swept_at is None or now - self._swept_at >= SWEEP_INTERVAL:
            self._swept_at = now
            try:
                await in_own_thread(lambda: self._sweep(now))
            except OSError as fault:
                log.error("voicemail: what is in the store of sounds cannot be compared now: %s", fault)

    def _pause(self) -> float:
        """Seconds until the next round: as the next message's time ends."""
        try:
            deadline = self._depositor.next_deadline()
        except Exception:  # the round says it
            return INTERVAL
        if deadline is None or deadline <= self._looked_at:  # none, or it could not be deleted: not at once again
            return INTERVAL
        return min(max(0.0, (deadline - self._clock()).total_seconds()), INTERVAL)


async def guarded(work: Callable[[], Awaitable[None]], name: str) -> None:
    """A fault (a full disk, a database that is away) is logged and must not end the loop."""
    try:
        await work()
    except Exception:
        log.exception("voicemail: %s failed and is tried again", name)
