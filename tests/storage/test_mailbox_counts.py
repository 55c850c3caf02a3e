"""Messages counted for the lamps of phones, on both databases (V6)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, update

from denwa.storage.mailbox_counts import MailboxCounts
from denwa.storage.tables.voicemail import messages
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.ports import Recording

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, TWO, NEVER = "+815050010001", "+815050010002", "+815050010003"


def leave(engine: Engine, lease: str, mailbox: str, *, heard: bool = False) -> int:
    store = MailboxStore(engine)
    store.reserve(lease, mailbox, "node", NOW, 10)
    made = store.deposit(Recording(lease, mailbox, "", "", "c", 486, NOW, NOW, 1000, 16044, f"{lease}.wav"), None, NOW)
    assert made is not None
    if heard:
        with engine.begin() as connection:
            connection.execute(update(messages).where(messages.c.id == made).values(heard_at=NOW))
    return made


def test_new_and_heard_messages_are_counted_apart(engine: Engine) -> None:
    for lease, heard in (("a", False), ("b", True), ("c", False)):
        leave(engine, lease, ONE, heard=heard)
    MailboxStore(engine).forget(leave(engine, "d", TWO))
    counts = MailboxCounts(engine)
    assert counts.of([ONE, TWO, NEVER]) == {ONE: (2, 1), TWO: (0, 0), NEVER: (0, 0)}
    assert counts.of([]) == {}
    assert counts.everywhere() == {ONE: (2, 1), TWO: (0, 0)}  # the box of the third was never used


def test_thousands_of_boxes_are_counted_in_portions(engine: Engine) -> None:
    leave(engine, "a", ONE)
    many = [ONE, *(f"+8150500200{n:02d}{n:02d}" for n in range(60)), *(f"+81505003{n:04d}" for n in range(1500))]
    found = MailboxCounts(engine).of(many)
    assert len(found) == len(set(many))
    assert [number for number, counted in found.items() if counted != (0, 0)] == [ONE]
