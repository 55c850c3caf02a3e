"""`denwa mail`: the outbox as an operator sees it, and a test of the mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from denwa.storage.engine import open_engine
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.letters import Kind, Letter
from denwa.voicemail.ports import Envelope, Recording
from tests.cli.terminal import Terminal
from tests.voicemail.mail_server import MailServer

NUMBER = "05050010001"
E164 = "+815050010001"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.setenv("DENWA_DATA_DIR", str(tmp_path / "data"))
    terminal = Terminal(tmp_path / "data", monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "山田", "--mail", "taro@example.jp", "--number", NUMBER)
    return terminal


@contextmanager
def stores(terminal: Terminal) -> Iterator[tuple[MailboxStore, OutboxStore]]:
    engine = open_engine(f"sqlite:///{terminal.data_dir / 'denwa.db'}")
    try:
        yield MailboxStore(engine), OutboxStore(engine)
    finally:
        engine.dispose()


def deposit(terminal: Terminal, lease: str) -> int:
    """A message recorded a minute ago, with its mail; the id of the message."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    recording = Recording(lease, E164, "+819012345678", "", "c@x", 486, at, at, 1000, 9, f"815050010001/{lease}.wav")
    letter = Letter(Kind.MESSAGE_NOTICE, E164, "50010001", "+819012345678", "", 0, 1000, 0, 10, True, 7)
    with stores(terminal) as (mailboxes, _):
        message = mailboxes.deposit(recording, Envelope(f"<{lease}@x.example>", "taro@example.jp", letter), at)
    assert message is not None
    return message


def became(terminal: Terminal, what: Callable[[OutboxStore, int], None]) -> None:
    """Something happens to the mail that is due longest."""
    with stores(terminal) as (_, outbox):
        queued = outbox.claim("node", datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=5))
        assert queued is not None
        what(outbox, queued.id)


def test_every_mail_is_listed_with_what_became_of_it(terminal: Terminal) -> None:
    # M4 O1
    for lease in "abc":
        deposit(terminal, lease)
    became(terminal, lambda outbox, mail: outbox.sent(mail, NOW, with_sound=True, discard=False))
    became(terminal, lambda outbox, mail: outbox.failed(mail, "550 no such user", None))
    became(terminal, lambda outbox, mail: outbox.failed(mail, "451 later", NOW + timedelta(minutes=1)))
    lines = terminal.done("mail", "list").out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["3", "waiting", "050-5001-0001"],
        ["2", "undeliverable", "050-5001-0001"],
        ["1", "sent", "050-5001-0001"],
    ]
    assert "next 2026-11-21 21:01:00, attempt 1: 451 later" in lines[0]
    assert "given up after 1 attempts: 550 no such user" in lines[1]
    assert "2026-11-21 21:00:00  with the recording" in lines[2]
    [waiting] = terminal.done("mail", "list", "--state", "waiting", "--number", NUMBER, "--json").json
    assert (waiting["id"], waiting["attempts"], waiting["recipient"]) == (3, 1, "taro@example.jp")
    assert terminal.done("mail", "list", "--number", "05050010002", "--json").json == []
    assert len(terminal.done("mail", "list", "--most", "1").out.splitlines()) == 1


def test_one_mail_is_shown_without_what_it_says(terminal: Terminal) -> None:
    # K5
    deposit(terminal, "a")
    shown = terminal.done("mail", "show", "1").out
    assert "message-notice" in shown
    assert "<a@x.example>" in shown
    assert "90-1234-5678" not in shown
    assert "9012345678" not in shown
    assert terminal.done("mail", "show", "1", "--json").json["state"] == "waiting"
    assert "there is no mail 2" in terminal("mail", "show", "2").err


def test_a_message_is_shown_with_the_state_of_its_mail(terminal: Terminal) -> None:
    message = deposit(terminal, "a")
    became(terminal, lambda outbox, mail: outbox.sent(mail, NOW, with_sound=True, discard=False))
    assert "mails           1 sent" in terminal.done("voicemail", "show", NUMBER, str(message)).out
    [mail] = terminal.done("voicemail", "show", NUMBER, str(message), "--json").json["mails"]
    assert (mail["state"], mail["with_sound"]) == ("sent", True)


def test_a_mail_that_was_given_up_is_tried_again_and_its_address_with_it(terminal: Terminal) -> None:
    # M4
    deposit(terminal, "a")
    became(terminal, lambda outbox, mail: outbox.failed(mail, "550 5.1.1 unknown", None))
    with stores(terminal) as (_, outbox):
        assert outbox.refused("taro@example.jp", "550 5.1.1 unknown", NOW, most=1)
    assert "550 5.1.1 unknown" in terminal.done("mail", "blocked").out
    assert terminal.done("mail", "show", "1", "--json").json["address_blocked"] == "550 5.1.1 unknown"
    terminal.done("mail", "retry", "1")
    [mail] = terminal.done("mail", "list", "--json").json
    assert (mail["state"], mail["attempts"], mail["address_blocked"]) == ("waiting", 0, "")
    assert terminal.done("mail", "blocked", "--json").json == []
    became(terminal, lambda outbox, mail: outbox.sent(mail, NOW, with_sound=True, discard=False))
    assert "mail 1 was sent" in terminal("mail", "retry", "1").err
    assert "there is no mail 9" in terminal("mail", "retry", "9").err


