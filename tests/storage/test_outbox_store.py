"""The outbox as commands see it, and addresses that refuse mail, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from denwa.storage.outbox_store import OutboxStore
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.letters import Kind, Letter
from denwa.voicemail.ports import Envelope, QueuedMail
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
LATER = timedelta(minutes=5)
ADDRESS = "taro@example.jp"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_tables(database_url)
    add_subscriber(engine)
    yield engine
    engine.dispose()


def queue(engine: Engine, name: str, address: str = ADDRESS, now: datetime = NOW) -> None:
    letter = Letter(Kind.CALL_NOTICE, NUMBER, "50010001", "", "payphone", 0)
    MailboxStore(engine).notice(name, NUMBER, Envelope(f"<{name}@x.example>", address, letter), now)


def claimed(mails: OutboxStore, now: datetime = NOW) -> QueuedMail:
    queued = mails.claim("node", now, now + LATER)
    assert queued is not None
    return queued


def test_refusals_are_counted_and_block_an_address_until_one_of_its_mails_is_taken(engine: Engine) -> None:
    # M4
    mails = OutboxStore(engine)
    now = NOW
    for refusals in (1, 2, 3):
        queue(engine, f"other{refusals}", "hanako@example.jp", now)
        assert mails.refused(ADDRESS, "550 no", now, most=3) == (refusals == 3)
        now += LATER
        other = claimed(mails, now)
        assert (other.recipient, other.blocked) == ("hanako@example.jp", "")
        mails.sent(other.id, now, with_sound=False, discard=False)
    queue(engine, "a", now=now)
    assert mails.refused(ADDRESS, "550 never", now, most=9)  # it stays so
    held = claimed(mails, now)
    assert held.blocked == "550 never"
    mails.sent(held.id, now, with_sound=False, discard=False)
    assert mails.totals() == (0, 0, 0)
    assert not mails.refused(ADDRESS, "550 no", now + LATER, most=3)  # from the start


def test_server_that_takes_no_mail_at_all_blocks_no_address(engine: Engine) -> None:
    """It refuses us: our login, our sender."""
    mails = OutboxStore(engine)
    for hours in range(100):
        assert not mails.refused(ADDRESS, "550 relay not permitted", NOW + timedelta(hours=hours), most=3)
    assert mails.blocked() == []


def test_refusals_that_come_at_the_same_time_do_not_get_into_each_others_way(engine: Engine) -> None:
    mails = OutboxStore(engine)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: mails.refused(ADDRESS, "550 5.1.1 no", NOW, most=1), range(8)))
    assert answers == [True] * 8
    assert len(mails.blocked()) == 1


def test_unblocked_address_gets_what_waits_for_it_at_once(engine: Engine) -> None:
    mails = OutboxStore(engine)
    queue(engine, "a")
    mails.refused(ADDRESS, "550 5.1.1 no", NOW, most=1)
    mails.failed(claimed(mails).id, "held", NOW + timedelta(hours=1))
    [row] = mails.blocked()
    assert (row.address, row.last_error, row.changed_at) == (ADDRESS, "550 5.1.1 no", NOW)
    assert mails.unblock(ADDRESS, NOW)
    assert claimed(mails).blocked == ""
    assert not mails.unblock(ADDRESS, NOW)


def test_mail_that_was_given_up_is_tried_again_as_long_as_a_new_one(engine: Engine) -> None:
    mails = OutboxStore(engine)
    queue(engine, "a")
    mail_id = claimed(mails).id
    mails.failed(mail_id, "550 no", None)
    later = NOW + timedelta(days=30)
    assert mails.retry(mail_id, later)
    again = claimed(mails, later)
    assert (again.id, again.attempts, again.tried_since, again.created_at) == (mail_id, 0, later, NOW)
    mails.sent(mail_id, later, with_sound=False, discard=False)
    assert not mails.retry(mail_id, later)
    assert not mails.retry(mail_id + 1, later)


def test_mails_are_listed_newest_first_by_state_and_subscriber(engine: Engine) -> None:
    # O1
    mails = OutboxStore(engine)
    for name in "abc":
        queue(engine, name)
    mails.sent(claimed(mails).id, NOW, with_sound=True, discard=False)
    assert [one.message_id for one in mails.mails()] == ["<c@x.example>", "<b@x.example>", "<a@x.example>"]
    assert [one.message_id for one in mails.mails(most=1)] == ["<c@x.example>"]
    [sent] = mails.mails(state="sent")
    assert (sent.with_sound, sent.sent_at, sent.blocked) == (True, NOW, "")
    assert len(mails.mails(mailbox=NUMBER)) == 3
    assert mails.mails(mailbox="+815050010002") == []
    assert mails.mail(sent.id) == sent
    assert mails.mail(99) is None


def test_mail_that_was_given_up_is_kept_for_its_time_and_one_that_waits_for_ever(engine: Engine) -> None:
    # K5
    mails = OutboxStore(engine)
    for name in "ab":
        queue(engine, name)
    mails.failed(claimed(mails).id, "550 no", None)
    assert mails.forget_given_up(NOW) == 0
    assert mails.forget_given_up(NOW + MS) == 1
    assert mails.forget_given_up(NOW + timedelta(days=999)) == 0
    assert mails.totals() == (1, 0, 0)


def test_refused_address_is_forgotten_when_nobody_has_it_any_more(engine: Engine) -> None:
    # K5
    mails = OutboxStore(engine)
    for address in (ADDRESS, "waits@example.jp", "gone@example.jp"):
        mails.refused(address, "550 no", NOW, most=1)
    queue(engine, "a", "waits@example.jp")
    mails.forget_sent(NOW)
    assert len(mails.blocked()) == 3
    mails.forget_sent(NOW + MS)
    assert [row.address for row in mails.blocked()] == [ADDRESS, "waits@example.jp"]
