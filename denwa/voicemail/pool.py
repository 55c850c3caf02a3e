"""The worker processes: started, watched, restarted, grown on demand and given up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from denwa.voicemail.leases import PLACES, LeaseBook, wanted_workers
from denwa.voicemail.ports import DepositRequest

log = logging.getLogger(__name__)

WATCH_INTERVAL = 0.5  # seconds between looks at overdue leases and idle workers
STOP_PATIENCE = 5.0  # seconds for a worker to end its calls and go
RESTART_PAUSE = 1.0  # seconds before a worker that died young is replaced
YOUNG = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class PoolOptions:
    spool: Path
    greeting: Path
    max_seconds: int
    media_address: str
    rtp_port_min: int
    rtp_port_max: int
    ready: int
    most: int

    def rtp_range(self, number: int) -> tuple[int, int]:
        """The share of worker `number` (0 to most - 1): workers do not race for the same ports."""
        share = (self.rtp_port_max + 1 - self.rtp_port_min) // self.most // 2 * 2
        first = self.rtp_port_min + number * share
        return first, first + share - 1


class Pool:
    """`on_closed(lease)`: the call is over or lost, its spool entry can be stored, or there is none."""

    def __init__(self, options: PoolOptions, on_closed: Callable[[str], None]) -> None:
        self._options = options
        self._on_closed = on_closed
        self._book = LeaseBook()
        self._processes: dict[int, asyncio.subprocess.Process | None] = {}  # None: being started
        self._keepers: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._guided: set[str] = set()  # leases of callers who hear a prompt: nothing of them is stored

    @property
    def leases(self) -> int:
        return len(self._book)

    @property
    def free(self) -> int:
        return self._book.free

    @property
    def guided(self) -> int:
        return len(self._guided)

    @property
    def workers(self) -> int:
        return len(self._processes)

    def start(self) -> None:
        """Workers come up in the background."""
        self._adjust()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End every call and every worker; what was recorded has been told when this returns."""
        self._stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        for number in list(self._processes):
            self._tell(number, {"do": "stop"})
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=STOP_PATIENCE)
            for process in self._processes.values():
                if late and process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
            if late:
                await asyncio.wait(late, timeout=STOP_PATIENCE)

    async def lease(self, lease: str, request: DepositRequest, patience: float) -> int | None:
        """A place for a call: the SIP port of the worker that expects it; None when none came free in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while not self._stopping:
            place = self._book.give(lease, loop.time())
            self._adjust()
            if place is not None:
                worker, port = place
                fields = {name: value for name, value in asdict(request).items() if name != "account"}
                self._tell(worker, {"do": "lease", "lease": lease, **fields})
                return port
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return None
        return None

    def guide(self, lease: str, prompt: Path, most: int) -> int | None:
        """A place for a refused caller, as `lease`, but at once or not at all: at most `most` such callers and half of
        all places, and never the last free one, so that no caller of a mailbox finds all places taken by them."""
        most = min(most, PLACES * self._options.most // 2)
        if self._stopping or self._book.free < 2 or len(self._guided) >= most:
            return None
        place = self._book.give(lease, asyncio.get_running_loop().time())
        self._adjust()
        if place is None:
            return None
        worker, port = place
        self._guided.add(lease)
        self._tell(worker, {"do": "guide", "lease": lease, "prompt": str(prompt)})
        return port

    def release(self, lease: str) -> None:
        """The INVITE will not come. Without effect when it has."""
        worker = self._book.take_back(lease)
        if worker is not None:
            self._tell(worker, {"do": "forget", "lease": lease})

    def _tell(self, worker: int, command: dict[str, Any]) -> None:
        process = self._processes.get(worker)
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(command).encode() + b"\n")

    def _adjust(self) -> None:
        """Start workers that are missing."""
        if self._stopping:
            return
        starting = sum(process is None for process in self._processes.values())
        free = self._book.free if not starting else self._options.most  # one that is starting is the answer to need
        wanted = wanted_workers(len(self._processes), free, self._options.ready, self._options.most)
        for number in range(self._options.most):
            if len(self._processes) >= wanted:
                break
            if number not in self._processes:
                self._processes[number] = None
                keeper = asyncio.create_task(self._keep(number))
                self._keepers.add(keeper)
                keeper.add_done_callback(self._keepers.discard)

    async def _keep(self, number: int) -> None:
        """One worker from its start to its end, and what its end means for its calls."""
        loop = asyncio.get_running_loop()
        born = loop.time()
        process = None
        try:
            process = await self._spawn(number)
            self._processes[number] = process
            if self._stopping:
                self._tell(number, {"do": "stop"})
            assert process.stdout is not None  # asked for in _spawn
            async for line in process.stdout:
                self._heard(number, line)
            status = await process.wait()
            if status != 0:
                log.error("voicemail worker %d ended with status %d", number, status)
        except OSError as fault:
            log.error("voicemail worker %d cannot be started: %s", number, fault)
        finally:
            self._processes.pop(number, None)
            for lease in self._book.worker_gone(number):
                self._closed(lease)
            self._changed.set()
        if not self._stopping:
            if loop.time() - born < YOUNG:
                await asyncio.sleep(RESTART_PAUSE)  # a worker that cannot live is not started in a tight loop
            self._adjust()

    async def _spawn(self, number: int) -> asyncio.subprocess.Process:
        options = self._options
        first, last = options.rtp_range(number)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "denwa.voicemail.worker"),
            *("--spool", str(options.spool)),
            *("--greeting", str(options.greeting)),
            *("--max-seconds", str(options.max_seconds)),
            *("--media-address", options.media_address),
            *("--rtp-first", str(first)),
            *("--rtp-last", str(last)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    def _heard(self, worker: int, line: bytes) -> None:
        now = asyncio.get_running_loop().time()
        match json.loads(line):
            case {"event": "ready", "port": int(port)}:
                self._book.worker_ready(worker, port, now)
                self._changed.set()
            case {"event": "answered", "lease": str(lease)}:
                self._book.taken(lease)
            case {"event": "closed", "lease": str(lease)}:
                self._closed(lease)
            case {"event": "forgotten", "lease": str(lease)}:
                self._closed(lease)
                self._freed(lease, now)
            case {"event": "gone", "lease": str(lease)}:
                self._freed(lease, now)
            case {"event": "refused", "lease": str(lease)}:
                log.warning("voicemail worker %d refused an INVITE without a lease", worker)
            case {"event": "fault", "text": str(text)}:
                log.error("voicemail worker %d: %s", worker, text)

    def _closed(self, lease: str) -> None:
        if lease in self._guided:
            self._guided.discard(lease)
        else:
            self._on_closed(lease)

    def _freed(self, lease: str, now: float) -> None:
        self._guided.discard(lease)
        if self._book.ended(lease, now):
            self._changed.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            for lease in self._book.overdue(loop.time()):
                self.release(lease)
            worker = self._book.dispensable(self._options.ready, loop.time())
            if worker is not None:
                self._book.retire(worker)
                self._tell(worker, {"do": "stop"})
