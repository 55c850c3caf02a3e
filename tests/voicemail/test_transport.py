"""Handing mails to real mail servers that are slow, refuse, and die at the worst moment (M4)."""

from __future__ import annotations

import email
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path

import pytest

from denwa.voicemail.letters import Kind, Letter, Sender
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.mail.writing import compose
from denwa.voicemail.ports import Blame, DeliveryFault
from denwa.voicemail.transport import MaildirTransport, Patience, SmtpServer, SmtpTransport, Step
from tests.voicemail.mail_server import MailServer

SENDER = "mail-noreply@denwa.example"
RECIPIENT = "taro@example.jp"
LETTER = Letter(Kind.CALL_NOTICE, "+815050010001", "50010001", "", "anonymous", 0)
TEMPLATES = shipped_templates()


def mail() -> EmailMessage:
    written_at = datetime(2026, 11, 22, tzinfo=UTC)
    return compose(LETTER, TEMPLATES, Sender(SENDER, "電話"), RECIPIENT, "<x@denwa.example>", written_at, b"RIFF" * 900)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with running(MailServer(tmp_path)) as server:
        yield server


@contextmanager
def running(server: MailServer) -> Iterator[MailServer]:
    server.start()
    try:
        yield server
    finally:
        if server.hold is not None:
            server.hold.set()
        server.stop()


def transport(server: MailServer, patience: Patience | None = None) -> SmtpTransport:
    return SmtpTransport(SmtpServer.from_url(server.url()), server.authority, patience or Patience())


def fault_of(work: Callable[[], object]) -> DeliveryFault:
    with pytest.raises(DeliveryFault) as raised:
        work()
    return raised.value


def deliver(server: MailServer, patience: Patience | None = None) -> None:
    transport(server, patience).deliver(mail(), SENDER, RECIPIENT)


def test_port_465_is_tls_from_the_first_byte(tmp_path: Path) -> None:
    """M4, RFC 8314"""
    with running(MailServer(tmp_path, implicit_tls=True)) as server:
        deliver(server)
        assert [recipients for _, recipients, _ in server.received] == [[RECIPIENT]]


def test_server_without_starttls_gets_neither_mail_nor_password(tmp_path: Path) -> None:
    with running(MailServer(tmp_path, offers_tls=False)) as server:
        fault = fault_of(lambda: deliver(server))
        assert fault.blame is Blame.SERVER
        assert "STARTTLS" in str(fault)
        assert server.received == []


def test_server_that_takes_tls_on_465_for_starttls_is_a_fault_and_not_a_hang(tmp_path: Path) -> None:
    with running(MailServer(tmp_path, implicit_tls=True)) as server:
        plain = SmtpServer.from_url(server.url().replace("smtps:", "smtp:"))
        patience = Patience(connect=1.0)
        fault = fault_of(lambda: SmtpTransport(plain, server.authority, patience).deliver(mail(), SENDER, RECIPIENT))
        assert fault.blame is Blame.SERVER


@pytest.mark.parametrize(("dies", "accepted"), [("before", 0), ("after", 1)])
def test_server_that_dies_between_the_mail_and_its_answer_leaves_it_uncertain(
    server: MailServer, dies: str, accepted: int
) -> None:
    """M4"""
    server.dies = dies
    fault = fault_of(lambda: deliver(server))
    assert fault.uncertain
    assert not fault.permanent
    assert fault.blame is Blame.SERVER
    assert len(server.received) == accepted
    server.dies = ""
    deliver(server)
    assert len(server.received) == accepted + 1
    assert len({content for _, _, content in server.received}) == 1  # the same mail, by every header


