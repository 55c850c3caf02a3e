"""Ways out for mail: submission to a mail server (M4), or a Maildir for the demonstration."""

from __future__ import annotations

import mailbox
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.ports import Blame, DeliveryFault

SUBMISSION_PORT = 587  # RFC 6409
SUBMISSIONS_PORT = 465  # RFC 8314: TLS from the first byte


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `step`: for each answer. `mail`: until the server has the whole mail, however slowly it goes on.

    `final`: for its answer to that. Who gives up there sends a second copy (RFC 5321 §4.5.3.2.6).
    """

    connect: float = 10.0  # for each address of the server
    step: float = 60.0
    mail: float = 300.0
    final: float = 600.0


class Step(StrEnum):
    """How far a delivery has come."""

    NAME = "name"
    CONNECTION = "connection"
    TLS = "TLS"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    MAIL = "mail"


Teller = Callable[[Step, str], None]  # is told of each step that was taken


@dataclass(frozen=True, slots=True)
class SmtpServer:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    implicit_tls: bool

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """`smtp://user:password@host:587` (STARTTLS) or `smtps://…`; raises VoicemailSettingsFault."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            raise VoicemailSettingsFault("mail.smtp_url: the port is no number from 1 to 65535") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise VoicemailSettingsFault(
                "mail.smtp_url: write smtp://user:password@host:587 or smtps://user:password@host"
            )
        implicit = parts.scheme == "smtps"
        return cls(
            parts.hostname,
            port or (SUBMISSIONS_PORT if implicit else SUBMISSION_PORT),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            implicit,
        )


class SmtpTransport:
    """Always over TLS with a checked certificate; nothing is sent, least of all the password, without it."""

    def __init__(self, server: SmtpServer, ca_file: Path | None = None, patience: Patience = Patience()) -> None:
        self._server = server
        self._patience = patience
        self._live: set[smtplib.SMTP] = set()
        self._lock = threading.Lock()
        self._aborted = False
        try:
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except OSError as fault:
            raise VoicemailSettingsFault(f"mail.ca_file: {ca_file}: {fault}") from None

    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        self.send(mail, sender, recipient, lambda step, text: None)

    def send(self, mail: EmailMessage, sender: str, recipient: str, tell: Teller) -> None:
        """`deliver` that says how far it has come. Raises DeliveryFault."""
        content = mail.as_bytes()
        connection = self._connect(sender.rpartition("@")[2], tell)
        with self._lock:
            self._live.add(connection)
            aborted = self._aborted
        try:
            if aborted:
                _cut(connection)
            with _bounded(connection, self._patience.mail):
                self._prepare(connection, tell)
                _announce(connection, sender, recipient, len(content), tell)
                _hand_over(connection, content)
            with _bounded(connection, self._patience.final):
                tell(Step.MAIL, _accepted(connection, self._patience.final))
        finally:
            with self._lock:
                self._live.discard(connection)
            _part(connection)
            connection.close()

    def abort(self) -> None:
        with self._lock:
            self._aborted = True
            for connection in self._live:
                _cut(connection)

    def _connect(self, name: str, tell: Teller) -> smtplib.SMTP:
        """The server after its greeting."""
        server = self._server
        try:
            found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        except OSError as fault:
            raise _no_server(f"{server.host}: no address: {fault.strerror or fault}") from None
        tell(Step.NAME, f"{server.host}: " + ", ".join(dict.fromkeys(str(one[4][0]) for one in found)))
        timeout = self._patience.connect
        try:
            if server.implicit_tls:
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, name, timeout=timeout, context=self._tls
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, name, timeout=timeout)
        except ssl.SSLError as fault:
            raise _no_server(f"{server.host}: TLS: {_reason(fault)}") from None
        except smtplib.SMTPConnectError as fault:
            raise _no_server(_reply(fault.smtp_code, fault.smtp_error)) from None
        except (smtplib.SMTPException, OSError) as fault:
            raise _no_server(f"{server.host} port {server.port}: {_reason(fault)}") from None
        tell(Step.CONNECTION, f"{server.host} port {server.port}")
        return connection

    def _prepare(self, connection: smtplib.SMTP, tell: Teller) -> None:
        """TLS and login."""
        server = self._server
        assert connection.sock is not None
        connection.sock.settimeout(self._patience.step)
        with _blaming_the_server(server.host):
            if not server.implicit_tls:
                connection.starttls(context=self._tls)
            connection.ehlo_or_helo_if_needed()
            if isinstance(connection.sock, ssl.SSLSocket):
                tell(Step.TLS, str(connection.sock.version()))
            if server.user:
                connection.login(server.user, server.password)
                tell(Step.LOGIN, f"as {server.user}")


