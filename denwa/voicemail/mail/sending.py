"""The mail of the service: several mails at once, and patience with a mail server that is away (M4)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from denwa.voicemail.ports import QueuedMail
from denwa.voicemail.posting import Outcome, Poster

log = logging.getLogger(__name__)
T = TypeVar("T")

INTERVAL = 15.0  # seconds at most between looks into the outbox
FIRST_REST = 15.0  # seconds without an attempt after the mail server could not be used, doubled each time
LONGEST_REST = 300.0
GRACE = 5.0  # seconds that deliveries may take when the service stops


class MailRoom:
    """Sends what is due. While the mail server cannot be used one mail at a time is tried, to find out.

    `discard` deletes the messages whose mail was accepted (V4). Bound to the loop that runs it.
    """

    def __init__(
        self,
        poster: Poster,
        discard: Callable[[], object],
        clock: Callable[[], datetime],
        connections: int,
        due: asyncio.Event,
    ) -> None:
        """`due` is set when there is something new in the outbox."""
        self._poster = poster
        self._discard = discard
        self._clock = clock
        self._free = asyncio.Semaphore(connections)
        self._discarding = asyncio.Lock()
        self._due = due
        self._tasks: set[asyncio.Task[None]] = set()
        self._rest = 0.0
        self._resume_at = 0.0  # loop time

    async def run(self) -> None:
        """Until cancelled; then `close`."""
        while True:
            self._due.clear()
            try:
                await self._round()
            except Exception:  # a database that is away must not end the mail
                log.exception("mail failed and is tried again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._due.wait()

    async def close(self) -> None:
        """Let deliveries end, and cut those that do not: their mails are tried again at the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        if self._tasks:
            self._poster.abort()
            await asyncio.wait(self._tasks, timeout=GRACE)
        for task in self._tasks:
            task.cancel()

    async def _round(self) -> None:
        """Start on all mails that are due."""
        await self._discard_mailed()
        while asyncio.get_running_loop().time() >= self._resume_at:
            await self._free.acquire()
            try:
                queued = await asyncio.to_thread(self._poster.claim, self._clock())
            except BaseException:
                self._free.release()
                raise
            if queued is None:
                self._free.release()
                return
            task = asyncio.create_task(self._carry(queued))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if self._rest:
                await asyncio.wait([task])

    async def _carry(self, queued: QueuedMail) -> None:
        try:
            outcome = await in_own_thread(lambda: self._poster.send(queued, self._clock))
            self._heed(outcome)
            if outcome is Outcome.SENT:
                await self._discard_mailed()
        except Exception:
            log.exception("mail %d: what became of it cannot be noted", queued.id)
        finally:
            self._free.release()

    def _heed(self, outcome: Outcome) -> None:
        now = asyncio.get_running_loop().time()
        if outcome in (Outcome.SENT, Outcome.LATER):
            self._rest = 0.0
        elif outcome is Outcome.NO_SERVER and now >= self._resume_at:  # of several that fail at once the first counts
            self._rest = min(max(2 * self._rest, FIRST_REST), LONGEST_REST)
            self._resume_at = now + self._rest

    async def _discard_mailed(self) -> None:
        """What cannot be deleted now (a store of sounds that is away) keeps no mail from going out."""
        try:
            async with self._discarding:
                await asyncio.to_thread(self._discard)
        except Exception:
            log.exception("messages whose mail was accepted cannot be deleted, and are tried again")


async def in_own_thread(work: Callable[[], T]) -> T:
    """`work()` in a thread of its own, which neither keeps others from theirs nor the program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, fault: BaseException | None) -> None:
        if done.cancelled():
            return
        if fault is not None:
            done.set_exception(fault)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = work(), None
        except BaseException as fault:
            outcome = None, fault
        with contextlib.suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await done
