"""Ways out for mail: submission to a mail server (M4), or a Maildir for the demonstration."""

from __future__ import annotations

import mailbox
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.ports import DeliveryFault

TIMEOUT = 30.0  # seconds for each step of a delivery
SUBMISSION_PORT = 587  # RFC 6409
SUBMISSIONS_PORT = 465  # RFC 8314: TLS from the first byte


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

    def __init__(self, server: SmtpServer, ca_file: Path | None = None) -> None:
        self._server = server
        try:
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except OSError as fault:
            raise VoicemailSettingsFault(f"mail.ca_file: {ca_file}: {fault}") from None

    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        try:
            with self._connect(sender) as connection:
                if self._server.user:
                    connection.login(self._server.user, self._server.password)
                connection.send_message(mail, from_addr=sender, to_addrs=[recipient])
        except smtplib.SMTPRecipientsRefused as fault:
            status, text = next(iter(fault.recipients.values()))
            raise _refusal(status, text) from None
        except smtplib.SMTPAuthenticationError as fault:
            # Ours to mend, not the recipient's: try again.
            raise DeliveryFault(f"the mail server refused our login: {fault.smtp_code}") from None
        except smtplib.SMTPResponseException as fault:
            raise _refusal(fault.smtp_code, fault.smtp_error) from None
        except (smtplib.SMTPException, OSError) as fault:
            raise DeliveryFault(f"{type(fault).__name__}: {fault}") from None

    def _connect(self, sender: str) -> smtplib.SMTP:
        server, name = self._server, sender.rpartition("@")[2]
        if server.implicit_tls:
            return smtplib.SMTP_SSL(server.host, server.port, name, timeout=TIMEOUT, context=self._tls)
        connection = smtplib.SMTP(server.host, server.port, name, timeout=TIMEOUT)
        try:
            connection.starttls(context=self._tls)
        except BaseException:
            connection.close()
            raise
        return connection


class MaildirTransport:
    """Mail kept in a folder that mail programs can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            maildir = mailbox.Maildir(self._folder, create=True)
            maildir.add(mail.as_bytes(policy=mail.policy.clone(linesep="\n")))
        except OSError as fault:
            raise DeliveryFault(f"{self._folder}: {fault.strerror}") from None


def _refusal(status: int, text: bytes | str) -> DeliveryFault:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return DeliveryFault(f"{status} {words}", permanent=500 <= status < 600)