def test_an_address_is_unblocked(terminal: Terminal) -> None:
    with stores(terminal) as (_, outbox):
        outbox.refused("taro@example.jp", "550 5.1.1 unknown", NOW, most=1)
    [row] = terminal.done("mail", "blocked", "--json").json
    assert (row["address"], row["reason"]) == ("taro@example.jp", "550 5.1.1 unknown")
    terminal.done("mail", "unblock", "taro@example.jp")
    assert terminal.done("mail", "blocked").out == ""
    assert terminal("mail", "unblock", "taro@example.jp").code == 1


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    server = MailServer(tmp_path)
    server.start()
    monkeypatch.setenv("DENWA_MAIL__SMTP_URL", server.url())
    monkeypatch.setenv("DENWA_MAIL__CA_FILE", str(server.authority))
    yield server
    server.stop()


def test_a_test_mail_says_each_step_and_arrives(terminal: Terminal, server: MailServer) -> None:
    # M4
    said = terminal.done("mail", "test", "hanako@example.jp", "--language", "en").out
    steps = [line.split()[0] for line in said.splitlines()]
    assert steps == ["name", "connection", "TLS", "login", "sender", "recipient", "mail", "Message-ID"]
    [(_, recipients, content)] = server.received
    assert recipients == ["hanako@example.jp"]
    mail = message_from_bytes(content, policy=default)
    assert mail["subject"] == "【Denwa】Test mail"
    assert str(mail["message-id"]) in said


@pytest.mark.parametrize(
    ("change", "failed_at", "reason"),
    [
        ({"mail__smtp_url": "smtp://u:p@nowhere.invalid"}, "name", "no address"),
        ({"mail__smtp_url": "smtp://u:p@127.0.0.1:1"}, "connection", "refused"),
        ({"mail__ca_file": ""}, "TLS", "certificate"),
        ({"mail__smtp_url": "WRONG"}, "login", "535"),
        ({"sender_answer": "550 not you"}, "sender", "550 not you"),
        ({"recipient_answer": "550 nobody"}, "recipient", "550 nobody"),
        ({"answer": "554 spam"}, "mail", "554 spam"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_test_mail_names_the_step_that_fails(
    terminal: Terminal,
    server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    failed_at: str,
    reason: str,
) -> None:
    for name, value in change.items():
        if "__" not in name:
            setattr(server, name, value)
        elif value:
            monkeypatch.setenv("DENWA_" + name.upper(), server.url("wrong") if value == "WRONG" else value)
        else:
            monkeypatch.delenv("DENWA_" + name.upper())
    answer = terminal("mail", "test", "hanako@example.jp")
    assert answer.code == 1
    assert answer.err.startswith(f"denwa: {failed_at}: ")
    assert reason in answer.err
    assert "wrong" not in answer.err
    assert server.received == []


def test_without_a_mail_server_the_test_mail_is_kept_in_a_folder(terminal: Terminal) -> None:
    assert str(terminal.data_dir / "mail") in terminal.done("mail", "test", "hanako@example.jp").out
    assert len(list((terminal.data_dir / "mail" / "new").iterdir())) == 1


def test_what_is_no_address_is_a_mistake_of_the_caller(terminal: Terminal) -> None:
    assert terminal("mail", "test", "nobody").code == 2
    assert terminal("mail", "test", "太郎@example.jp").code == 2


def test_fault_of_a_template_is_told_with_file_and_line_by_the_check_and_the_service(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "templates" / "ja" / "call-notice.txt"
    template.parent.mkdir(parents=True)
    template.write_text("Subject: 着信\n\n{{ caler }}\n", encoding="utf-8")
    monkeypatch.setenv("DENWA_MAIL__TEMPLATES", str(template.parents[1]))
    for command in (("config", "check"), ("serve",), ("mail", "test", "hanako@example.jp")):
        ended = terminal(*command)
        assert ended.code == 2
        assert f"{template}:3: there is no {{{{ caler }}}} in this mail" in ended.err
    monkeypatch.setenv("DENWA_MAIL__TEMPLATES", str(tmp_path / "no"))
    ended = terminal("config", "check")
    assert "DENWA_MAIL__TEMPLATES: mail.templates: " in ended.err
    assert "no such folder" in ended.err
    template.write_text("Subject: 着信\n\n{{ caller }}\n", encoding="utf-8")
    monkeypatch.setenv("DENWA_MAIL__TEMPLATES", str(template.parents[1]))
    assert terminal("config", "check").code == 0


def test_language_of_mails_is_a_setting_of_the_subscriber(terminal: Terminal) -> None:
    assert terminal.done("subscriber", "show", NUMBER, "--json").json["language"] == "ja"
    terminal.done("subscriber", "set", NUMBER, "language=en")
    assert terminal.done("subscriber", "show", NUMBER, "--json").json["language"] == "en"
    assert terminal("subscriber", "set", NUMBER, "language=fr").code == 2
