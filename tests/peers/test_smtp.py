"""The mail server takes mail as a submission service does: encrypted, and only from who may."""

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.peers.smtp import PASSWORD, USER, MailServer


def _send(server: MailServer, password: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "件名", "a@denwa.example", "b@denwa.example"
    message.set_content("本文")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(server.ca_file)))
        client.login(USER, password)
        client.send_message(message)


def test_mail_is_taken_over_tls_after_login(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        _send(server, PASSWORD)
        assert server.mail()["subject"] == "件名"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            _send(server, "wrong")
        server.refuse = "451 4.3.0 later"
        with pytest.raises(smtplib.SMTPDataError):
            _send(server, PASSWORD)
        assert server.count == 1


def test_mail_without_tls_is_refused(tmp_path: Path) -> None:
    with (
        MailServer(tmp_path) as server,
        smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client,
        pytest.raises(smtplib.SMTPException),
    ):
        client.sendmail("a@denwa.example", "b@denwa.example", "x")
