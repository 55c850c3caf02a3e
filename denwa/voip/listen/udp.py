"""The UDP socket: a non-blocking socket drained on each wake-up, which costs a quarter of asyncio's own transport.

After an idle moment the first messages cost several times as much as those that follow them (another program had the
processor's cache). So when many come, they are let gather for a few milliseconds, and dealt with in one go.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

BATCH: Final = 64  # datagrams taken on one wake-up, so that timers and other sockets get their turn
GATHER_FROM: Final = 8  # datagrams found on one wake-up
GATHER: Final = 0.005  # seconds
BUFFER: Final = 4 << 20
MAX_WAITING: Final = 10_000
MAX_LITERALS: Final = 50_000
MAX_DATAGRAM: Final = 65_535
_SO_MEMINFO: Final = 55  # socket(7), Linux 4.12: bytes in the receive buffer, its size, and more
_MEMORY: Final = struct.Struct("=2I")


class UdpListener:
    """`receive(data, address)` for every datagram, `end_of_drain()` when none is left for now."""

    def __init__(self, receive: Callable[[bytes, tuple[str, int]], None], end_of_drain: Callable[[], None]) -> None:
        self._receive = receive
        self._end_of_drain = end_of_drain
        self._socket: socket.socket
        self._waiting: deque[tuple[bytes, tuple[str, int]]] = deque()
        self._literals: set[str] = set()
        self._loop: asyncio.AbstractEventLoop
        self._gathering: asyncio.Handle | None = None  # the next look at the socket, which wakes nobody until then
        # Asked for a datagram, Python would take 64 KiB from the heap each time and give nearly all of it back.
        self._buffer = memoryview(bytearray(MAX_DATAGRAM))
        self.dropped = 0  # datagrams that could not be sent

    def open(self, host: str, port: int) -> None:
        """Bind and start to read. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self._socket.bind((host, port))
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are bound."""
        name = self._socket.getsockname()
        return name[0], name[1]

    def close(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    @property
    def fill(self) -> float:
        """The share of the receive buffer that is taken (0 to 1): what comes when it is full is lost. What is let
        gather does not count."""
        if isinstance(self._gathering, asyncio.TimerHandle):
            return 0.0
        taken, size = _MEMORY.unpack_from(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64))
        return min(1.0, taken / size) if size else 0.0

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send now, or when the socket takes it again. An address that cannot be reached loses the datagram."""
        if address[0] not in self._literals and not self._is_literal(address[0]):
            self.dropped += 1
            return
        if self._waiting:
            self._queue(data, address)
            return
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._send_waiting)
            self._queue(data, address)
        except (OSError, ValueError, OverflowError, TypeError):
            self.dropped += 1

    def _is_literal(self, host: str) -> bool:
        """Whether `host` is an address: a name would be looked up by the system, and the whole service would wait."""
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        except (OSError, ValueError):
            return False
        if len(self._literals) >= MAX_LITERALS:
            self._literals.clear()
        self._literals.add(host)
        return True

    def _queue(self, data: bytes, address: tuple[str, int]) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((data, address))
        else:
            self.dropped += 1

    def _send_waiting(self) -> None:
        while self._waiting:
            data, address = self._waiting[0]
            try:
                self._socket.sendto(data, address)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                self.dropped += 1
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def _drain(self) -> None:
        read, receive, buffer = self._socket.recvfrom_into, self._receive, self._buffer
        found = 0
        try:
            while found < BATCH:
                size, address = read(buffer)
                found += 1
                receive(buffer[:size].tobytes(), address if len(address) == 2 else address[:2])
        except BlockingIOError:
            pass
        except OSError:  # an ICMP error of an earlier send
            pass
        self._end_of_drain()
        self._look_again(found)

    def _look_again(self, found: int) -> None:
        """At once while the socket is not empty, later while many come, else as soon as something comes."""
        if found >= GATHER_FROM:
            if self._gathering is None:
                self._loop.remove_reader(self._socket)
            if found == BATCH:
                self._gathering = self._loop.call_soon(self._drain)
            else:
                self._gathering = self._loop.call_later(GATHER, self._drain)
        elif self._gathering is not None:
            self._gathering = None
            self._loop.add_reader(self._socket, self._drain)
