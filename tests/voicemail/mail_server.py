"""A submission server (aiosmtpd): STARTTLS with a certificate of a made-up authority, and authentication."""

from __future__ import annotations

import asyncio
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "denwa", "p@ss:word/with%"


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """(authority's certificate, server's certificate and key for 127.0.0.1)."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Test authority", "mail server")]
    certificates = []
    for subject, key, is_authority in ((0, 0, True), (1, 1, False)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[subject])
            .issuer_name(names[0])
            .public_key(keys[key].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            names_of_server = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
            builder = builder.add_extension(names_of_server, critical=False)
        certificates.append(builder.sign(keys[0], hashes.SHA256()))
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(certificates[0].public_bytes(serialization.Encoding.PEM))
    secret = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(certificates[1].public_bytes(serialization.Encoding.PEM) + secret)
    return authority, server


class MailServer:
    """`received`: (sender, recipients, bytes) of the mails it took responsibility for, also where it did not say so.

    Its answers: `sender_answer`, `recipient_answer` (or `answers` by recipient), `answer` to the whole mail. `dies`:
    the connection ends without an answer, `before` or `after` it has put the mail away;
    `parting`: after the answer. `hold`: it answers when set.
    """

    def __init__(self, folder: Path, *, implicit_tls: bool = False, offers_tls: bool = True) -> None:
        self.authority, certificate = make_certificates(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._implicit_tls = implicit_tls
        self._offers_tls = offers_tls and not implicit_tls
        self.received: list[tuple[str, list[str], bytes]] = []
        self.sender_answer = "250 OK"
        self.recipient_answer = "250 OK"
        self.answers: dict[str, str] = {}
        self.answer = "250 OK"
        self.dies = ""  # before | after
        self.hold: threading.Event | None = None
        self.waiting = 0  # mails held now
        self._controller: Controller | None = None
        self.port = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_answer.startswith("250"):
            envelope.mail_from = address
        return self.sender_answer

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, self.recipient_answer)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.hold is not None:
            self.waiting += 1
            await asyncio.get_running_loop().run_in_executor(None, self.hold.wait, 30)
            self.waiting -= 1
        if self.answer.startswith("250") and self.dies != "before":
            assert isinstance(envelope.content, bytes)
            self.received.append((envelope.mail_from or "", envelope.rcpt_tos, envelope.content))
        assert server.transport is not None
        if self.dies == "parting":
            asyncio.get_running_loop().call_soon(server.transport.close)
        elif self.dies:
            server.transport.abort()
        return self.answer

    def start(self) -> None:
        def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
            known = isinstance(data, LoginPassword) and (data.login, data.password) == (
                USER.encode(),
                PASSWORD.encode(),
            )
            return AuthResult(success=known, handled=known)

        self._controller = _AnyPort(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=self._tls if self._implicit_tls else None,
            tls_context=self._tls if self._offers_tls else None,
            require_starttls=self._offers_tls,
            authenticator=login,
            auth_required=not self._implicit_tls and self._offers_tls,
            auth_require_tls=not self._implicit_tls,
        )
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def scheme(self) -> str:
        return "smtps" if self._implicit_tls else "smtp"

    def url(self, password: str = "p%40ss%3Aword%2Fwith%25") -> str:
        return f"{self.scheme}://{USER}:{password}@127.0.0.1:{self.port}"


class _AnyPort(Controller):
    """On a free port of the system's choice."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