def test_mail_is_accepted_when_the_server_says_so_whatever_it_does_next(server: MailServer) -> None:
    """M4: a mail that was accepted is not sent again."""
    server.dies = "parting"
    deliver(server)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("attribute", "answer", "blame", "permanent"),
    [
        ("sender_answer", "550 5.7.1 this is not your sender", Blame.SERVER, False),
        ("sender_answer", "552 5.3.4 too big", Blame.MAIL, True),
        ("sender_answer", "452 4.3.1 disk full", Blame.SERVER, False),
        ("recipient_answer", "550 5.1.1 no such user", Blame.RECIPIENT, True),
        ("recipient_answer", "450 4.2.1 greylisted", Blame.RECIPIENT, False),
        ("recipient_answer", "421 4.3.2 going down", Blame.SERVER, False),
        ("answer", "554 5.7.1 spam", Blame.MAIL, True),
        ("answer", "451 4.3.0 later", Blame.MAIL, False),
    ],
)
def test_refusal_says_who_is_to_blame(
    server: MailServer, attribute: str, answer: str, blame: Blame, permanent: bool
) -> None:
    """M4"""
    setattr(server, attribute, answer)
    fault = fault_of(lambda: deliver(server))
    assert (str(fault), fault.blame, fault.permanent, fault.uncertain) == (answer, blame, permanent, False)
    assert server.received == []


@contextmanager
def talker(said: bytes, pause: float) -> Iterator[int]:
    """The port of a server that says a byte now and then, for ever."""
    over = threading.Event()

    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            for byte in said * 1000:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                if over.wait(pause):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        done = threads.submit(talk)
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            done.result()


def test_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with talker(b"", 0) as port, pytest.raises(DeliveryFault) as raised:
        SmtpTransport(SmtpServer.from_url(f"smtp://127.0.0.1:{port}"), None, Patience(connect=0.3)).deliver(
            mail(), SENDER, RECIPIENT
        )
    assert raised.value.blame is Blame.SERVER


def test_server_that_says_a_byte_now_and_then_is_cut_in_the_end() -> None:
    """No timeout of a single read ever comes."""
    greeting = b"220 mail.example\r\n"
    with talker(greeting + b"250-x\r\n" * 10_000, 0.001) as port:
        server = SmtpServer.from_url(f"smtp://127.0.0.1:{port}")
        patience = Patience(connect=30, step=30, mail=1.0)
        begun = time.monotonic()
        fault = fault_of(lambda: SmtpTransport(server, None, patience).deliver(mail(), SENDER, RECIPIENT))
        assert time.monotonic() - begun < 20
    assert fault.blame is Blame.SERVER


def test_server_that_never_answers_the_mail_is_given_up_as_uncertain(server: MailServer) -> None:
    server.hold = threading.Event()
    fault = fault_of(lambda: deliver(server, Patience(final=0.3)))
    assert fault.uncertain


def test_delivery_that_is_aborted_ends_at_once(server: MailServer) -> None:
    server.hold = threading.Event()
    way = transport(server)
    with ThreadPoolExecutor(1) as threads:
        going = threads.submit(way.deliver, mail(), SENDER, RECIPIENT)
        deadline = time.monotonic() + 20
        while not server.waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.waiting == 1
        way.abort()
        assert isinstance(going.exception(timeout=10), DeliveryFault)
    assert server.received == []


def test_each_step_is_told(server: MailServer) -> None:
    steps: list[Step] = []
    transport(server).send(mail(), SENDER, RECIPIENT, lambda step, text: steps.append(step))
    assert steps == list(Step)


def test_lines_that_begin_with_a_dot_arrive_as_they_are(server: MailServer) -> None:
    """RFC 5321 §4.5.2"""
    plain = EmailMessage(policy=SMTP)
    plain["Subject"] = "x"
    plain.set_content(".\n..a\n.\nend\n", cte="7bit")
    transport(server).deliver(plain, SENDER, RECIPIENT)
    [(_, _, content)] = server.received
    got = email.message_from_bytes(content, policy=default)
    assert isinstance(got, EmailMessage)
    assert got.get_content().replace("\r\n", "\n") == ".\n..a\n.\nend\n"


def test_mails_that_are_kept_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    kept = MaildirTransport(tmp_path / "new folder" / "mail")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: kept.deliver(mail(), SENDER, RECIPIENT), range(40)))
    assert len(list((tmp_path / "new folder" / "mail" / "new").iterdir())) == 40


def test_folder_that_cannot_be_written_to_is_ours_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fault = fault_of(lambda: MaildirTransport(tmp_path / "file" / "mail").deliver(mail(), SENDER, RECIPIENT))
    assert fault.blame is Blame.SERVER
