"""SIP over TLS on real sockets, against Python's own TLS (RFC 3261 §26.2, RFC 5626 §4.4.1; service rule R1)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from denwa.voip.listen.tls import CertificateFault, Certificates, TlsListener
from denwa.voip.sip.peer import CONNECT_TLS, is_tls
from tests.peers.certificates import write_certificate

NAME = "denwa.example"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def message(body: bytes = b"", number: int = 0) -> bytes:
    return b"MESSAGE sip:a@b SIP/2.0\r\nCSeq: %d MESSAGE\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


class Service:
    """A TLS listener with what it heard; `names` are those of servers that it may connect to."""

    def __init__(self, files: tuple[Path, Path], names: dict[tuple[str, int], str], ca: Path | None, **more: Any):
        self.heard: list[tuple[bytes, tuple[str, int, int]]] = []
        self._news = asyncio.Event()
        options: dict[str, Any] = {"max_connections": 10} | more
        self.certificates = Certificates(*files, ca)
        self.listener = TlsListener(
            lambda data, peer: self.heard.append((data, peer)), self._news.set,
            certificates=self.certificates, names=names, **options,
        )  # fmt: skip

    async def wait_for(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.02)

    async def connect(self, ca: Path, version: ssl.TLSVersion | None = None) -> Streams:
        context = ssl.create_default_context(cafile=str(ca))
        if version is not None:
            context.maximum_version = version
        return await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=context, server_hostname=NAME)


@contextlib.asynccontextmanager
async def service(
    files: tuple[Path, Path], names: dict[tuple[str, int], str] | None = None, ca: Path | None = None, **more: Any
) -> AsyncIterator[Service]:
    running = Service(files, names or {}, ca, **more)
    await running.listener.open("127.0.0.1", 0)
    try:
        yield running
    finally:
        running.listener.close()


async def read(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(10):
        return await reader.readexactly(size)


async def at_end(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await reader.read(65536) == b""
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_messages_come_whole_and_answers_go_back_on_the_flow(files, version):
    async with service(files) as running:
        reader, writer = await running.connect(files[0], version)
        stream = message(b"one", 1) + message(b"x" * 60_000, 2)
        writer.write(stream[:20])
        await writer.drain()
        writer.write(stream[20:])
        await running.wait_for(lambda: len(running.heard) == 2)
        assert [data for data, _ in running.heard] == [message(b"one", 1), message(b"x" * 60_000, 2)]
        (peer,) = {peer for _, peer in running.heard}
        assert is_tls(peer)
        assert peer[2] < CONNECT_TLS
        running.listener.send(b"answer", peer)
        assert await read(reader, 6) == b"answer"
        running.listener.send(b"call", (peer[0], peer[1], CONNECT_TLS))  # R4: after a restart the address is known
        assert await read(reader, 4) == b"call"


async def test_a_ping_gets_a_pong(files):  # RFC 5626 §4.4.1
    async with service(files) as running:
        reader, writer = await running.connect(files[0])
        writer.write(b"\r\n\r\n")
        assert await read(reader, 2) == b"\r\n"


async def test_a_phone_is_reached_on_the_connection_it_opened_and_on_no_other(files):
    async with service(files) as running:
        running.listener.send(b"x", ("127.0.0.1", 5061, CONNECT_TLS))
        assert (running.listener.lost, running.listener.connections) == (1, 0)


@contextlib.asynccontextmanager
async def gateway(files: tuple[Path, Path]) -> AsyncIterator[tuple[int, asyncio.Queue[Streams]]]:
    """A TLS server: its port, and who connected."""
    met: asyncio.Queue[Streams] = asyncio.Queue()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    server = await asyncio.start_server(lambda *streams: met.put_nowait(streams), "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], met
    finally:
        server.close()


async def test_a_gateway_is_connected_to_and_what_waited_for_the_handshake_is_sent(files):
    async with gateway(files) as (port, met):
        target = ("127.0.0.1", port)
        async with service(files, {target: NAME}, files[0]) as running:
            for number in range(3):
                running.listener.send(message(number=number), (*target, CONNECT_TLS))
            reader, writer = await asyncio.wait_for(met.get(), 10)
            expected = b"".join(message(number=number) for number in range(3))
            assert await read(reader, len(expected)) == expected
            writer.write(message(b"back"))
            await running.wait_for(lambda: bool(running.heard))
            assert running.heard[0][1][:2] == target
            writer.close()


@pytest.mark.parametrize("wrong", ["another name", "another authority"])
async def test_a_gateway_that_is_not_who_it_should_be_gets_nothing(files, tmp_path, wrong):
    ca = files[0] if wrong == "another name" else write_certificate(tmp_path)[0]
    async with gateway(files) as (port, met):
        target = ("127.0.0.1", port)
        async with service(files, {target: "gateway.example" if wrong == "another name" else NAME}, ca) as running:
            running.listener.send(b"secret", (*target, CONNECT_TLS))
            await running.wait_for(lambda: running.listener.lost == 1)
            assert running.listener.failed_handshakes == 1
            assert met.empty()


@pytest.mark.parametrize("data", [b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", bytes(range(64))])
async def test_who_speaks_no_tls_is_turned_away(files, data):
    async with service(files, partial_seconds=0.2, sweep_seconds=0.05) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.listener.port)
        writer.write(data)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                while await reader.read(4096):
                    pass
        await running.wait_for(lambda: running.listener.connections == 0)
        assert running.heard == []
        writer.close()


async def test_a_connection_counts_before_its_handshake_and_is_swept(files):
    async with service(files, max_connections=2, partial_seconds=0.2, sweep_seconds=0.05) as running:
        silent = [await asyncio.open_connection("127.0.0.1", running.listener.port) for _ in range(3)]
        await running.wait_for(lambda: running.listener.refused == 1)
        for reader, _ in silent:
            assert await at_end(reader)
        assert running.listener.connections == 0
        for _, writer in silent:
            writer.close()


async def test_a_changed_certificate_is_used_for_new_connections_and_the_old_go_on(tmp_path):
    files = write_certificate(tmp_path / "now")
    async with service(files, sweep_seconds=0.02) as running:
        old_ca = tmp_path / "old.pem"
        old_ca.write_bytes(files[0].read_bytes())
        old_reader, old_writer = await running.connect(old_ca)
        before = running.certificates.server
        write_certificate(tmp_path / "now")
        await running.wait_for(lambda: running.certificates.server is not before)
        reader, writer = await running.connect(files[0])
        for r, w in ((old_reader, old_writer), (reader, writer)):
            w.write(b"\r\n\r\n")
            assert await read(r, 2) == b"\r\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            await running.connect(old_ca)


async def test_a_certificate_that_cannot_be_used_leaves_the_old_one_in_force(tmp_path, caplog):
    files = write_certificate(tmp_path)
    async with service(files) as running:
        good = files[0].read_bytes()
        files[0].write_text("no certificate")
        before = running.certificates.server
        assert not running.certificates.reload()
        assert running.certificates.server is before
        assert "the certificate is not changed" in caplog.text
        assert not running.certificates.reload()  # said once, not at every look
        files[0].write_bytes(good)
        assert running.certificates.reload()
        assert running.certificates.reload(always=True)  # SIGHUP


def test_what_is_no_certificate_is_named_with_the_reason(tmp_path):
    certificate, key = write_certificate(tmp_path)
    other = write_certificate(tmp_path / "other")[1]
    cases = [
        (tmp_path / "none.pem", key, "No such file"),
        (certificate, other, "KEY_VALUES_MISMATCH"),
        (key, certificate, "PEM|NO_START_LINE"),
    ]
    for cert_file, key_file, reason in cases:
        with pytest.raises(CertificateFault, match=reason) as met:
            Certificates(cert_file, key_file)
        assert str(cert_file) in str(met.value)


async def test_a_peer_that_closes_in_order_frees_its_place(files):
    async with service(files) as running:
        for _ in range(3):
            reader, writer = await running.connect(files[0])
            writer.write(b"\r\n\r\n")
            await read(reader, 2)
            writer.close()
            await running.wait_for(lambda: running.listener.connections == 0)
