"""Which messages are to be warned of, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from denwa.storage.deadline_store import DeadlineStore
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.letters import Kind, Letter
from denwa.voicemail.ports import Envelope, Recording
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
OTHER = "+815050010002"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_tables(database_url)
    add_subscriber(engine)
    yield engine
    engine.dispose()


def deposit(engine: Engine, lease: str, at: datetime = NOW, mailbox: str = NUMBER, *, mailed: bool = False) -> int:
    sound = f"{mailbox[1:]}/{lease}.wav"
    recording = Recording(lease, mailbox, "+819012345678", "", "c@x", 486, at, at, 1000, 9, sound)
    message = MailboxStore(engine).deposit(recording, envelope(lease) if mailed else None, at)
    assert message is not None
    return message


def envelope(name: str) -> Envelope:
    letter = Letter(Kind.MESSAGE_NOTICE, NUMBER, "50010001", "", "payphone", 0, attach=True)
    return Envelope(f"<{name}@denwa.example>", "taro@example.jp", letter)


def test_messages_recorded_in_the_window_are_to_be_warned_of_once(engine: Engine) -> None:
    deadlines = DeadlineStore(engine)
    ids = [deposit(engine, str(hours), NOW + hours * HOUR) for hours in range(3)]
    assert deadlines.to_warn(NOW - MS, NOW) == [NUMBER]
    assert deadlines.to_warn(NOW, NOW + HOUR - MS) == []
    assert [one.id for one in deadlines.unwarned(NUMBER)] == ids
    deadlines.warned(ids[:2], envelope("w"), NOW)
    assert [one.id for one in deadlines.unwarned(NUMBER)] == ids[2:]
    assert deadlines.to_warn(NOW - MS, NOW + HOUR) == []
    deadlines.warned(ids[:2], envelope("w again"), NOW)  # another node was quicker
    assert OutboxStore(engine).totals() == (1, 0, 0)


@pytest.mark.parametrize("change", [{"mail_notice": "none"}, {"mail": ""}, {"state": "terminated"}])
def test_who_wants_no_mail_is_not_warned(engine: Engine, change: dict[str, str]) -> None:
    # M1
    deposit(engine, "a")
    add_subscriber(engine, OTHER)
    deposit(engine, "b", mailbox=OTHER)
    with engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.number == OTHER).values(change))
    assert DeadlineStore(engine).to_warn(NOW - MS, NOW) == [NUMBER]


@pytest.mark.parametrize(("with_sound", "warned"), [(True, []), (False, [NUMBER])])
def test_message_whose_recording_went_out_by_mail_is_not_warned_of(
    engine: Engine, with_sound: bool, warned: list[str]
) -> None:
    deposit(engine, "a", mailed=True)
    deadlines, outbox = DeadlineStore(engine), OutboxStore(engine)
    assert deadlines.to_warn(NOW - MS, NOW) == [NUMBER]  # the mail still waits
    queued = outbox.claim("node", NOW, NOW + HOUR)
    assert queued is not None
    outbox.sent(queued.id, NOW, with_sound=with_sound, discard=False)
    assert deadlines.to_warn(NOW - MS, NOW) == warned
    assert bool(deadlines.unwarned(NUMBER)) == bool(warned)
