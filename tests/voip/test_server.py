"""The server on real sockets and the real clock: it rests while nothing happens, and no timer is late for that."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from denwa.voip.calls.journal import BindingEntry, Group
from denwa.voip.context import Trunk
from denwa.voip.server import REST, TICK, Listening, SipServer
from denwa.voip.sip.peer import flow_text
from denwa.voip.sip.trace import Trace
from tests.peers.ports import free_port
from tests.voip.wire import SDP, Wire


class Disk:
    """A journal that takes everything at once."""

    healthy, slow = True, False
    server: SipServer

    def submit(self, group: Group) -> None:
        self.server.journal_done([group])


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """Gateway and phone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", free_port()))
        own.setblocking(False)
        yield own


@pytest.fixture
async def server(peer: socket.socket) -> AsyncIterator[SipServer]:
    address = peer.getsockname()
    port = free_port()
    trunks = (Trunk("pstn", address, frozenset((address,)), True, True),)
    engine = Wire(host="127.0.0.1", port=port, trunks=trunks, voicemail=False).engine
    disk = Disk()
    disk.server = server = SipServer(engine, Trace(0), max_connections=10, on_ended=lambda: None)
    now_ms = server.now_ms()
    contact = f"sip:50010001@127.0.0.1:{address[1]}"
    held = BindingEntry("50010001", contact, "c", 1, now_ms, now_ms + 600_000, flow_text(address), "", "")
    server.restore([held], [])
    await server.open([Listening("127.0.0.1", port)], disk)
    yield server
    server.close()


async def received(peer: socket.socket, start: bytes) -> float:
    """When the next message that starts so has come."""
    while True:
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 65535), 5)
        if data.startswith(start):
            return time.monotonic()


async def test_a_resting_server_looks_at_its_timers_seldom(server: SipServer, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = server.engine.next_due

    def counted() -> float | None:
        looks.append(time.monotonic())
        return look()

    monkeypatch.setattr(server.engine, "next_due", counted)
    while len(looks) < 6:
        await asyncio.sleep(TICK)
    assert looks[-1] - looks[-5] >= 4 * REST - 0.05


async def test_a_message_that_is_lost_is_sent_again_in_time_by_a_server_that_rested(
    server: SipServer, peer: socket.socket
) -> None:
    # RFC 3261 §17.1.1.2: T1
    own = f"127.0.0.1:{peer.getsockname()[1]}"
    invite = (
        f"INVITE sip:+815050010001@denwa.example SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKa\r\n"
        f"From: <sip:+81312345678@{own}>;tag=a\r\nTo: <sip:+815050010001@denwa.example>\r\n"
        "Call-ID: a\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:{own}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\r\n{SDP}"
    )
    while not server.resting:
        await asyncio.sleep(TICK)
    peer.sendto(invite.encode(), ("127.0.0.1", server.engine.ctx.settings.port))
    first = await received(peer, b"INVITE ")
    again = await received(peer, b"INVITE ")
    assert 0.45 < again - first < 0.5 + 3 * TICK + 0.1
