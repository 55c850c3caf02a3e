"""Mailboxes and outbox on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update

from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.voicemail import outbox
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.letters import Kind, Letter
from denwa.voicemail.ports import Envelope, Recording
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
OTHER = "+815050010002"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_tables(database_url)
    yield engine
    engine.dispose()


def recording(lease: str, mailbox: str = NUMBER, recorded_at: datetime = NOW) -> Recording:
    sound = f"{mailbox[1:]}/{lease}.wav"
    return Recording(
        lease,
        mailbox,
        "+819012345678",
        "",
        "c@x",
        486,
        recorded_at - timedelta(minutes=1),
        recorded_at,
        60_000,
        9,
        sound,
    )


def envelope(lease: str, kind: Kind = Kind.MESSAGE_NOTICE) -> Envelope:
    letter = Letter(kind, NUMBER, "50010001", "+819012345678", "", 1_795_294_584_123, 60_000, 0, 10, True, 7)
    return Envelope(f"<{lease}@denwa.example>", "taro@example.jp", letter)


def deposit(store: MailboxStore, lease: str, **fields: object) -> int:
    message_id = store.deposit(recording(lease, **fields), envelope(lease), NOW)  # type: ignore[arg-type]
    assert message_id is not None
    return message_id


def test_two_at_once_do_not_make_eleven(engine: Engine) -> None:
    """V3: 9 stored, 12 callers at the same moment on two nodes' worth of connections: one gets in."""
    store = MailboxStore(engine)
    for n in range(9):
        deposit(store, f"old{n}")
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda n: store.reserve(f"new{n}", NUMBER, "node", NOW, 10), range(12)))
    assert answers.count(True) == 1
    assert store.totals() == (9, 1)


def test_place_held_by_a_call_counts_until_the_call_leaves_no_message(engine: Engine) -> None:
    """V3"""
    store = MailboxStore(engine)
    assert store.reserve("a", NUMBER, "node", NOW, 1)
    assert not store.reserve("b", NUMBER, "node", NOW, 1)
    assert store.reserve("c", OTHER, "node", NOW, 1)  # another mailbox has places of its own
    store.notice("a", NUMBER, None, NOW)
    assert store.reserve("b", NUMBER, "node", NOW, 1)
    store.free(["b", "unknown"])
    store.free([])
    assert store.held("node") == ["c"]


def test_message_takes_the_place_that_was_held_for_it(engine: Engine) -> None:
    store = MailboxStore(engine)
    store.reserve("a", NUMBER, "node", NOW, 10)
    deposit(store, "a")
    assert store.totals() == (1, 0)


def test_heard_messages_count_as_well_as_new_ones_and_a_deleted_one_makes_room(engine: Engine) -> None:
    """V3"""
    store = MailboxStore(engine)
    first = deposit(store, "a")
    assert not store.reserve("b", NUMBER, "node", NOW, 1)
    store.forget(first)
    assert store.reserve("b", NUMBER, "node", NOW, 1)


def test_recording_is_deposited_once_however_often_it_is_tried(engine: Engine) -> None:
    """V7: a kill between the deposit and the removal from the spool."""
    store, mails = MailboxStore(engine), OutboxStore(engine)
    deposit(store, "a")
    assert store.deposit(recording("a"), envelope("a"), NOW) is None
    store.notice("a", NUMBER, envelope("a", Kind.CALL_NOTICE), NOW)
    assert store.totals() == (1, 0)
    assert mails.totals() == (1, 0, 0)


def test_message_notice_says_how_many_are_stored_with_this_one(engine: Engine) -> None:
    """M3: 8/10."""
    store, mails = MailboxStore(engine), OutboxStore(engine)
    for n in range(8):
        deposit(store, f"m{n}")
    counts = []
    while queued := mails.claim("node", NOW, NOW + timedelta(minutes=5)):
        counts.append(queued.letter.stored)
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8]


def test_message_comes_back_as_it_was_stored(engine: Engine) -> None:
    store = MailboxStore(engine)
    message_id = deposit(store, "a", recorded_at=NOW + MS)
    message = store.message(message_id)
    assert message is not None
    assert message.recording == recording("a", recorded_at=NOW + MS)
    assert message.heard_at is None
    assert store.messages(NUMBER) == [message]
    assert store.messages(OTHER) == []
    assert store.message(message_id + 1) is None
    assert store.sounds() == {message.recording.sound}


def test_message_is_due_seven_times_24_hours_after_it_was_recorded_to_the_millisecond(engine: Engine) -> None:
    """V4"""
    store = MailboxStore(engine)
    message_id = deposit(store, "a", recorded_at=NOW)
    week = timedelta(days=7)
    assert store.due(NOW + week - MS - week, 10) == []
    assert [m.id for m in store.due(NOW + week - week, 10)] == [message_id]


