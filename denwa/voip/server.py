"""The SIP service on real sockets, clocks and disk: the short and boring half around the engine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from denwa.voip.calls.journal import BindingEntry, CallEntry, Group
from denwa.voip.context import HeldGroup
from denwa.voip.engine import SipEngine
from denwa.voip.listen.tcp import TcpListener
from denwa.voip.listen.udp import UdpListener
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.trace import Trace

log = logging.getLogger(__name__)
TICK: Final = 0.02  # seconds between looks at the timers
NOTES_A_SECOND: Final = 50
QUIET_TRANSACTIONS: Final = 2_000


class Writer(Protocol):
    """The journal writer as the server uses it."""

    @property
    def healthy(self) -> bool: ...

    def submit(self, group: Group) -> None: ...


class SipServer:
    """One engine behind one address, UDP and TCP. `on_ended()` is called after calls have ended durably."""

    def __init__(self, engine: SipEngine, trace: Trace, *, max_connections: int, on_ended: Callable[[], None]) -> None:
        self.engine = engine
        self.trace = trace
        self._on_ended = on_ended
        self._writer: Writer
        self._udp = UdpListener(self._receive, self.flush)
        self._tcp = TcpListener(self._receive, self.flush, max_connections=max_connections)
        self._local = ""
        self._loop: asyncio.AbstractEventLoop
        self._ticker: asyncio.TimerHandle | None = None
        self._clock_offset = 0
        self._waiting = 0  # groups handed over and not yet on disk
        self._settled: list[asyncio.Future[None]] = []
        self._note_second = 0
        self._notes_left = NOTES_A_SECOND
        self._set_clock()

    def _set_clock(self) -> None:
        """Records use the wall clock of the last quiet moment plus the monotonic one: a clock that is set during a
        call changes no duration (C4)."""
        self._clock_offset = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        return (time.monotonic_ns() + self._clock_offset) // 1_000_000

    async def open(self, host: str, port: int, writer: Writer) -> None:
        """Start to listen. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._local = f"{host}:{port}"
        self._udp.open(host, port)
        await self._tcp.open(host, port)
        self._ticker = self._loop.call_later(TICK, self._tick)
        self.flush()

    def restore(self, bindings: Iterable[BindingEntry], calls: Iterable[CallEntry]) -> None:
        """Take up what the journal kept, before the first message comes."""
        self.engine.restore(bindings, calls, time.monotonic(), self.now_ms())

    async def settled(self) -> None:
        """Return when everything that has happened until now is on disk."""
        self.flush()
        if self._waiting:
            done = self._loop.create_future()
            self._settled.append(done)
            await done

    def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        self._udp.close()
        self._tcp.close()

    @property
    def ready(self) -> bool:
        return self._ticker is not None and self._writer.healthy

    @property
    def quiet(self) -> bool:
        """So little goes on that a pause of a few milliseconds harms nobody."""
        layer = self.engine.ctx.layer
        return len(layer.servers) + len(layer.clients) < QUIET_TRANSACTIONS

    def journal_done(self, groups: list[Group]) -> None:
        """For the writer thread: these groups are on disk."""
        self._loop.call_soon_threadsafe(self._committed, groups)

    def _committed(self, groups: Iterable[Group]) -> None:
        held = [group for group in groups if isinstance(group, HeldGroup)]
        self._waiting -= len(held)
        self.engine.committed(held, time.monotonic(), self.now_ms())
        if any(group.ends or group.calls for group in held):
            self._on_ended()
        self.flush()
        if self._settled and not self._waiting:
            for done in self._settled:
                if not done.done():
                    done.set_result(None)
            self._settled.clear()

    def _receive(self, data: bytes, peer: Peer) -> None:
        now_ns = time.monotonic_ns()
        now_ms = (now_ns + self._clock_offset) // 1_000_000
        if self.trace.enabled:
            self.trace.received(now_ms, self._local, peer, data)
        try:
            self.engine.receive(data, peer, now_ns * 1e-9, now_ms)
        except Exception:
            # One message must never end the service; the engine has no half-made state that another could meet.
            self.engine.ctx.counters["dropped", "internal error"] += 1
            log.exception("a message could not be handled")

    def flush(self) -> None:
        """Send what the engine has to send, hand the journal its group, print its notes."""
        engine = self.engine
        ctx = engine.ctx
        outbox = ctx.outbox
        if outbox:
            send_udp = self._udp.send
            tracing = self.trace.enabled
            for peer, data in outbox:
                if tracing:
                    self.trace.sent(self.now_ms(), self._local, peer, data)
                if len(peer) == 3:
                    self._tcp.send(data, peer)
                else:
                    send_udp(data, peer)
            outbox.clear()
        group = engine.take_group()
        if group is not None:
            self._waiting += 1
            if group:
                self._writer.submit(group)
            else:
                self._loop.call_soon(self._committed, [group])
        if ctx.notes:
            self._print_notes(ctx.notes)

    def _print_notes(self, notes: list[str]) -> None:
        """Log lines, as many a second as a person can use: a stranger must not fill the disk with them."""
        second = time.monotonic_ns() // 1_000_000_000
        if second != self._note_second:
            if self._notes_left < 0:
                log.warning("%d more lines were left out", -self._notes_left)
            self._note_second = second
            self._notes_left = NOTES_A_SECOND
        for note in notes[: max(self._notes_left, 0)]:
            log.info("%s", note)
        self._notes_left -= len(notes)
        notes.clear()

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK, self._tick)
        engine = self.engine
        engine.ctx.journal_ok = self._writer.healthy
        if not len(engine.calls):
            self._set_clock()
        now = time.monotonic()
        due = engine.next_due()
        if due is not None and due <= now:
            try:
                engine.advance(now, self.now_ms())
            except Exception:
                log.exception("a timer could not be handled")
        self.flush()
