"""Owners are told that little more fits, and that messages will be deleted: in time, once, and not too often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from denwa.storage.deadline_store import DeadlineStore
from denwa.storage.tables.voicemail import outbox
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.letters import JAPAN, Kind, Letter, Sender
from denwa.voicemail.mail.warning import DeadlineWarnings, almost_full
from denwa.voicemail.ports import Envelope, Message, Owner, Recording
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

SENDER = Sender("mail-noreply@denwa.example", "Denwa")
OWNER = Owner(NUMBER, "50010001", "taro@example.jp", "notice", False, "en")
KEEP, AHEAD = timedelta(days=7), timedelta(hours=24)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NOON = datetime(2026, 11, 1, 3, tzinfo=UTC)  # in Japan


def recording(lease: str, at: datetime) -> Recording:
    return Recording(lease, NUMBER, "+819012345678", "", "c@x", 486, at, at, 1000, 9, f"815050010001/{lease}.wav")


class Box:
    """A mailbox in memory, and the warnings that were queued."""

    def __init__(self, recorded: list[datetime]) -> None:
        ordered = enumerate(sorted(recorded))
        self.messages = {number: Message(number, recording(str(number), at), None) for number, at in ordered}
        self.told: dict[int, datetime] = {}
        self.mails: list[tuple[datetime, Envelope]] = []

    def owner(self, number: str) -> Owner | None:
        return OWNER

    def to_warn(self, after: datetime, until: datetime) -> list[str]:
        return [NUMBER] if any(after < one.recording.recorded_at <= until for one in self.unwarned(NUMBER)) else []

    def unwarned(self, mailbox: str) -> list[Message]:
        return [one for number, one in self.messages.items() if number not in self.told]

    def warned(self, told: list[int], envelope: Envelope, now: datetime) -> None:
        self.told |= dict.fromkeys(told, now)
        self.mails.append((now, envelope))

    def warnings(self) -> DeadlineWarnings:
        return DeadlineWarnings(self, self, SENDER, KEEP, AHEAD)  # type: ignore[arg-type]


_MOMENTS = st.integers(0, 7 * 86_400).map(lambda seconds: NOON + seconds * SECOND)


@settings(deadline=None)
@given(
    st.lists(_MOMENTS, min_size=1, max_size=10),
    st.lists(st.integers(1, 5 * 3600), min_size=60, max_size=60),
    st.sets(st.integers(0, 59), max_size=5),
    st.sets(st.integers(0, 59), max_size=3),
)
def test_every_message_is_told_of_once_a_day_ahead_and_in_one_mail_for_each_day(
    recorded: list[datetime], steps: list[int], restarts: set[int], jumps: set[int]
) -> None:
    """An accelerated clock that restarts the service and jumps back by an hour."""
    box = Box(recorded)
    warnings, now = box.warnings(), NOON
    for number, step in enumerate([*steps, *[3600] * 24 * 16]):
        before = now
        now += timedelta(seconds=step)
        if number in restarts:
            warnings = box.warnings()
        if number in jumps:
            now -= timedelta(hours=1)
        warnings.warn(now)
        for at, envelope in box.mails:
            if at == now and number not in jumps:
                first = min(_deleted_at(envelope))
                assert (
                    before - timedelta(hours=1) < first - AHEAD <= now
                )  # neither early, nor later than the clock's step
    named = [one for _, envelope in box.mails for one in envelope.letter.listed]
    assert len(named) == len(box.messages) == len(box.told)  # each once
    days = [_deleted_at(envelope)[0].astimezone(JAPAN).date() for _, envelope in box.mails]
    assert len(days) == len(set(days))  # one mail for each day in Japan
    for _, envelope in box.mails:
        assert len({at.astimezone(JAPAN).date() for at in _deleted_at(envelope)}) == 1
    assert len({envelope.message_id for _, envelope in box.mails}) == len(box.mails)


def _deleted_at(envelope: Envelope) -> list[datetime]:
    return [datetime.fromtimestamp(one.deleted_at_ms / 1000, UTC) for one in envelope.letter.listed]


def test_warning_comes_to_the_second_and_names_all_of_the_day() -> None:
    box = Box([NOON, NOON + 3 * timedelta(hours=1), NOON + DAY])
    warnings = box.warnings()
    assert warnings.warn(NOON + KEEP - AHEAD - SECOND) == 0
    assert warnings.warn(NOON + KEEP - AHEAD) == 1
    [(_, envelope)] = box.mails
    assert _deleted_at(envelope) == [NOON + KEEP, NOON + KEEP + timedelta(hours=3)]
    assert (envelope.letter.kind, envelope.letter.language) == (Kind.MESSAGES_EXPIRING, "en")
    assert envelope.recipient == "taro@example.jp"
    assert warnings.warn(NOON + DAY + KEEP - AHEAD) == 1


def test_service_that_was_off_tells_of_what_is_still_there_and_of_nothing_that_is_gone() -> None:
    box = Box([NOON, NOON + 12 * timedelta(hours=1), NOON + DAY])
    assert box.warnings().warn(NOON + KEEP + timedelta(hours=6)) == 1  # the later two go on one day
    assert [at for _, envelope in box.mails for at in _deleted_at(envelope)] == [
        NOON + KEEP + timedelta(hours=12),
        NOON + KEEP + DAY,
    ]


def test_no_warning_when_it_is_switched_off_or_would_come_with_the_message() -> None:
    for ahead in (timedelta(0), KEEP):
        box = Box([NOON])
        warnings = DeadlineWarnings(box, box, SENDER, KEEP, ahead)  # type: ignore[arg-type]
        assert [warnings.warn(NOON + hours * timedelta(hours=1)) for hours in range(200)] == [0] * 200


def test_owner_who_switched_mail_off_meanwhile_is_not_written_to() -> None:
    box = Box([NOON])
    box.owner = lambda number: replace(OWNER, mail_notice="none")  # type: ignore[method-assign]
    assert box.warnings().warn(NOON + KEEP - AHEAD) == 0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


def kinds(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return list(connection.scalars(select(outbox.c.kind).order_by(outbox.c.id)))


def test_owner_is_told_when_the_eighth_of_ten_is_stored_and_again_only_after_it_was_emptier(engine: Engine) -> None:
    # V3: 8/10
    store, owner = MailboxStore(engine), OwnerStore(engine).owner(NUMBER)
    assert owner is not None

    def deposit(lease: str) -> int:
        at = NOON
        message = store.deposit(recording(lease, at), None, at, almost_full(owner, lease, 10, 2, SENDER))
        assert message is not None
        assert store.deposit(recording(lease, at), None, at, almost_full(owner, lease, 10, 2, SENDER)) is None
        return message

    ids = [deposit(f"m{number}") for number in range(10)]
    assert kinds(engine) == ["mailbox-almost-full"]
    with engine.begin() as connection:
        letter = Letter.from_json(connection.scalars(select(outbox.c.details)).one())
    assert (letter.stored, letter.most) == (8, 10)
    store.forget(ids[0])
    deposit("again")  # 10 of 10 once more
    assert len(kinds(engine)) == 1
    for message in ids[1:5]:
        store.forget(message)
    deposit("seventh")
    deposit("eighth")
    assert kinds(engine) == ["mailbox-almost-full"] * 2


@pytest.mark.parametrize(
    ("owner", "most", "left"),
    [
        (replace(OWNER, mail_notice="none"), 10, 2),
        (replace(OWNER, mail=""), 10, 2),
        (OWNER, 10, 0),  # switched off
        (OWNER, 2, 2),  # every mailbox would be
    ],
)
def test_no_warning_of_a_full_box_for_who_wants_none(owner: Owner, most: int, left: int) -> None:
    assert almost_full(owner, "a", most, left, SENDER) is None


def test_warnings_of_a_real_mailbox_are_queued_once_over_restarts(engine: Engine) -> None:
    store = MailboxStore(engine)
    for number in range(3):
        at = NOON + number * timedelta(hours=1)
        assert store.deposit(recording(f"m{number}", at), None, at) is not None
    for hours in range(24 * 8):
        warnings = DeadlineWarnings(DeadlineStore(engine), OwnerStore(engine), SENDER, KEEP, AHEAD)
        queued = warnings.warn(NOON + hours * timedelta(hours=1))
        assert queued == (hours == 24 * 6)
    assert kinds(engine) == ["messages-expiring"]