def test_messages_of_an_ended_contract_are_due_at_once(engine: Engine) -> None:
    """V4"""
    add_subscriber(engine)
    store = MailboxStore(engine)
    message_id = deposit(store, "a")
    long_ago = NOW - timedelta(days=30)
    assert store.due(long_ago, 10) == []
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(state="terminated"))
    assert [m.id for m in store.due(long_ago, 10)] == [message_id]
    assert OwnerStore(engine).owner(NUMBER) is None


def test_id_of_a_deleted_message_never_names_another(engine: Engine) -> None:
    store = MailboxStore(engine)
    first = deposit(store, "a")
    store.forget(first)
    assert deposit(store, "b") > first


def test_owner_is_what_the_contract_says(engine: Engine) -> None:
    add_subscriber(engine, mail_notice="notice", delete_after_mail=True, state="suspended")
    owner = OwnerStore(engine).owner(NUMBER)
    assert owner is not None
    assert (owner.account, owner.mail, owner.mail_notice, owner.delete_after_mail) == (
        "50010001",
        "taro@example.jp",
        "notice",
        True,
    )
    assert OwnerStore(engine).owner(OTHER) is None


def test_place_of_a_node_that_never_came_back_is_given_back(engine: Engine) -> None:
    store = MailboxStore(engine)
    store.reserve("a", NUMBER, "gone", NOW - timedelta(hours=2), 10)
    store.reserve("b", NUMBER, "here", NOW, 10)
    assert store.release_dead(NOW - timedelta(hours=1)) == 1
    assert (store.held("gone"), store.held("here")) == ([], ["b"])


def test_mail_is_taken_by_one_sender_only(engine: Engine) -> None:
    store, mails = MailboxStore(engine), OutboxStore(engine)
    for n in range(6):
        deposit(store, f"m{n}")
    until = NOW + timedelta(minutes=5)
    with ThreadPoolExecutor(6) as senders:
        taken = list(senders.map(lambda n: mails.claim(f"node{n}", NOW, until), range(6)))
    ids = [queued.id for queued in taken if queued is not None]
    assert len(ids) == len(set(ids))
    while queued := mails.claim("node", NOW, until):
        ids.append(queued.id)
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 6


def test_mail_of_a_sender_that_died_is_taken_up_again_at_once_by_itself_and_later_by_others(engine: Engine) -> None:
    mails = OutboxStore(engine)
    deposit(MailboxStore(engine), "a")
    until = NOW + timedelta(minutes=5)
    assert mails.claim("dead", NOW, until) is not None
    assert mails.claim("other", until - MS, until) is None
    assert mails.claim("other", until, until + timedelta(minutes=5)) is not None
    mails.unclaim("other")
    assert mails.claim("other", NOW, until) is not None


def test_failed_mail_waits_for_its_next_attempt_and_a_given_up_one_stays_visible(engine: Engine) -> None:
    """M4: never lost."""
    mails = OutboxStore(engine)
    deposit(MailboxStore(engine), "a")
    queued = mails.claim("node", NOW, NOW + timedelta(minutes=5))
    assert queued is not None
    again = NOW + timedelta(seconds=30)
    mails.failed(queued.id, "451 later", again)
    assert mails.claim("node", again - MS, again) is None
    queued = mails.claim("node", again, again + timedelta(minutes=5))
    assert queued is not None
    assert queued.attempts == 1
    mails.failed(queued.id, "550 never", None)
    assert mails.totals() == (0, 1, 0)
    with engine.begin() as connection:
        assert connection.scalar(select(outbox.c.last_error)) == "550 never"


def test_carried_recording_is_to_be_discarded_until_it_is_gone(engine: Engine) -> None:
    """V4"""
    store, mails = MailboxStore(engine), OutboxStore(engine)
    message_id = deposit(store, "a")
    deposit(store, "b")
    queued = mails.claim("node", NOW, NOW + timedelta(minutes=5))
    assert queued is not None
    assert queued.sound == recording("a").sound
    mails.sent(queued.id, NOW, with_sound=True, discard=True)
    assert [m.id for m in store.to_discard()] == [message_id]
    store.forget(message_id)
    assert store.to_discard() == []
    assert mails.totals() == (1, 0, 0)


def test_mail_whose_message_was_deleted_has_no_sound(engine: Engine) -> None:
    store, mails = MailboxStore(engine), OutboxStore(engine)
    store.forget(deposit(store, "a"))
    queued = mails.claim("node", NOW, NOW + timedelta(minutes=5))
    assert queued is not None
    assert queued.sound == ""


def test_traces_of_sent_mails_are_deleted_after_their_time_and_unsent_ones_never(engine: Engine) -> None:
    store, mails = MailboxStore(engine), OutboxStore(engine)
    message_id = deposit(store, "a")
    deposit(store, "b")
    queued = mails.claim("node", NOW, NOW + timedelta(minutes=5))
    assert queued is not None
    mails.sent(queued.id, NOW, with_sound=False, discard=False)
    assert mails.forget_sent(NOW + MS) == 0  # its message is still there
    store.forget(message_id)
    assert mails.forget_sent(NOW) == 0
    assert mails.forget_sent(NOW + MS) == 1
    assert mails.totals() == (1, 0, 0)
