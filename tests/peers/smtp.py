"""A real mail submission server: STARTTLS with a certificate of its own authority, authentication required."""

from __future__ import annotations

import datetime
import email
import email.policy
import ipaddress
import ssl
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.peers import ports
from tests.peers.events import EventLog

USER, PASSWORD = "denwa", "post-secret"


class MailServer:
    """`server.url` and `server.ca_file` are for the service's settings `mail.smtp_url` and `mail.ca_file`.

    `refuse`: an SMTP answer (`"451 4.3.0 try later"`) given to every message until it is set to "" again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = ports.free_port()
        self.ca_file = folder / "ca.pem"
        self.refuse = ""
        self.log = EventLog("mail server")
        certificate, key = issue_certificate(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            tls_context=context,
            require_starttls=True,
            authenticator=_authenticate,
            auth_required=True,
        )

    @property
    def url(self) -> str:
        return f"smtp://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            self.log.add({"event": "refused"})
            return self.refuse
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken = {"event": "mail", "to": list(envelope.rcpt_tos), "from": envelope.mail_from, "message": message}
        self.log.add(taken | {"wire": envelope.content})
        return "250 2.0.0 taken"

    def mail(self, number: int = 1, timeout: float = 15) -> EmailMessage:
        """The `number`th mail that was taken."""

        def taken(event: dict[str, Any]) -> bool:
            mails = self.log.all(lambda e: e["event"] == "mail")
            return len(mails) >= number and event is mails[number - 1]

        message = self.log.wait(taken, timeout, f"mail {number}")["message"]
        assert isinstance(message, EmailMessage)
        return message

    def wire(self, number: int) -> bytes:
        """The same, already there, as it came."""
        content = self.log.all(lambda e: e["event"] == "mail")[number - 1]["wire"]
        assert isinstance(content, bytes)
        return content

    def refused(self, timeout: float = 15) -> None:
        """Wait until a mail was refused."""
        self.log.wait(lambda event: event["event"] == "refused", timeout, "a mail that is refused")

    @property
    def count(self) -> int:
        return len(self.log.all(lambda e: e["event"] == "mail"))


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=isinstance(data, LoginPassword) and data == good, handled=False)  # the server answers


def issue_certificate(folder: Path) -> tuple[Path, Path]:
    """An authority (ca.pem) and a certificate for 127.0.0.1 and localhost signed by it."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    server = _certificate(subject, ca_name, key.public_key()).add_extension(names, False)
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    certificate, key_file = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return certificate, key_file


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
