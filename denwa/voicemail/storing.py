"""What calls leave behind is stored one by one, in threads of their own, until each is stored (V7).

A disk that is full, a database or a store of sounds that is away keeps nobody from calling: the recordings wait in the
spool, and their places in the mailbox are kept for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from denwa.voicemail import spool
from denwa.voicemail.deposit import Depositor, Outcome
from denwa.voicemail.mail.sending import in_own_thread
from denwa.voicemail.sound_store.faults import StoreFault

log = logging.getLogger(__name__)

AT_ONCE = 4  # recordings
FIRST_PAUSE = 5.0  # seconds until an outcome that could not be stored is tried again, doubled each time
LONGEST_PAUSE = 60.0
ORPHAN_INTERVAL = 2.0  # seconds between looks at calls that workers of a killed service still hold


class Storing:
    """Bound to the loop that runs it. `stored(outcome)` is called for each call that is stored."""

    def __init__(
        self, depositor: Depositor, folder: Path, clock: Callable[[], datetime], stored: Callable[[Outcome], None]
    ) -> None:
        self._depositor = depositor
        self._spool = folder
        self._clock = clock
        self._stored = stored
        self._threads = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._fault = ""  # what was said last of the store of sounds

    @property
    def waiting(self) -> int:
        """Calls that are over and not stored yet."""
        return len(self._tasks)

    def store(self, lease: str) -> None:
        """A call is over, or never came."""
        if lease not in self._tasks:
            task = asyncio.create_task(self._settle(lease))
            self._tasks[lease] = task
            task.add_done_callback(lambda _: self._tasks.pop(lease, None))

    async def take_up(self, leases: Iterable[str]) -> None:
        """Store calls that were going on when the service was killed, as their workers finish them."""
        left = set(leases)
        while left:
            for lease in sorted(left):
                if not spool.is_held(self._spool, lease):
                    left.discard(lease)
                    self.store(lease)
            if left:
                await asyncio.sleep(ORPHAN_INTERVAL)

    async def close(self, patience: float) -> None:
        """Give what is being stored so many seconds; what is not stored then is stored at the next start."""
        self._stopping.set()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, lease: str) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._threads:
                    outcome = await in_own_thread(lambda: self._depositor.settle(lease, self._clock()))
                break
            except StoreFault as fault:
                self._say(str(fault))
            except Exception:
                log.exception("voicemail: a call cannot be stored; it stays in the spool")
            if self._stopping.is_set():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(2 * pause, LONGEST_PAUSE)
        if outcome is Outcome.MESSAGE:
            self._say("")
        self._stored(outcome)

    def _say(self, fault: str) -> None:
        """Once for everything that waits for the same reason."""
        if fault and fault != self._fault:
            log.error("voicemail: recordings stay in the spool and are tried again: %s", fault)
        elif self._fault and not fault:
            log.warning("voicemail: recordings are stored again")
        self._fault = fault
