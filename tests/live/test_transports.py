"""Calls over TLS and IPv6 with real telephones (R1, R4; issue 4 «Transports»): sound, records, certificates."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, account, converse, login
from tests.peers import ports, wav
from tests.peers.certificates import write_certificate
from tests.peers.phone import Phone
from tests.peers.service import DOMAIN, Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


class SecureService(Service):
    """`denwa serve --demo` on 127.0.0.1 and ::1, both with UDP, TCP and TLS, and on 127.0.0.2 without TLS."""

    def __post_init__(self) -> None:
        self.certificate, self.key = write_certificate(self.folder / "tls")
        self.tls_port = ports.free_port()
        self.ipv6_port = ports.free_port()
        self.other_port = ports.free_port()
        self.config = (
            f'[sip]\ntls_port = {self.tls_port}\ntls_certificate = "{self.certificate}"\ntls_key = "{self.key}"\n'
            f'[[sip.listen]]\nbind = "::1"\nport = {self.ipv6_port}\ntls_port = {self.tls_port}\n'
            f'[[sip.listen]]\nbind = "127.0.0.2"\nport = {self.other_port}\n'
        )
        super().__post_init__()

    def secure_phone(self, number: str, *, srtp: bool = False) -> Phone:
        return Phone(
            self.folder, account(number), password=str(login(number)["password"]), domain=DOMAIN, srtp=srtp,
            service=f"127.0.0.1:{self.tls_port}", transport="tls", ca_file=self.certificate,
        )  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureService]:
    with SecureService(tmp_path_factory.mktemp("secure")) as running:
        yield running


@pytest.mark.parametrize("by_callee", [True, False])
def test_a_phone_on_tls_and_one_on_udp_hear_each_other(service: SecureService, by_callee: bool) -> None:
    """R1: Record-Route leads each side back over its own transport, so the BYEs of both arrive (RFC 5658)."""
    with service.secure_phone(ALICE) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call(BOB)
        heard = bob.incoming()
        converse(service, call, heard, 2.5, by_callee=by_callee)
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, bob.voice) > 0.9


def test_a_phone_on_tls_is_called_on_the_connection_it_opened(service: SecureService) -> None:
    with service.secure_phone(BOB) as bob, service.phone(account(ALICE)) as alice:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call(BOB)
        converse(service, call, bob.incoming(), 1)


def test_srtp_between_two_phones_passes_through(service: SecureService) -> None:
    """RTP/SAVP and a=crypto are theirs; the sound is heard, so the keys arrived whole."""
    with service.secure_phone(ALICE, srtp=True) as alice, service.secure_phone(BOB, srtp=True) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call(BOB)
        heard = bob.incoming()
        converse(service, call, heard, 2.5)
        assert wav.likeness(heard.recording, alice.voice) > 0.9


def test_two_baresips_on_ipv6_hear_each_other(service: SecureService) -> None:
    address = f"[::1]:{service.ipv6_port}"
    with (
        service.baresip(account(ALICE), address=address, ipv6=True, answer=False) as alice,
        service.baresip(account(BOB), address=address, ipv6=True) as bob,
    ):
        alice.registered()
        bob.registered()
        alice.dial(BOB)
        bob.wait("CALL_ESTABLISHED")
        alice.wait("CALL_ESTABLISHED")
        talk(2.5)
        alice.hangup()
        bob.wait("CALL_CLOSED")
        assert wav.likeness(bob.heard(), alice.voice) > 0.9
    record = eventually(lambda: [row for row in service.calls() if row["caller"] == ALICE and row["ended_at"]])[-1]
    assert (record["callee"], record["end_cause"]) == (BOB, "caller")


def test_a_baresip_on_tls_registers(service: SecureService) -> None:
    with service.baresip(
        account(ALICE), address=f"127.0.0.1:{service.tls_port}", transport="tls", ca_file=service.certificate
    ) as one:
        one.registered()


def test_an_answer_comes_from_the_address_that_was_asked(service: SecureService) -> None:
    asked = [("127.0.0.1", service.sip_port), ("127.0.0.2", service.other_port), ("::1", service.ipv6_port)]
    for number, (host, port) in enumerate(asked):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as phone:
            phone.bind(("::1" if ":" in host else "127.0.0.1", 0))
            phone.settimeout(10)
            phone.sendto(
                "OPTIONS sip:denwa.example SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP phone.example;branch=z9hG4bKasked{number};rport\r\n"
                "From: <sip:x@denwa.example>;tag=1\r\nTo: <sip:denwa.example>\r\nCSeq: 1 OPTIONS\r\n"
                f"Call-ID: asked-{number}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode(),
                (host, port),
            )
            answer, source = phone.recvfrom(65_536)
            assert answer.startswith(b"SIP/2.0 200 ")
            assert source[:2] == (host, port)


def handshake(service: SecureService, ca: Path, host: str = "127.0.0.1") -> bytes:
    """Connect, check the certificate against `ca`, ping; the pong."""
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection((host, service.tls_port), 10) as plain,
        context.wrap_socket(plain, server_hostname="denwa.example") as secure,
    ):
        secure.settimeout(10)
        secure.sendall(b"\r\n\r\n")
        return secure.recv(10)


def test_a_renewed_certificate_is_used_without_a_restart(service: SecureService) -> None:
    assert handshake(service, service.certificate) == b"\r\n"
    assert handshake(service, service.certificate, "::1") == b"\r\n"
    old = service.folder / "old.pem"
    old.write_bytes(service.certificate.read_bytes())
    with service.secure_phone(ALICE) as alice:
        alice.register()
        write_certificate(service.folder / "tls")
        os.kill(service.pid, signal.SIGHUP)

        def renewed() -> bool:
            try:
                return handshake(service, service.certificate) == b"\r\n"
            except ssl.SSLCertVerificationError:
                return False

        eventually(renewed)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(service, old)
        alice.register()  # on the connection it has
    assert service.healthy()
    assert "denwa_tls_certificate_expires" in service.metrics()