class MaildirTransport:
    """Mail kept in a folder that mail programs can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()  # mailbox.Maildir counts its files without one

    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        try:
            with self._lock:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                maildir = mailbox.Maildir(self.folder, create=True)
                maildir.add(mail.as_bytes(policy=mail.policy.clone(linesep="\n")))
        except OSError as fault:
            raise _no_server(f"{self.folder}: {fault.strerror}") from None

    def abort(self) -> None:
        """A file is written at once."""


@contextmanager
def _bounded(connection: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """Cut the connection after so long: a server that sends a byte now and then never runs into a timeout."""
    watch = threading.Timer(seconds, _cut, [connection])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _announce(connection: smtplib.SMTP, sender: str, recipient: str, size: int, tell: Teller) -> None:
    """MAIL and RCPT."""
    with _blaming_the_server("the mail server"):
        code, text = connection.mail(sender, [f"size={size}"] if connection.has_extn("size") else [])
        if code != 250:
            too_big = code == 552 or text.startswith(b"5.3.4")
            raise _refusal(code, text, Blame.MAIL if too_big else Blame.SERVER)
        tell(Step.SENDER, _reply(code, text))
        code, text = connection.rcpt(recipient)
        if code not in (250, 251):
            raise _refusal(code, text, Blame.RECIPIENT)
        tell(Step.RECIPIENT, _reply(code, text))


def _hand_over(connection: smtplib.SMTP, content: bytes) -> None:
    """DATA, to the dot at its end."""
    with _blaming_the_server("the mail server"):
        code, text = connection.docmd("DATA")
        if code != 354:
            raise _refusal(code, text, Blame.MAIL)
        connection.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")


def _accepted(connection: smtplib.SMTP, patience: float) -> str:
    """The server's answer to the whole mail: now it is responsible. Raises DeliveryFault."""
    try:
        if connection.sock is not None:
            connection.sock.settimeout(patience)
        code, text = connection.getreply()
    except (smtplib.SMTPException, OSError) as fault:
        reason = f"the mail server had the mail and gave no answer, so it may have accepted it: {_reason(fault)}"
        raise DeliveryFault(reason, blame=Blame.SERVER, uncertain=True) from None
    if code != 250:
        raise _refusal(code, text, Blame.MAIL)
    return _reply(code, text)


def _part(connection: smtplib.SMTP) -> None:
    """QUIT; whatever becomes of it changes nothing."""
    with suppress(smtplib.SMTPException, OSError):
        if connection.sock is not None:
            connection.sock.settimeout(1.0)
        connection.quit()


@contextmanager
def _blaming_the_server(host: str) -> Iterator[None]:
    """Faults of the connection, TLS and login are ours to mend: every mail would meet them."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as fault:
        raise _no_server(f"the mail server refused our login: {fault.smtp_code}") from None
    except smtplib.SMTPResponseException as fault:
        raise _no_server(_reply(fault.smtp_code, fault.smtp_error)) from None
    except ssl.SSLError as fault:
        raise _no_server(f"{host}: TLS: {_reason(fault)}") from None
    except (smtplib.SMTPException, OSError) as fault:
        raise _no_server(f"{host}: {_reason(fault)}") from None


def _cut(connection: smtplib.SMTP) -> None:
    """Whoever waits for the server gets an end of file."""
    live = connection.sock
    if live is not None:
        with suppress(OSError):  # closed meanwhile
            # Not SSLSocket's own: it first takes the encryption away, while another thread may be writing.
            socket.socket.shutdown(live, socket.SHUT_RDWR)


def _no_server(text: str) -> DeliveryFault:
    return DeliveryFault(text, blame=Blame.SERVER)


def _refusal(code: int, text: bytes, blame: Blame) -> DeliveryFault:
    """421 is the server that closes, whatever it was asked; a refusal of our own sender is not the mail's fault."""
    blame = Blame.SERVER if code == 421 else blame
    return DeliveryFault(_reply(code, text), permanent=500 <= code < 600 and blame is not Blame.SERVER, blame=blame)


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {words}"


def _reason(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"certificate: {fault.verify_message}"
    return (fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)) or type(fault).__name__
