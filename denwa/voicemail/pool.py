"""The worker processes: started, watched, replaced, grown on demand and given up again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from denwa.voicemail import wav
from denwa.voicemail.leases import PLACES, STORED, Kind, Lease, LeaseBook, Stage
from denwa.voicemail.pulse import BEAT, Pulse
from denwa.voicemail.worker_process import PoolOptions, WorkerProcess

log = logging.getLogger(__name__)

WATCH_INTERVAL = 0.5  # seconds between looks at overdue leases and idle workers
STOP_PATIENCE = 5.0  # seconds for a worker to end its calls and go
RESTART_PAUSE = 1.0  # seconds before a worker that died young is replaced; twice as long each time it happens again
LONGEST_PAUSE = 30.0  # seconds
YOUNG = 5.0  # seconds
# More at once would all be ready later: a start is computing, and the callers wait for the first of them.
STARTS_AT_ONCE = 2 * (os.cpu_count() or 1)


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that wants a place; `port` is set once it has one."""

    lease: str
    command: dict[str, Any]
    port: asyncio.Future[int]


class Pool:
    """`on_closed(lease)`: the call is over or lost, its spool entry can be stored, or there is none.

    `on_lost(call_id)`: the worker died with this call in it; the caller hears nothing any more.
    """

    def __init__(
        self,
        options: PoolOptions,
        on_closed: Callable[[str], None],
        on_lost: Callable[[str], object] = lambda call_id: None,
    ) -> None:
        self._options = options
        self._on_closed = on_closed
        self._on_lost = on_lost
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._book = LeaseBook()
        self._pulse = Pulse()
        self._processes: dict[int, WorkerProcess | None] = {}  # None: being started
        self._ready: set[int] = set()
        self._keepers: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._waiting: deque[_Waiter] = deque()  # longest first
        self._freed_one = asyncio.Event()
        self._died_young = 0  # in a row
        self._draining = False
        self._hurried = False
        self._stopping = False
        self.faults: Counter[str] = Counter()  # since the start, for metrics: workers_died, workers_hung

    @property
    def leases(self) -> int:
        return len(self._book)

    @property
    def free(self) -> int:
        return self._book.free

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def recording(self) -> int:
        """Callers who leave a message, or will."""
        return self._book.count(Kind.MESSAGE)

    @property
    def guided(self) -> int:
        return self._book.count(Kind.GUIDANCE)

    @property
    def workers(self) -> int:
        return len(self._processes)

    def start(self) -> None:
        """Workers come up in the background. Raises OSError."""
        draft = self._options.tone.with_suffix(".tmp")
        draft.write_bytes(wav.tone())
        draft.rename(self._options.tone)
        self._adjust()
        self._watcher = asyncio.create_task(self._watch())

    async def drain(self, seconds: float) -> int:
        """Give no more places away and wait until the recordings that run are over, at most `seconds`, or until
        `hurry`. How many were not over in that time."""
        self._close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.recording and not self._hurried:
                    self._freed_one.clear()
                    await self._freed_one.wait()
        return self.recording

    def hurry(self) -> None:
        """Wait for no recording any more."""
        self._hurried = True
        self._freed_one.set()

    async def stop(self) -> None:
        """End every call and every worker; what was recorded has been told when this returns."""
        self._close()
        self._stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        for process in self._processes.values():
            if process is not None:
                process.tell({"do": "stop"})
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=STOP_PATIENCE)
            for process in self._processes.values():
                if late and process is not None:
                    process.kill()
            if late:
                await asyncio.wait(late, timeout=STOP_PATIENCE)

    async def lease(self, lease: str, command: dict[str, Any], patience: float) -> int | None:
        """A place for a call, in the order of asking: the SIP port of the worker that expects it; None when none came
        free in `patience` seconds. `command`: what the worker is told of the call; its `do` is a `Kind`."""
        if self._draining:
            return None
        waiter = _Waiter(lease, command, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._serve()
        try:
            await asyncio.wait({waiter.port}, timeout=patience)
        except asyncio.CancelledError:
            self.release(lease)
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)
        return waiter.port.result() if waiter.port.done() and not waiter.port.cancelled() else None

    def guide(self, lease: str, prompt: Path, most: int) -> int | None:
        """A place for a refused caller, as `lease`, but at once or not at all: at most `most` such callers and half of
        all places, and never the last free one, so that no caller of a mailbox finds all places taken by them."""
        most = min(most, PLACES * self._options.most // 2)
        if self._draining or self._book.free < 2 or self.guided >= most or self._waiting:
            return None
        port = self._give(lease, {"do": Kind.GUIDANCE, "prompt": str(prompt)})
        self._adjust()
        return port

    def release(self, lease: str) -> None:
        """The INVITE will not come. Without effect when it has."""
        worker = self._book.take_back(lease)
        if worker is not None:
            self._tell(worker, {"do": "forget", "lease": lease})

    def on(self, event: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Events of this name that workers send go to `handler`, with their `lease`."""
        self._handlers[event] = handler

    def tell(self, lease: str, command: dict[str, Any]) -> None:
        """A command to the worker that has a call. Without effect when the call is over."""
        found = self._book.find(lease)
        if found is not None:
            self._tell(found.worker, {"lease": lease, **command})

    def _tell(self, worker: int, command: dict[str, Any]) -> None:
        process = self._processes.get(worker)
        if process is not None:
            process.tell(command)

    def _close(self) -> None:
        self._draining = True
        while self._waiting:
            self._waiting.popleft().port.cancel()

    def _give(self, lease: str, command: dict[str, Any]) -> int | None:
        now = asyncio.get_running_loop().time()
        place = self._book.give(lease, Kind(command["do"]), now, command.get("call_id", ""))
        if place is None:
            return None
        worker, port = place
        self._tell(worker, {"lease": lease, **command})
        return port

    def _serve(self) -> None:
        """Places to those who wait, as long as there are any; more workers for the others."""
        while self._waiting and (port := self._give(self._waiting[0].lease, self._waiting[0].command)) is not None:
            self._waiting.popleft().port.set_result(port)
        self._adjust()

    def _adjust(self) -> None:
        """Start workers that are missing."""
        if self._draining:
            return
        options = self._options
        starting = len(self._processes) - len(self._ready)
        more = self._book.missing(len(self._waiting), starting, len(self._processes), options.ready, options.most)
        unused = (number for number in range(options.most) if number not in self._processes)
        for number in list(unused)[: min(more, STARTS_AT_ONCE - starting) if starting < STARTS_AT_ONCE else 0]:
            self._processes[number] = None
            keeper = asyncio.create_task(self._keep(number))
            self._keepers.add(keeper)
            keeper.add_done_callback(self._keepers.discard)

    async def _keep(self, number: int) -> None:
        """One worker from its start to its end, and what its end means for its calls."""
        loop = asyncio.get_running_loop()
        born = loop.time()
        status = -1
        try:
            process = await WorkerProcess.start(self._options, number)
            self._processes[number] = process
            if self._stopping:
                process.tell({"do": "stop"})
            async for event in process.events():
                self._heard(number, event)
            status = await process.ended()
            if status != 0:
                log.error("voicemail worker %d ended with status %d", number, status)
        except OSError as fault:
            log.error("voicemail worker %d cannot be started: %s", number, fault)
        finally:
            self._gone(number)
        if self._stopping:
            del self._processes[number]
            return
        self.faults["workers_died"] += status != 0
        self._died_young = self._died_young + 1 if status != 0 and loop.time() - born < YOUNG else 0
        if self._died_young:  # a worker that cannot live is not started in a tight loop; its number rests meanwhile
            await asyncio.sleep(min(RESTART_PAUSE * 2 ** (self._died_young - 1), LONGEST_PAUSE))
        del self._processes[number]
        self._serve()

    def _gone(self, number: int) -> None:
        """What it held is over; its number is free again when `_keep` says so."""
        self._ready.discard(number)
        self._pulse.gone(number)
        self._processes[number] = None
        for lease in self._book.worker_gone(number):
            self._closed(lease)
            if lease.stage is Stage.TAKEN and lease.call_id and not self._stopping:
                self._on_lost(lease.call_id)
        self._freed_one.set()

    def _heard(self, worker: int, event: dict[str, Any]) -> None:
        self._pulse.heard(worker)
        now = asyncio.get_running_loop().time()
        match event:
            case {"event": "alive"}:
                pass
            case {"event": "ready", "port": int(port)}:
                self._book.worker_ready(worker, port, now)
                self._ready.add(worker)
                self._serve()
            case {"event": "leaving"}:
                self._book.worker_leaving(worker)
                self._adjust()
            case {"event": "answered", "lease": str(lease)}:
                self._book.taken(lease)
            case {"event": "closed", "lease": str(lease)}:
                self._closed(self._book.find(lease))
            case {"event": "forgotten", "lease": str(lease)}:
                self._closed(self._book.find(lease))
                self._freed(lease, now)
            case {"event": "gone", "lease": str(lease)}:
                self._freed(lease, now)
            case {"event": "refused", "lease": str(lease)}:
                log.warning("voicemail worker %d refused an INVITE without a lease", worker)
            case {"event": "fault", "text": str(text)}:
                log.error("voicemail worker %d: %s", worker, text)
            case {"event": str(name)} if name in self._handlers:
                self._hand(name, event)

    def _hand(self, name: str, event: dict[str, Any]) -> None:
        try:
            self._handlers[name](event)
        except Exception:  # one call's fault is not the end of all calls of the worker
            log.exception("voicemail: %s cannot be dealt with", name)

    def _closed(self, lease: Lease | None) -> None:
        if lease is not None and lease.kind in STORED:
            self._on_closed(lease.id)

    def _freed(self, lease: str, now: float) -> None:
        if self._book.ended(lease, now):
            self._freed_one.set()
            self._serve()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        next_beat = loop.time() + BEAT
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            now = loop.time()
            for lease in self._book.overdue(now):
                self.release(lease)
            worker = self._book.dispensable(self._options.ready, now)
            if worker is not None:
                self._book.worker_leaving(worker)
                self._tell(worker, {"do": "leave"})
            if now >= next_beat:
                next_beat = now + BEAT
                self._beat()

    def _beat(self) -> None:
        """Ask every worker for a sign of life; kill those that have given none for long. What they recorded is kept."""
        alive = {number: process for number, process in self._processes.items() if process is not None}
        for number in self._pulse.beat(alive):
            log.error("voicemail worker %d hangs and is killed", number)
            self.faults["workers_hung"] += 1
            alive.pop(number).kill()
        for process in alive.values():
            process.tell({"do": "ping"})
