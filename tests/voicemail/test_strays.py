"""What does not belong together is named, hides no message, and goes when its time is over (V4, V7)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from denwa.storage.greeting_store import GreetingStore
from denwa.voicemail import wav
from denwa.voicemail.deposit import sound_key
from denwa.voicemail.ports import Greeting
from denwa.voicemail.strays import find_strays, sweep
from tests.voicemail.rig import NUMBER
from tests.voicemail.test_deposit import NOW, Office, office

__all__ = ["office"]

WEEK, HOUR, MS = timedelta(days=7), timedelta(hours=1), timedelta(milliseconds=1)
LONELY = "815050010001/lonely.wav"


def put(office: Office, key: str, at: datetime) -> None:
    source = office.spool / "source"
    source.write_bytes(wav.tone(milliseconds=100))
    office.sounds.put(source, key)
    path = office.spool.parent / "voicemail" / "messages" / key
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_sound_without_message_is_told_of_after_an_hour_and_deleted_after_its_seven_days(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """V4: by then it must be gone whoever it was of."""
    office.call("kept", 1500)
    office.depositor.settle("kept", NOW)
    put(office, LONELY, NOW)
    assert find_strays(office.store, office.sounds, office.spool, NOW + HOUR - MS).texts() == []
    assert sweep(office.store, office.sounds, office.spool, NOW + HOUR, WEEK) == 0
    assert f"1 sounds without message, for instance {LONELY}" in caplog.text
    assert sweep(office.store, office.sounds, office.spool, NOW + WEEK - MS, WEEK) == 0
    assert sweep(office.store, office.sounds, office.spool, NOW + WEEK, WEEK) == 1
    assert office.sounds.keys() == {sound_key(NUMBER, "kept")}


def test_greeting_is_no_stray(office: Office) -> None:
    """V2"""
    key = "815050010001/greeting-1.wav"
    put(office, key, NOW - 100 * WEEK)
    greeting = Greeting(NUMBER, key, 100, 1644, "file", NOW - 100 * WEEK, "operator")
    GreetingStore(office.engine).set(greeting)
    assert sweep(office.store, office.sounds, office.spool, NOW, WEEK) == 0
    assert office.sounds.has(key)


def test_message_without_sound_stays_in_its_box_until_its_time_is_over(office: Office) -> None:
    """V4: its owner should know who called."""
    office.call("a", 1500)
    office.depositor.settle("a", NOW)
    office.sounds.delete(sound_key(NUMBER, "a"))
    assert find_strays(office.store, office.sounds, office.spool, NOW).missing == [sound_key(NUMBER, "a")]
    assert sweep(office.store, office.sounds, office.spool, NOW, WEEK) == 0
    assert len(office.store.messages(NUMBER)) == 1
    assert office.depositor.purge(NOW + WEEK) == 1
    assert find_strays(office.store, office.sounds, office.spool, NOW + WEEK).texts() == []


def test_recording_whose_call_is_unknown_goes_after_seven_days(office: Office) -> None:
    stray = office.spool / "stray.wav"
    stray.write_bytes(wav.tone(milliseconds=100))
    os.utime(stray, (NOW.timestamp(), NOW.timestamp()))
    assert find_strays(office.store, office.sounds, office.spool, NOW).recordings == [stray]
    assert sweep(office.store, office.sounds, office.spool, NOW + WEEK - MS, WEEK) == 0
    assert stray.exists()
    assert sweep(office.store, office.sounds, office.spool, NOW + WEEK, WEEK) == 1
    assert not stray.exists()


def test_sound_that_is_just_being_stored_is_no_stray(office: Office) -> None:
    now = datetime.now(UTC)
    put(office, LONELY, now)
    found = find_strays(office.store, office.sounds, office.spool, now)
    assert (found.missing, found.unknown, found.recordings) == ([], {}, [])
