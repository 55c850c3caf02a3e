"""SIP over TCP on real sockets (RFC 3261 §18, RFC 5626 §4.4.1; service rule R1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from denwa.voip.listen import tcp
from denwa.voip.listen.tcp import TcpListener
from denwa.voip.sip.peer import CONNECT


def message(body: bytes = b"", number: int = 0) -> bytes:
    return b"MESSAGE sip:a@b SIP/2.0\r\nCSeq: %d MESSAGE\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body


class Service:
    """A listener with what it heard."""

    def __init__(self, **more: float) -> None:
        self.listener = TcpListener(self._receive, self._end_of_drain, **({"max_connections": 10} | more))  # type: ignore[arg-type]
        self.heard: list[tuple[bytes, tuple[str, int, int]]] = []
        self.drains = 0
        self.answer: bytes = b""
        self._news = asyncio.Event()

    def _receive(self, data: bytes, peer: tuple[str, int, int]) -> None:
        self.heard.append((data, peer))
        if self.answer:
            self.listener.send(self.answer, peer)

    def _end_of_drain(self) -> None:
        self.drains += 1
        self._news.set()

    async def wait_for(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.02)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.listener.port)


@contextlib.asynccontextmanager
async def service(**more: float) -> AsyncIterator[Service]:
    running = Service(**more)
    await running.listener.open("127.0.0.1", 0)
    try:
        yield running
    finally:
        running.listener.close()


@contextlib.asynccontextmanager
async def far_end() -> AsyncIterator[tuple[int, list[asyncio.StreamReader], list[asyncio.StreamWriter]]]:
    """A server that keeps what connects to it: port, readers, writers."""
    readers: list[asyncio.StreamReader] = []
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        readers.append(reader)
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], readers, writers
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def read(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(10):
        return await reader.readexactly(size)


async def at_end(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            return await reader.read(65536) == b""
        return True


async def test_messages_come_whole_with_the_flow_and_answers_go_back_on_it():
    async with service() as running:
        reader, writer = await running.connect()
        stream = message(b"one", 1) + message(b"two", 2)
        writer.write(stream[:20])
        await writer.drain()
        writer.write(stream[20:])
        await running.wait_for(lambda: len(running.heard) == 2)
        assert [data for data, _ in running.heard] == [message(b"one", 1), message(b"two", 2)]
        (peer,) = {peer for _, peer in running.heard}
        assert peer[:2] == writer.get_extra_info("sockname")
        assert peer[2] > 0
        running.listener.send(b"answer", peer)
        assert await read(reader, 6) == b"answer"


async def test_a_binding_known_by_address_only_is_reached_on_its_open_connection():  # R4, after a restart
    async with service() as running:
        reader, writer = await running.connect()
        host, port = writer.get_extra_info("sockname")
        await running.wait_for(lambda: running.listener.connections == 1)
        running.listener.send(b"call", (host, port, CONNECT))
        assert await read(reader, 4) == b"call"
        assert running.listener.connections == 1


async def test_a_connection_is_opened_once_for_all_that_waits_and_then_used_both_ways():
    async with service() as running, far_end() as (port, readers, writers):
        for number in range(5):
            running.listener.send(message(number=number), ("127.0.0.1", port, CONNECT))
        await running.wait_for(lambda: len(readers) == 1)
        expected = b"".join(message(number=number) for number in range(5))
        assert await read(readers[0], len(expected)) == expected
        writers[0].write(message(b"back"))
        await running.wait_for(lambda: bool(running.heard))
        assert running.heard[0][1][:2] == ("127.0.0.1", port)
        running.listener.send(b"again", running.heard[0][1])
        assert await read(readers[0], 5) == b"again"
        assert len(readers) == 1


async def test_a_flow_that_is_gone_falls_back_to_the_address():  # RFC 3261 §18.2.2
    async with service() as running, far_end() as (port, readers, _):
        running.listener.send(b"hello", ("127.0.0.1", port, 999))
        await running.wait_for(lambda: len(readers) == 1)
        assert await read(readers[0], 5) == b"hello"


async def test_where_nobody_listens_the_messages_are_lost_and_counted():
    async with service() as running:
        async with far_end() as (port, _, _):
            pass
        for _ in range(3):
            running.listener.send(b"x", ("127.0.0.1", port, CONNECT))
        running.listener.send(b"x", ("no-such-host.invalid", 5060, CONNECT))
        await running.wait_for(lambda: running.listener.lost == 4)
        assert running.listener.connections == 0


async def test_what_waits_for_a_connection_is_bounded():
    async with service() as running:
        for _ in range(tcp.MAX_FOR_ONE + 3):
            running.listener.send(b"x", ("127.0.0.1", 1, CONNECT))
        assert running.listener.lost == 3
        for number in range(tcp.MAX_CONNECTING + 5):
            running.listener.send(b"x", (f"127.1.{number // 250}.{number % 250 + 1}", 1, CONNECT))
        assert running.listener.lost >= 3 + 5


async def test_a_ping_gets_a_pong():  # RFC 5626 §4.4.1
    async with service() as running:
        reader, writer = await running.connect()
        writer.write(b"\r\n\r\n")
        assert await read(reader, 2) == b"\r\n"
        writer.write(message())
        await running.wait_for(lambda: bool(running.heard))
        assert running.heard[0][0] == message()


async def test_a_stream_out_of_shape_is_answered_from_its_head_and_closed():
    async with service() as running:
        running.answer = b"400"
        reader, writer = await running.connect()
        writer.write(message(b"fine") + b"A b SIP/2.0\r\nContent-Length: -1\r\n\r\nrest")
        assert await read(reader, 6) == b"400400"
        assert await at_end(reader)
        assert [data for data, _ in running.heard] == [message(b"fine"), b"A b SIP/2.0\r\nContent-Length: -1\r\n\r\n"]
        await running.wait_for(lambda: running.listener.connections == 0)


async def test_more_connections_than_allowed_are_refused_and_the_old_ones_go_on():
    async with service(max_connections=2) as running:
        opened = [await running.connect() for _ in range(2)]
        await running.wait_for(lambda: running.listener.connections == 2)
        reader, _ = await running.connect()
        assert await at_end(reader)
        assert (running.listener.connections, running.listener.refused) == (2, 1)
        running.listener.send(b"x", ("127.0.0.1", 1, CONNECT))
        assert running.listener.lost == 1
        opened[0][1].write(message())
        await running.wait_for(lambda: bool(running.heard))


async def test_a_connection_that_sends_half_a_message_and_stops_is_closed_and_an_idle_phone_is_not():
    async with service(partial_seconds=0.1, idle_seconds=60, sweep_seconds=0.02) as running:
        slow_reader, slow = await running.connect()
        silent_reader, _ = await running.connect()
        _, phone = await running.connect()
        phone.write(message())
        slow.write(message()[:-5])
        assert await at_end(slow_reader)
        assert await at_end(silent_reader)
        assert running.listener.connections == 1
        phone.write(message())
        await running.wait_for(lambda: len(running.heard) == 2)


async def test_a_connection_idle_for_too_long_is_closed():
    async with service(idle_seconds=0.1, sweep_seconds=0.02) as running:
        reader, writer = await running.connect()
        writer.write(message())
        assert await at_end(reader)
        assert len(running.heard) == 1


async def test_a_peer_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr(tcp, "MAX_UNSENT", 100_000)
    async with service() as running:
        _, writer = await running.connect()
        writer.write(message())
        await running.wait_for(lambda: bool(running.heard))
        peer = running.heard[0][1]
        sent = 0
        while running.listener.connections and sent < 1000:
            running.listener.send(b"x" * 65_000, peer)
            sent += 1
        assert running.listener.connections == 0
        assert sent < 1000


async def test_a_closed_connection_frees_its_place():
    async with service(max_connections=1) as running:
        for number in range(3):
            _, writer = await running.connect()
            writer.write(message(number=number))
            await running.wait_for(lambda wanted=number + 1: len(running.heard) == wanted)
            writer.close()
            await running.wait_for(lambda: running.listener.connections == 0)
        assert len({peer[2] for _, peer in running.heard}) == 3


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20_000])
async def test_other_protocols_are_turned_away(data):
    async with service() as running:
        reader, writer = await running.connect()
        writer.write(data)
        assert await at_end(reader)
