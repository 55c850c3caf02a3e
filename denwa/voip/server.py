"""The SIP service on real sockets, clocks and disk: the short and boring half around the engine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from denwa.voip.calls.cutting import Stop
from denwa.voip.calls.journal import BindingEntry, CallEntry, Group
from denwa.voip.context import HeldGroup
from denwa.voip.engine import SipEngine
from denwa.voip.listen.tcp import Target, TcpListener
from denwa.voip.listen.tls import Certificates, TlsListener
from denwa.voip.listen.udp import UdpListener
from denwa.voip.sip.peer import Peer, is_tls
from denwa.voip.sip.trace import Trace

log = logging.getLogger(__name__)
TICK: Final = 0.02  # seconds between looks at the timers
REST: Final = 0.25  # the same, at most, while nothing is heard and no timer is due
NOTES_A_SECOND: Final = 50
QUIET_TRANSACTIONS: Final = 2_000
QUIET_MESSAGES: Final = 20  # in a tick; REGISTERs leave no transactions behind
# A loop that never has to wait gives the writer's thread neither the interpreter nor, on one core, the processor; and
# the phones that get no 200 send again, so that it never has to wait.
GIVE_WAY: Final = 0.0001  # seconds
# Of a receive buffer. At a quarter for two ticks, calls at a rate that can just be dealt with are not refused, and of a
# flood nothing is lost (measured: 3,000 and 4,500 calls a second).
OVERLOAD_FROM, OVERLOAD_UNTIL, OVERLOAD_TICKS = 0.25, 0.02, 2
QUIET_AFTER: Final = 2.0  # seconds since a tick with more


class Writer(Protocol):
    """The journal writer as the server uses it."""

    @property
    def healthy(self) -> bool: ...

    @property
    def slow(self) -> bool: ...

    def submit(self, group: Group) -> None: ...


class Listening(NamedTuple):
    """An address to listen on, in the order of `EngineSettings.homes`. `tls_port` 0: no TLS."""

    bind: str
    port: int
    tls_port: int = 0


class SipServer:
    """One engine behind its addresses, UDP, TCP and TLS. `on_ended()` is called after calls have ended durably.

    `tls_names`: host names of the gateways reached by TLS, by address and port.
    """

    def __init__(
        self,
        engine: SipEngine,
        trace: Trace,
        *,
        max_connections: int,
        on_ended: Callable[[], None],
        certificates: Certificates | None = None,
        tls_names: Mapping[Target, str] | None = None,
    ) -> None:
        self.engine = engine
        self.trace = trace
        self._on_ended = on_ended
        self._writer: Writer
        self._udps: list[UdpListener] = []
        learn = engine.ctx.own.learn
        self._tcp = TcpListener(
            self._receive,
            self.flush,
            max_connections=max_connections,
            accepted=learn,
            undeliverable=self._undeliverable,
        )
        self._tls: TlsListener | None = None
        if certificates is not None:
            self._tls = TlsListener(
                self._receive,
                self.flush,
                max_connections=max_connections,
                accepted=learn,
                undeliverable=self._undeliverable,
                certificates=certificates,
                names=tls_names if tls_names is not None else {},
                identified=engine.ctx.sources.proven,
                gone=engine.ctx.sources.gone,
            )
        self._local = ""
        self._loop: asyncio.AbstractEventLoop
        self._ticker: asyncio.TimerHandle | None = None
        self._clock_offset = 0
        self._waiting = 0  # groups handed over and not yet on disk
        self._settled: list[asyncio.Future[None]] = []
        self._heard = 0  # messages since the last tick
        self.resting = False  # the next look at the timers is further away than a tick
        self._busy_at = 0.0
        self._giving_way = False
        self._full_ticks = 0
        self._note_second = 0
        self._notes_left = NOTES_A_SECOND
        self._set_clock()

    def _set_clock(self) -> None:
        """Records use the wall clock of the last quiet moment plus the monotonic one: a clock that is set during a
        call changes no duration (C4)."""
        self._clock_offset = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        return (time.monotonic_ns() + self._clock_offset) // 1_000_000

    async def open(self, addresses: Sequence[Listening], writer: Writer) -> None:
        """Start to listen on all addresses. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._local = "{}:{}".format(*addresses[0])
        for index, (host, port, tls_port) in enumerate(addresses):
            udp = UdpListener(partial(self._receive_at, index) if len(addresses) > 1 else self._receive, self.flush)
            udp.open(host, port)
            self._udps.append(udp)
            await self._tcp.open(host, port)
            if self._tls is not None and tls_port:
                await self._tls.open(host, tls_port)
            elif self._tls is not None:
                self._tls.skip()
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

    def cut_call(self, call_id: str, why: Stop = Stop.OPERATOR) -> int:
        """End a call, for the operator unless told otherwise; how many with this Call-ID there were."""
        cut = self.engine.cut_call(call_id.encode(), time.monotonic(), self.now_ms(), why)
        self.flush()
        return cut

    def stop_calls(self, number: str, why: Stop) -> int:
        """End the calls of a subscriber (E.164) that may not go on (L2, N2); how many there were."""
        stopped = self.engine.stop_calls(number, why, time.monotonic(), self.now_ms())
        self.flush()
        return stopped

    def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        for udp in self._udps:
            udp.close()
        self._tcp.close()
        if self._tls is not None:
            self._tls.close()

    @property
    def certificates(self) -> Certificates | None:
        return self._tls.certificates if self._tls is not None else None

    @property
    def ready(self) -> bool:
        return self._ticker is not None and self._writer.healthy

    @property
    def quiet(self) -> bool:
        """So little goes on that a pause of a few milliseconds harms nobody."""
        layer = self.engine.ctx.layer
        few = len(layer.servers) + len(layer.clients) < QUIET_TRANSACTIONS
        return few and time.monotonic() - self._busy_at > QUIET_AFTER

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

    def _look_for_overload(self) -> None:
        """What is lost because a receive buffer is full is sent again, and that makes more of it. Before it comes to
        that, new calls are refused until the buffer is nearly empty."""
        ctx = self.engine.ctx
        fill = max(udp.fill for udp in self._udps)
        self._full_ticks = self._full_ticks + 1 if fill >= OVERLOAD_FROM else 0
        if not ctx.overloaded and self._full_ticks >= OVERLOAD_TICKS:
            ctx.overloaded = True
            log.warning("overloaded: new calls are refused")
        elif ctx.overloaded and fill < OVERLOAD_UNTIL:
            ctx.overloaded = False
            log.warning("no longer overloaded")

    def _receive_at(self, index: int, data: bytes, peer: Peer) -> None:
        """A datagram at one of several addresses: answers and calls to that peer go out from the same."""
        self.engine.ctx.own.learn(peer, index)
        self._receive(data, peer)

    def _receive(self, data: bytes, peer: Peer) -> None:
        self._heard += 1
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
            send_udp = self._udps[0].send if len(self._udps) == 1 else self._send_udp
            if self.trace.enabled:
                self.trace.sent(self.now_ms(), self._local, outbox)
            for peer, data in outbox:
                if len(peer) == 3:
                    self._send_stream(data, peer)
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
        if self.resting:
            self._tick_within(TICK)
        if self._giving_way:
            time.sleep(GIVE_WAY)

    def _send_udp(self, data: bytes, peer: tuple[str, int]) -> None:
        self._udps[self.engine.ctx.own.index(peer)].send(data, peer)

    def _send_stream(self, data: bytes, peer: Peer) -> None:
        if not is_tls(peer):
            self._tcp.send(data, peer)
        elif self._tls is not None:
            self._tls.send(data, peer)
        else:
            self._undeliverable(data)  # a binding from before TLS was switched off

    def _undeliverable(self, data: bytes) -> None:
        self.engine.ctx.counters["dropped", "no connection"] += 1
        self._loop.call_soon(self._give_up, data)  # not at once: it may be `flush` that found no connection

    def _give_up(self, data: bytes) -> None:
        self.engine.undeliverable(data, time.monotonic(), self.now_ms())
        self.flush()

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

    def _tick_within(self, seconds: float) -> None:
        self.resting = seconds > TICK
        if self._ticker is not None:
            self._ticker.cancel()
        self._ticker = self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._tick_within(TICK)
        engine = self.engine
        engine.ctx.journal_ok = self._writer.healthy
        self._giving_way = self._writer.slow
        self._look_for_overload()
        if not len(engine.calls):
            self._set_clock()
        now = time.monotonic()
        heard, self._heard = self._heard, 0
        if heard > QUIET_MESSAGES:
            self._busy_at = now
        due = engine.next_due()
        if due is not None and due <= now:
            try:
                engine.advance(now, self.now_ms())
            except Exception:
                log.exception("a timer could not be handled")
            due = engine.next_due()
        self.flush()
        if not heard and not self._waiting:
            self._tick_within(REST if due is None else min(REST, max(TICK, due - now)))
