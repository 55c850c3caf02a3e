"""SIP over TCP: listeners and their connections both ways, everything bounded (RFC 3261 §18, RFC 5626 §4.4.1)."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Final, cast

from denwa.voip.sip.framing import PONG, FramingFault, KeepAlive, StreamFramer
from denwa.voip.sip.peer import Peer

log = logging.getLogger(__name__)

MAX_UNSENT: Final = 1 << 20  # bytes a peer may leave unread before it is cut off
MAX_CONNECTING: Final = 256
MAX_FOR_ONE: Final = 64  # messages that wait for one connection to open
CONNECT_SECONDS: Final = 5.0
PARTIAL_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 7500.0  # above the longest registration: a phone may be silent between refreshes
SWEEP_SECONDS: Final = 5.0
PARTING_SECONDS: Final = 5.0

Receive = Callable[[bytes, tuple[str, int, int]], None]
Target = tuple[str, int]
_WILDCARDS: Final = ("", "0.0.0.0", "::")


class TcpListener:
    """`receive(message, (host, port, flow))` for every whole message, `end_of_drain()` when none is left for now.

    A flow is a small number that names a connection while it is open. `lost` counts messages that no connection took.
    `accepted(peer, index)` is told of every connection that comes in, and at which of the addresses;
    `undeliverable(data)` of every message that is lost.
    """

    flows: Callable[[], Iterator[int]] = staticmethod(lambda: itertools.count(1))

    def __init__(
        self,
        receive: Receive,
        end_of_drain: Callable[[], None],
        *,
        max_connections: int,
        idle_seconds: float = IDLE_SECONDS,
        partial_seconds: float = PARTIAL_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        sweep_seconds: float = SWEEP_SECONDS,
        accepted: Callable[[Peer, int], None] = lambda peer, index: None,
        undeliverable: Callable[[bytes], None] = lambda data: None,
    ) -> None:
        self.accepted = accepted
        self.undeliverable = undeliverable
        self.receive = receive
        self.end_of_drain = end_of_drain
        self.lost = 0
        self.refused = 0
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._partial_seconds = partial_seconds
        self._connect_seconds = connect_seconds
        self._sweep_seconds = sweep_seconds
        self._flows = self.flows()
        self._connections: dict[int, Connection] = {}
        self._by_address: dict[Target, Connection] = {}
        self._connecting: dict[Target, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._hosts: list[str] = []
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind and start to listen, on one more address at each call. Raises OSError."""
        loop = asyncio.get_running_loop()
        index = len(self._hosts)
        server = await loop.create_server(lambda: self._incoming(index), host, port, backlog=1024)
        self._hosts.append(host)
        self._servers.append(server)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._sweep_seconds, self._sweep)

    def skip(self) -> None:
        """Nothing listens at the next address: the addresses that follow keep their place."""
        self._hosts.append("")

    def _incoming(self, index: int) -> Connection:
        return Connection(self, index)

    def _outgoing(self, target: Target) -> Connection:
        return Connection(self)

    @property
    def port(self) -> int:
        return int(self._servers[0].sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """Stop to listen and cut every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections.values()):
            connection.abort()

    def send(self, data: bytes, peer: Peer) -> None:
        """Send on the peer's connection; when it is gone or none is named, on one to the address, opened if need be."""
        connection = self._connections.get(peer[2]) if len(peer) == 3 else None
        target = (peer[0], peer[1])
        if connection is None:
            connection = self._by_address.get(target)
        if connection is not None:
            connection.send(data)
        else:
            self._connect_and_send(target, data)

    def _connect_and_send(self, target: Target, data: bytes) -> None:
        waiting = self._connecting.get(target)
        if waiting is not None:
            if len(waiting) < MAX_FOR_ONE:
                waiting.append(data)
            else:
                self.lose(data)
            return
        if len(self._connecting) >= MAX_CONNECTING or len(self._connections) >= self._max_connections:
            self.lose(data)
            return
        self._connecting[target] = [data]
        task = asyncio.get_running_loop().create_task(self._connect(target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        # The address phones know is the one we come from; a wildcard leaves it to the system.
        hosts = [host for host in self._hosts if host not in _WILDCARDS and (":" in host) == (":" in target[0])]
        local = (hosts[0], 0) if hosts else None
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(lambda: self._outgoing(target), *target, local_addr=local)
        except (OSError, ValueError, OverflowError) as fault:  # TimeoutError is an OSError
            log.info("no connection to %s port %d: %s", *target, fault or "time is up")
        finally:
            waiting = self._connecting.pop(target)
            if connection is None:
                for data in waiting:
                    self.lose(data)
        if connection is not None:
            for data in waiting:
                connection.send(data)

    def lose(self, data: bytes) -> None:
        """No connection takes it."""
        self.lost += 1
        self.undeliverable(data)

    def opened(self, connection: Connection) -> int:
        """A connection's flow; 0: there are too many."""
        if len(self._connections) >= self._max_connections:
            self.refused += 1
            return 0
        flow = next(self._flows)
        self._connections[flow] = connection
        self._by_address[connection.address] = connection
        if connection.index is not None:
            self.accepted((*connection.address, flow), connection.index)
        return flow

    def closed(self, connection: Connection) -> None:
        self._connections.pop(connection.flow, None)
        if self._by_address.get(connection.address) is connection:
            del self._by_address[connection.address]

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self._sweep_seconds, self._sweep)
        now = loop.time()
        for connection in list(self._connections.values()):
            patience = self._idle_seconds if connection.proven else self._partial_seconds
            if now - connection.last_whole > patience:
                connection.close()


class Connection(asyncio.Protocol):
    """One TCP connection, accepted at the address `index` or (None) opened by us."""

    def __init__(self, listener: TcpListener, index: int | None = None) -> None:
        self._listener = listener
        self.index = index
        self._framer = StreamFramer()
        self._transport: asyncio.Transport
        self._over = False
        self.flow = 0
        self.address: Target = ("", 0)
        self.last_whole = 0.0  # when a whole message or a keep-alive last came
        self.received_one = False

    @property
    def proven(self) -> bool:
        """It has sent a whole message and nothing is half sent: it may be silent for long."""
        return self.received_one and not self._framer.pending

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.last_whole = asyncio.get_running_loop().time()
        if name:
            self.address = (name[0], name[1])
            self.flow = self._listener.opened(self)
        if not self.flow:
            self.abort()
            return
        endpoint: socket.socket = transport.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if not self._over:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """What the peer wrote."""
        fault: FramingFault | None = None
        try:
            items = self._framer.feed(data)
        except FramingFault as met:
            fault = met
            items = met.before
        if items:
            self.last_whole = asyncio.get_running_loop().time()
        self._deliver(items)
        if fault is not None:
            log.info("connection from %s closed: %s", self.address[0], fault)
            if fault.message:
                self._listener.receive(fault.message, (*self.address, self.flow))  # for its 400
        self._listener.end_of_drain()
        if fault is not None:
            self.close()

    def _deliver(self, items: list[bytes | KeepAlive]) -> None:
        peer = (*self.address, self.flow)
        pinged = False
        for item in items:
            if isinstance(item, KeepAlive):
                pinged = True
            else:
                self.received_one = True
                self._listener.receive(item, peer)
        if pinged:
            self.send(PONG)

    def eof_received(self) -> None:
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._listener.closed(self)

    def send(self, data: bytes) -> None:
        if self._over:
            self._listener.lose(data)
            return
        self._write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            log.info("connection to %s cut: it does not read", self.address[0])
            self.abort()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._over = True
        self._listener.closed(self)
        self._transport.close()
        # A peer that never reads would keep the transport, uncounted, for ever.
        asyncio.get_running_loop().call_later(PARTING_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Close at once."""
        self._over = True
        self._listener.closed(self)
        self._transport.abort()
