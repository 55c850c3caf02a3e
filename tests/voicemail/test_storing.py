"""Storing what calls leave while the store of sounds is away: the recording waits, the caller does not (V3, V7)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from denwa.voicemail import storing
from denwa.voicemail.deposit import Outcome
from denwa.voicemail.sound_store.faults import StoreAway
from denwa.voicemail.sound_store.files import FileObjects
from denwa.voicemail.storing import Storing
from tests.voicemail.rig import NUMBER, eventually
from tests.voicemail.test_deposit import NOW, Office, office

__all__ = ["office"]

HOUR = timedelta(hours=1)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is set the store is away."""
    event = threading.Event()
    put = FileObjects.put

    def put_unless_away(self: FileObjects, key: str, data: bytes) -> None:
        if event.is_set():
            raise StoreAway("the store is away")
        put(self, key, data)

    monkeypatch.setattr(FileObjects, "put", put_unless_away)
    monkeypatch.setattr(storing, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(storing, "LONGEST_PAUSE", 0.1)
    return event


def storing_of(office: Office, stored: Callable[[Outcome], None] = lambda outcome: None) -> Storing:
    return Storing(office.depositor, office.spool, lambda: NOW, stored)


async def test_recordings_wait_in_the_spool_until_the_store_is_back(
    office: Office, away: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """V7"""
    outcomes: list[Outcome] = []
    room = storing_of(office, outcomes.append)
    away.set()
    for lease in ("a", "b", "c"):
        office.call(lease, 1500)
        room.store(lease)
    await eventually(lambda: "stay in the spool" in caplog.text)
    assert (room.waiting, office.store.totals()) == (3, (0, 3))
    away.clear()
    await eventually(lambda: room.waiting == 0)
    assert outcomes == [Outcome.MESSAGE] * 3
    assert office.store.totals() == (3, 0)
    assert list(office.spool.iterdir()) == []
    assert caplog.text.count("stay in the spool") == 1  # once for all, not once an attempt
    assert "stored again" in caplog.text


async def test_call_that_left_no_sound_does_not_wait_for_the_store(office: Office, away: threading.Event) -> None:
    """M2"""
    away.set()
    office.call("a", None)
    room = storing_of(office)
    room.store("a")
    await eventually(lambda: room.waiting == 0)
    assert len(office.mails()) == 1


async def test_stop_leaves_what_cannot_be_stored_to_the_next_start(office: Office, away: threading.Event) -> None:
    """V7"""
    away.set()
    office.call("a", 1500)
    room = storing_of(office)
    room.store("a")
    await eventually(lambda: room.waiting == 1)
    await room.close(5)
    assert room.waiting == 0
    away.clear()
    assert office.restart(NOW) == {"a": Outcome.MESSAGE}
    [message] = office.store.messages(NUMBER)
    assert message.recording.recorded_at == NOW  # to the millisecond, however late it was stored


async def test_store_that_hangs_takes_no_thread_from_callers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's place is sought in threads of the loop; these must be free."""
    answers = threading.Event()
    put = FileObjects.put

    def hang(self: FileObjects, key: str, data: bytes) -> None:
        answers.wait(30)
        put(self, key, data)

    monkeypatch.setattr(FileObjects, "put", hang)
    room = storing_of(office)
    for number in range(8):
        office.call(f"lease-{number}", 1500)
        room.store(f"lease-{number}")
    try:
        for _ in range(40):  # more than the loop has threads
            async with asyncio.timeout(10):
                assert await asyncio.to_thread(office.store.totals) == (0, 8)
    finally:
        answers.set()
    await eventually(lambda: room.waiting == 0)
    assert office.store.totals() == (8, 0)


async def test_recording_that_waits_for_days_keeps_its_place(office: Office, away: threading.Event) -> None:
    """V3: no eleventh message when the store is back."""
    away.set()
    for number in range(10):
        office.call(f"lease-{number}", 1500)
    for hours in (1, 30, 72):
        office.depositor.keep_places(NOW + hours * HOUR)
        office.store.release_dead(NOW + hours * HOUR - HOUR)
        assert not office.store.reserve("eleventh", NUMBER, "node", NOW, 10)
    away.clear()
    assert set(office.restart(NOW + 73 * HOUR).values()) == {Outcome.MESSAGE}
    assert office.store.totals() == (10, 0)


def test_messages_whose_time_is_over_are_deleted_when_the_store_is_back(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """V4"""
    for lease in ("a", "b"):
        office.call(lease, 1500)
        office.depositor.settle(lease, NOW)

    def fail(self: FileObjects, key: str) -> None:
        raise StoreAway("the store is away")

    week = NOW + 168 * HOUR
    with monkeypatch.context() as patch:
        patch.setattr(FileObjects, "delete", fail)
        assert office.depositor.purge(week) == 0
    assert len(office.store.messages(NUMBER)) == 2  # known still, so that they are tried again
    assert caplog.text.count("cannot be deleted now") == 1
    assert office.depositor.purge(week) == 2
    assert office.sounds.keys() == set()


def test_messages_whose_time_is_over_take_no_place_while_they_cannot_be_deleted(office: Office) -> None:
    """V3, V4: a caller is not refused for a message that its owner does not see any more."""
    for number in range(10):
        office.call(f"lease-{number}", 1500, ended=NOW + HOUR * number)
        office.depositor.settle(f"lease-{number}", NOW + HOUR * number)
    week = timedelta(days=7)
    for hours in (0, 1):
        now = NOW + week + HOUR * hours
        assert office.store.reserve(f"new-{hours}", NUMBER, "node", now, 10, now - week)
        assert not office.store.reserve("eleventh", NUMBER, "node", now, 10, now - week)
    now = NOW + week - timedelta(milliseconds=1)
    assert not office.store.reserve("early", NUMBER, "node", now, 10, now - week)


def test_one_sound_that_cannot_be_deleted_holds_up_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """V4"""
    for lease in ("a", "b", "c"):
        office.call(lease, 1500)
        office.depositor.settle(lease, NOW)
    delete = FileObjects.delete

    def fail_once(self: FileObjects, key: str) -> None:
        if "/b" in key:
            raise PermissionError("not permitted")
        delete(self, key)

    monkeypatch.setattr(FileObjects, "delete", fail_once)
    assert office.depositor.purge(NOW + 168 * HOUR) == 2
    assert [m.recording.lease for m in office.store.messages(NUMBER)] == ["b"]


async def test_orphans_are_stored_as_their_workers_finish(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V7"""
    from denwa.voicemail import spool
    from denwa.voicemail.spool import Taken

    monkeypatch.setattr(storing, "ORPHAN_INTERVAL", 0.05)
    office.call("done", 1500)
    hold = spool.take(office.spool, Taken("going-on", NUMBER, "", "anonymous", "c@x", 480, 0))
    room = storing_of(office)
    taking = asyncio.create_task(room.take_up(["done", "going-on"]))
    await eventually(lambda: len(office.store.messages(NUMBER)) == 1)
    assert not taking.done()
    hold.release()
    await asyncio.wait_for(taking, 10)
    await eventually(lambda: room.waiting == 0)
    assert list(office.spool.iterdir()) == []


def test_next_deadline_is_that_of_the_oldest_message_of_all(office: Office) -> None:
    """V4"""
    deadlines: list[datetime | None] = [office.depositor.next_deadline()]
    for lease, age in (("b", 0), ("a", 3)):
        office.call(lease, 1500, ended=NOW - age * HOUR)
        office.depositor.settle(lease, NOW)
        deadlines.append(office.depositor.next_deadline())
    assert deadlines == [None, NOW + 168 * HOUR, NOW + 165 * HOUR]
