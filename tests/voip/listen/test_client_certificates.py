"""A gateway that is known by the name in its certificate (C2, RFC 5922)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from denwa.voip.gateways.sources import Sources
from denwa.voip.gateways.trunk import Trunk
from denwa.voip.listen.tls import Certificates, TlsListener
from denwa.voip.sip.peer import Peer
from tests.peers.certificates import write_certificate

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"
CARRIER = "sbc.carrier.example"
Pair = tuple[Path, Path]


class Seen:
    """What a listener tells the engine: whose requests these are."""

    def __init__(self) -> None:
        trunk = Trunk("carrier", ("192.0.2.1", 5061), frozenset(), True, False, certificates=frozenset((CARRIER,)))
        self.sources = Sources([trunk])
        self.names: list[Sequence[str]] = []
        self.requests: list[str] = []
        self.gone: list[Peer] = []
        self.news = asyncio.Event()

    def receive(self, data: bytes, peer: Peer) -> None:
        known = self.sources.of(peer)
        self.requests.append(known.name if known else "stranger")
        self.news.set()

    def identified(self, peer: Peer, names: Sequence[str]) -> None:
        self.names.append(names)
        self.sources.proven(peer, names)

    def lost(self, peer: Peer) -> None:
        self.gone.append(peer)
        self.sources.gone(peer)
        self.news.set()


def run(own: Pair, ca: Path, shown: Pair | None, *, ask: bool = True) -> Seen:
    """One connection that shows this certificate (or none) and sends one request."""
    seen = Seen()

    async def connect() -> None:
        listener = TlsListener(seen.receive, lambda: None, max_connections=5, names={}, identified=seen.identified,
                               gone=seen.lost, certificates=Certificates(*own, ca, ask_clients=ask))  # fmt: skip
        await listener.open("127.0.0.1", 0)
        context = ssl.create_default_context(cafile=str(own[0]))
        if shown is not None:
            context.load_cert_chain(*shown)
        try:
            async with asyncio.timeout(10):
                _, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context,
                                                          server_hostname="denwa.example")  # fmt: skip
                writer.write(OPTIONS)
                await seen.news.wait()
                writer.close()
                while not seen.gone:
                    seen.news.clear()
                    await seen.news.wait()
        finally:
            listener.close()

    asyncio.run(connect())
    return seen


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_certificate(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_certificate(tmp_path_factory.mktemp("carrier"), CARRIER)


def test_a_connection_whose_certificate_names_a_gateway_is_that_gateway(own: Pair, carrier: Pair) -> None:  # C2
    seen = run(own, carrier[0], carrier)
    assert seen.requests == ["carrier"]
    assert seen.names == [[CARRIER]]
    assert seen.sources.of(seen.gone[0]) is None  # and only as long as it stands


def test_a_phone_shows_none_and_is_a_stranger(own: Pair, carrier: Pair) -> None:  # C2
    assert run(own, carrier[0], None).requests == ["stranger"]


def test_a_certificate_of_authorities_that_nobody_knows_ends_the_connection(
    own: Pair, carrier: Pair, tmp_path: Path
) -> None:  # C2
    forged = write_certificate(tmp_path, CARRIER)
    assert run(own, carrier[0], forged).requests == []


def test_the_name_of_another_is_a_stranger(own: Pair, carrier: Pair, tmp_path: Path) -> None:  # C2
    other = write_certificate(tmp_path, "phone.example")
    assert run(own, other[0], other).requests == ["stranger"]


def test_where_no_gateway_is_known_so_nobody_is_asked(own: Pair, carrier: Pair) -> None:
    seen = run(own, carrier[0], carrier, ask=False)
    assert (seen.requests, seen.names) == (["stranger"], [])
