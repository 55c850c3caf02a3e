"""Mail to a real submission server that accepts, refuses, and dies (M4)."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from denwa.config.settings import Settings
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.voicemail import outbox
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail import wav
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.letters import Kind, Letter, Sender
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.ports import Blame, DeliveryFault, Envelope, Recording
from denwa.voicemail.posting import (
    BLOCKED,
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    LONGEST_PAUSE_OF_SERVER,
    REFUSALS,
    Poster,
    next_attempt,
    refusals_to_block,
)
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.transport import SmtpServer, SmtpTransport
from tests.voicemail.mail_server import MailServer
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENDER = Sender("mail-noreply@denwa.example", "Denwa")
TEMPLATES = shipped_templates()
SOUND = wav.tone(milliseconds=1500)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    yield engine
    engine.dispose()


class Post:
    """One message with its mail in the outbox, and a poster to `server`."""

    def __init__(self, folder: Path, engine: Engine, server: MailServer, **owner: object) -> None:
        add_subscriber(engine, **owner)  # type: ignore[arg-type]
        self.engine = engine
        self.store, self.outbox = MailboxStore(engine), OutboxStore(engine)
        self.sounds = open_sounds(Settings(data_dir=folder))
        source = folder / "new.wav"
        source.write_bytes(SOUND)
        self.sounds.put(source, "815050010001/a.wav")
        recording = Recording(
            *("a", NUMBER, "+819012345678", "", "c@x", 486, NOW, NOW, 1500, len(SOUND), "815050010001/a.wav")
        )
        letter = Letter(Kind.MESSAGE_NOTICE, NUMBER, "50010001", "+819012345678", "", 0, 1500, 0, 10, True, 7)
        recipient = str(owner.get("mail", "taro@example.jp"))
        self.store.deposit(recording, Envelope("<a@denwa.example>", recipient, letter), NOW)
        self.server = server

    def send(self, now: datetime = NOW, url: str = "", ca_file: Path | None = None) -> bool:
        smtp = SmtpServer.from_url(url or self.server.url())
        transport = SmtpTransport(smtp, ca_file or self.server.authority)
        poster = Poster(self.outbox, OwnerStore(self.engine), self.sounds, transport, SENDER, TEMPLATES, "node")
        queued = poster.claim(now)
        if queued is not None:
            poster.send(queued, lambda: now)
        return queued is not None

    def row(self) -> tuple[str, int, str, datetime]:
        """(state, attempts, last error, due at)."""
        o = outbox.c
        with self.engine.begin() as connection:
            state, attempts, error, due = connection.execute(select(o.state, o.attempts, o.last_error, o.due_at)).one()
        return state, attempts, error, due


def test_mail_goes_out_over_checked_tls_with_login_and_the_recording(tmp_path, engine, server):
    """M1, M4"""
    post = Post(tmp_path, engine, server)
    assert post.send()
    [(sender, recipients, content)] = server.received
    assert (sender, recipients) == ("mail-noreply@denwa.example", ["taro@example.jp"])
    mail = email.message_from_bytes(content, policy=default)
    assert mail["subject"] == "【Denwa】メッセージお預かり通知"
    [attachment] = mail.iter_attachments()
    assert attachment.get_payload(decode=True) == SOUND
    assert "1/10" in mail.get_body().get_content()
    assert post.row()[0] == "sent"
    assert not post.send()  # once
    assert post.store.messages(NUMBER)  # kept: the subscriber did not choose deletion


def test_message_is_to_be_deleted_when_its_mail_was_accepted_and_the_subscriber_chose_so(tmp_path, engine, server):
    """V4"""
    post = Post(tmp_path, engine, server, delete_after_mail=True)
    server.answer = "451 not now"
    post.send()
    assert post.store.to_discard() == []  # never because a mail could not be sent
    server.answer = "250 OK"
    post.send(NOW + FIRST_PAUSE)
    assert [m.recording.lease for m in post.store.to_discard()] == ["a"]


def test_mail_that_no_longer_has_its_recording_deletes_nothing(tmp_path, engine, server):
    post = Post(tmp_path, engine, server, delete_after_mail=True)
    post.sounds.delete("815050010001/a.wav")
    post.send()
    assert len(server.received) == 1
    assert post.store.to_discard() == []


@pytest.mark.parametrize(
    ("attribute", "answer", "pause"),
    [
        ("answer", "451 greylisted", FIRST_PAUSE),
        ("answer", "552 too big", timedelta(hours=1)),
        ("recipient_answer", "450 box busy", FIRST_PAUSE),
        ("recipient_answer", "550 no such user", timedelta(hours=1)),
    ],
)
def test_refused_mail_is_tried_again_later_and_says_why(tmp_path, engine, server, attribute, answer, pause):
    """M4"""
    post = Post(tmp_path, engine, server)
    setattr(server, attribute, answer)
    assert post.send()
    state, attempts, error, due = post.row()
    assert (state, attempts, error, due) == ("waiting", 1, answer, NOW + pause)
    assert not post.send(due - timedelta(milliseconds=1))
    setattr(server, attribute, "250 OK")
    assert post.send(due)
    assert post.row()[0] == "sent"


def test_dead_mail_server_keeps_the_mail_until_it_is_back(tmp_path, engine, server):
    """M4"""
    post = Post(tmp_path, engine, server)
    server.stop()
    assert post.send()
    assert post.row()[:2] == ("waiting", 1)
    server.start()  # on the same port
    assert post.send(NOW + FIRST_PAUSE)
    assert post.row()[0] == "sent"


def test_server_that_hangs_up_in_the_greeting_keeps_the_mail(tmp_path, engine, server):
    post = Post(tmp_path, engine, server)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        assert post.send(url=f"smtp://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert post.row()[:2] == ("waiting", 1)


def test_certificate_of_another_authority_is_not_trusted_and_no_password_is_sent(tmp_path, engine, server):
    (tmp_path / "other").mkdir()
    other = MailServer(tmp_path / "other")
    post = Post(tmp_path, engine, server)
    assert post.send(ca_file=other.authority)
    assert server.received == []
    state, _, error, _ = post.row()
    assert state == "waiting"
    assert "certificate" in error.lower()


def test_wrong_password_is_ours_to_mend_and_is_in_no_text(tmp_path, engine, server, caplog):
    post = Post(tmp_path, engine, server)
    assert post.send(url=server.url(password="opensesame"))
    state, _, error, due = post.row()
    assert (state, due) == ("waiting", NOW + FIRST_PAUSE)
    assert "535" in error
    assert "opensesame" not in error + caplog.text


def test_log_says_why_a_mail_was_refused_but_not_whose(tmp_path, engine, server, caplog):
    """K5"""
    post = Post(tmp_path, engine, server)
    server.recipient_answer = "550 <taro@example.jp>: user unknown"
    post.send()
    assert "user unknown" in caplog.text
    assert "taro" not in caplog.text


def test_impossible_address_does_not_stop_other_mails(tmp_path, engine, server, caplog):
    post = Post(tmp_path, engine, server, mail="nobody")
    letter = Letter(Kind.CALL_NOTICE, NUMBER, "50010001", "", "anonymous", 0)
    post.store.notice("b", NUMBER, Envelope("<b@denwa.example>", "hanako@example.jp", letter), NOW)
    assert post.send()
    assert post.send()
    assert not post.send()
    assert [recipients for _, recipients, _ in server.received] == [["hanako@example.jp"]]
    assert post.outbox.totals() == (1, 0, 0)


@settings(deadline=None)
@given(st.integers(1, 500), st.timedeltas(timedelta(0), timedelta(days=6)), st.booleans(), st.sampled_from(Blame))
def test_pauses_grow_to_an_hour_and_end_after_five_days(
    failed: int, age: timedelta, permanent: bool, blame: Blame
) -> None:
    """M4"""
    again = next_attempt(failed, NOW - age, NOW, permanent=permanent, blame=blame)
    if again is None:
        assert age > GIVE_UP_AFTER - LONGEST_PAUSE
    else:
        assert FIRST_PAUSE <= again - NOW <= LONGEST_PAUSE
        assert again - (NOW - age) <= GIVE_UP_AFTER
        later = next_attempt(failed + 1, NOW - age, NOW, permanent=permanent, blame=blame)
        assert later is None or later >= again


def test_mail_is_given_up_after_five_days_but_stays_visible(tmp_path, engine, server):
    post = Post(tmp_path, engine, server)
    server.answer = "550 never"
    assert post.send(NOW + GIVE_UP_AFTER)
    assert post.row()[0] == "undeliverable"
    assert post.outbox.totals() == (0, 1, 0)
    assert post.store.messages(NUMBER)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://u:p@mail.example", SmtpServer("mail.example", 587, "u", "p", implicit_tls=False)),
        ("smtps://mail.example", SmtpServer("mail.example", 465, "", "", implicit_tls=True)),
        ("smtp://a%40b:c%2Fd@[::1]:2525", SmtpServer("::1", 2525, "a@b", "c/d", implicit_tls=False)),
    ],
)
def test_url_names_server_and_login(url: str, expected: SmtpServer) -> None:
    assert SmtpServer.from_url(url) == expected
    assert "c/d" not in repr(SmtpServer.from_url(url))


@pytest.mark.parametrize(
    "url", ["http://x", "smtp://", "mail.example", "smtp://u:secret@h:99999", "smtp://u:secret@h:x"]
)
def test_url_that_cannot_be_used_is_a_fault_without_the_password(url: str) -> None:
    with pytest.raises(VoicemailSettingsFault) as fault:
        SmtpServer.from_url(url)
    assert "secret" not in str(fault.value)


def test_authority_file_that_is_not_there_is_a_fault_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(VoicemailSettingsFault, match=r"no\.pem"):
        SmtpTransport(SmtpServer.from_url("smtp://h"), tmp_path / "no.pem")


def test_mails_of_a_server_that_is_away_all_go_soon_after_it_is_back(tmp_path, engine, server):
    post = Post(tmp_path, engine, server)
    server.stop()
    now = NOW
    for _ in range(20):
        assert post.send(now)
        now = post.row()[3]
    assert post.row()[1] == 20
    server.start()
    assert not post.send(now - timedelta(milliseconds=1))
    assert post.send(now)
    assert post.row()[0] == "sent"
    assert now - NOW < 20 * LONGEST_PAUSE_OF_SERVER


@pytest.mark.parametrize(("dies", "copies"), [("before", 1), ("after", 2)])
def test_mail_that_may_have_been_accepted_is_sent_again_as_the_same_mail(tmp_path, engine, server, dies, copies):
    """M4: never lost; a second copy, if there is one, has the same Message-ID."""
    post = Post(tmp_path, engine, server, delete_after_mail=True)
    server.dies = dies
    assert post.send()
    state, attempts, error, due = post.row()
    assert (state, attempts) == ("waiting", 1)
    assert "may have accepted it" in error
    assert post.store.to_discard() == []  # V4: only what the server said it took
    server.dies = ""
    assert post.send(due)
    assert post.row()[0] == "carried"
    assert len(server.received) == copies
    assert len({content for _, _, content in server.received}) == 1


def test_mail_that_was_accepted_is_not_sent_again_because_the_database_was_away(tmp_path, engine, server, monkeypatch):
    """M4"""
    monkeypatch.setattr("denwa.voicemail.posting.NOTE_PAUSE", 0.01)
    post = Post(tmp_path, engine, server)
    note, faults = post.outbox.sent, iter([OSError("the disk is full"), OSError("still")])

    def failing(*arguments: object, **named: object) -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        note(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(post.outbox, "sent", failing)
    assert post.send()
    assert post.row()[0] == "sent"
    assert not post.send(NOW + timedelta(days=1))
    assert len(server.received) == 1


def test_address_that_does_not_exist_gets_no_further_mail_until_it_is_changed(tmp_path, engine, server):
    """M4: not tried for ever; nothing is lost."""
    post = Post(tmp_path, engine, server)
    server.answers["taro@example.jp"] = "550 5.1.1 no such user"
    assert post.send()
    assert post.outbox.totals() == (1, 0, 1)
    now = NOW
    server.answers.clear()  # it would be taken now
    for _ in range(3):
        now = post.row()[3]
        assert post.send(now)
        state, _, error, due = post.row()
        assert (state, due) == ("waiting", now + timedelta(hours=1))
        assert error == BLOCKED + "550 5.1.1 no such user"
    assert server.received == []
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(mail="hanako@example.jp"))
    now = post.row()[3]
    assert post.send(now)  # readdressed
    assert post.send(now)
    assert [recipients for _, recipients, _ in server.received] == [["hanako@example.jp"]]
    assert post.row()[0] == "sent"
    assert post.outbox.totals() == (0, 0, 1)


def test_mail_to_a_blocked_address_is_given_up_in_the_end_and_can_be_tried_again(tmp_path, engine, server):
    post = Post(tmp_path, engine, server)
    server.answers["taro@example.jp"] = "550 5.1.1 no such user"
    assert post.send()
    assert post.send(NOW + GIVE_UP_AFTER)
    assert post.row()[0] == "undeliverable"
    later = NOW + timedelta(days=9)
    server.answers.clear()
    with engine.begin() as connection:
        mail_id = connection.scalar(select(outbox.c.id))
    assert post.outbox.retry(mail_id, later)
    assert post.outbox.totals() == (1, 0, 0)
    server.answer = "451 later"
    assert post.send(later)
    assert post.row()[:2] == ("waiting", 1)  # five days from now
    server.answer = "250 OK"
    assert post.send(later + timedelta(days=1))
    assert post.row()[0] == "sent"


def test_third_refusal_in_a_row_without_a_reason_blocks_where_others_are_taken(tmp_path, engine, server):
    """M4"""
    post = Post(tmp_path, engine, server)
    assert post.send()  # taken
    letter = Letter(Kind.CALL_NOTICE, NUMBER, "50010001", "", "anonymous", 0)
    server.answers["taro@example.jp"] = "550 no"
    for number in range(3):
        assert post.outbox.totals()[2] == 0
        for seconds, address in ((0, "taro@example.jp"), (1, "hanako@example.jp")):
            now = NOW + timedelta(minutes=number, seconds=seconds)
            name = f"<{number}.{address}>"
            post.store.notice(name, NUMBER, Envelope(name, address, letter), now)
            assert post.send(now)
    assert post.outbox.totals()[2] == 1
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("answer", "to_block"),
    [
        ("550 5.1.1 unknown", 1),
        ("550 5.1.10 null MX", 1),
        ("553 5.1.3 bad syntax", 1),
        ("550 5.2.1 disabled", 1),
        ("550-5.1.1 The account\n5.1.1 does not exist", 1),
        ("550 unknown", REFUSALS),
        ("552 5.2.2 full", None),
        ("550 5.7.1 you are on a list", None),
        ("550 5.7.26 unauthenticated", None),
    ],
)
def test_address_is_blocked_only_where_it_is_the_address_that_is_wrong(answer: str, to_block: int | None) -> None:
    """RFC 3463"""
    assert refusals_to_block(DeliveryFault(answer, permanent=True, blame=Blame.RECIPIENT)) == to_block
    assert refusals_to_block(DeliveryFault(answer, permanent=True, blame=Blame.MAIL)) is None
    assert refusals_to_block(DeliveryFault(answer, blame=Blame.RECIPIENT)) is None
