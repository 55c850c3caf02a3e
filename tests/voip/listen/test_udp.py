"""The UDP socket on a real loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from denwa.voip.listen import udp
from denwa.voip.listen.udp import BATCH, GATHER_FROM, MAX_WAITING, UdpListener


class Heard:
    """Collects datagrams, and what had come by each end of a drain."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, tuple[str, int]]] = []
        self.drains: list[int] = []
        self._news = asyncio.Event()

    def receive(self, data: bytes, address: tuple[str, int]) -> None:
        self.datagrams.append((data, address))

    def end_of_drain(self) -> None:
        self.drains.append(len(self.datagrams))
        self._news.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.datagrams) < count:
                self._news.clear()
                await self._news.wait()


def opened() -> tuple[Heard, UdpListener]:
    heard = Heard()
    listener = UdpListener(heard.receive, heard.end_of_drain)
    listener.open("127.0.0.1", 0)
    return heard, listener


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        endpoint.settimeout(10)
        yield endpoint


async def test_datagrams_come_with_their_sender_and_answers_go_back(phone):
    heard, listener = opened()
    phone.sendto(b"hello", listener.address)
    await heard.wait_for(1)
    assert heard.datagrams == [(b"hello", phone.getsockname())]
    listener.send(b"there", phone.getsockname())
    assert phone.recv(100) == b"there"
    listener.close()


async def test_everything_that_waits_is_read_in_bounded_batches(phone):
    heard, listener = opened()
    for count in range(3 * BATCH):
        phone.sendto(b"%d" % count, listener.address)
    await heard.wait_for(3 * BATCH)
    assert [data for data, _ in heard.datagrams] == [b"%d" % count for count in range(3 * BATCH)]
    assert max(after - before for before, after in zip([0, *heard.drains], heard.drains, strict=False)) <= BATCH
    assert len(heard.drains) <= 6
    listener.close()


async def test_many_datagrams_are_let_gather_and_few_are_not(phone, monkeypatch):
    monkeypatch.setattr(udp, "GATHER", 0.3)
    heard, listener = opened()
    for _ in range(GATHER_FROM):
        phone.sendto(b"many", listener.address)
    await heard.wait_for(GATHER_FROM)
    for _ in range(2):
        phone.sendto(b"one more", listener.address)
        await asyncio.sleep(0.01)  # long enough for a reader to be woken
    assert len(heard.datagrams) == GATHER_FROM
    assert listener.fill == 0  # what gathers is no sign of overload
    await heard.wait_for(GATHER_FROM + 2)
    assert heard.drains[-2:] == [GATHER_FROM, GATHER_FROM + 2]
    monkeypatch.setattr(udp, "GATHER", 60)
    phone.sendto(b"alone", listener.address)
    await heard.wait_for(GATHER_FROM + 3)
    listener.close()


async def test_more_than_a_batch_is_not_kept_waiting(phone, monkeypatch):
    monkeypatch.setattr(udp, "GATHER", 60)
    heard, listener = opened()
    for _ in range(2 * BATCH + 1):
        phone.sendto(b"x", listener.address)
    await heard.wait_for(2 * BATCH + 1)
    listener.close()


async def test_a_closed_listener_does_not_look_at_what_gathered(phone, monkeypatch):
    monkeypatch.setattr(udp, "GATHER", 0.01)
    heard, listener = opened()
    for _ in range(GATHER_FROM):
        phone.sendto(b"x", listener.address)
    await heard.wait_for(GATHER_FROM)
    listener.close()
    faults = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    await asyncio.sleep(0.05)
    assert (len(heard.drains), faults) == (1, [])


async def test_it_is_known_how_full_the_buffer_is(phone):
    heard, listener = opened()
    assert listener.fill == 0
    levels = []
    for _ in range(2):
        for _ in range(20):
            phone.sendto(b"x" * 1000, listener.address)
        levels.append(listener.fill)
    assert 0 < levels[0] < levels[1] <= 1
    await heard.wait_for(40)
    assert listener.fill < levels[0]
    listener.close()


async def test_an_address_that_cannot_be_reached_loses_the_datagram_only(phone):
    heard, listener = opened()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        closed = gone.getsockname()
    listener.send(b"lost", closed)
    for host, port in (
        ("localhost", 1),
        ("a\0b", 1),
        ("", 1),
        ("::1", 1),
        ("127.0.0.1", 70_000),
        ("255.255.255.255", 9),
    ):
        listener.send(b"lost", (host, port))  # a name is never looked up: the service would wait for it
    assert listener.dropped == 6
    listener.send(b"x" * 70_000, phone.getsockname())  # longer than a datagram
    listener.send(b"kept", phone.getsockname())
    assert phone.recv(100) == b"kept"
    phone.sendto(b"still here", listener.address)
    await heard.wait_for(1)
    listener.close()


class ReluctantSocket:
    """A fake in place of the socket: takes nothing until told (a real loopback socket is never full)."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.full = True

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        if self.full:
            raise BlockingIOError
        return self.real.sendto(data, address)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


async def test_when_the_socket_is_full_messages_wait_in_order_and_not_without_bound(phone):
    listener = UdpListener(lambda *_: None, lambda: None)
    listener.open("127.0.0.1", 0)
    reluctant = ReluctantSocket(listener._socket)
    listener._socket = reluctant  # type: ignore[assignment]
    phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    for count in range(MAX_WAITING + 5):
        listener.send(b"%d" % count, phone.getsockname())
    assert listener.dropped == 5
    reluctant.full = False
    loop = asyncio.get_running_loop()
    phone.setblocking(False)
    async with asyncio.timeout(10):
        received = [await loop.sock_recv(phone, 100) for _ in range(100)]
    assert received == [b"%d" % count for count in range(100)]
    listener.close()


async def test_ipv6_senders_are_host_and_port():
    heard = Heard()
    listener = UdpListener(heard.receive, heard.end_of_drain)
    listener.open("::1", 0)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("::1", 0))
        endpoint.sendto(b"six", (listener.address[0], listener.address[1]))
        await heard.wait_for(1)
        assert heard.datagrams == [(b"six", endpoint.getsockname()[:2])]
    listener.close()


async def test_a_port_in_use_is_an_os_error(phone):
    with pytest.raises(OSError, match="in use"):
        UdpListener(lambda *_: None, lambda: None).open(*phone.getsockname())
