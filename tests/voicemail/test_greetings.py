"""Own greetings: given, kept, played, replaced and gone with the contract."""

from __future__ import annotations

import io
import os
import threading
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from denwa.config.settings import DATA, Settings
from denwa.storage.greeting_store import GreetingStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.greetings import OPEN_FOR, OwnGreetings
from denwa.voicemail.sound.faults import SoundFault
from denwa.voicemail.sound_store.opening import open_sounds
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

SPEECH = (DATA / "prompts" / "suspended.wav").read_bytes()
OTHER = (DATA / "prompts" / "goodbye.wav").read_bytes()
NOW = datetime(2026, 11, 22, 3, 4, 5, 678900, tzinfo=UTC)


class Desk:
    def __init__(self, folder: Path, engine: Engine) -> None:
        self.engine = engine
        self.sounds = open_sounds(Settings(data_dir=folder))
        self.folder = folder / "voicemail" / "greetings"
        self.greetings = OwnGreetings(GreetingStore(engine), self.sounds, self.folder, lambda: NOW)

    def set(self, data: bytes = SPEECH) -> None:
        self.greetings.set(NUMBER, data, source="file", by="cli:test")

    def open_files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    engine = make_tables(database_url)
    add_subscriber(engine)
    yield Desk(tmp_path, engine)
    engine.dispose()


def test_greeting_is_kept_with_who_gave_it_and_is_known_as_a_sound(desk: Desk) -> None:
    desk.set()
    found = desk.greetings.get(NUMBER)
    assert found is not None
    assert (found.source, found.made_by, found.made_at) == ("file", "cli:test", NOW.replace(microsecond=678000))
    assert abs(found.duration_ms - 3080) < 100
    with wave.open(io.BytesIO(desk.greetings.read(found))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
    assert desk.sounds.keys() == {found.sound} == MailboxStore(desk.engine).sounds()  # not taken for a stray
    assert desk.open_files() == []


def test_worker_gets_a_file_that_only_the_service_can_read(desk: Desk) -> None:
    assert desk.greetings.file_of(NUMBER) is None
    desk.set()
    path = desk.greetings.file_of(NUMBER)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert desk.greetings.file_of(NUMBER) == path
    with wave.open(str(path)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(3.08, abs=0.1)


def test_new_greeting_takes_the_place_of_the_old_one_which_is_gone(desk: Desk) -> None:
    desk.set()
    first = desk.greetings.file_of(NUMBER)
    desk.set(OTHER)
    second = desk.greetings.file_of(NUMBER)
    assert first is not None
    assert second is not None
    assert not first.exists()
    assert len(desk.sounds.keys()) == 1
    assert desk.open_files() == [second.name]


def test_cleared_greeting_is_gone_and_the_service_s_is_played(desk: Desk) -> None:
    desk.set()
    desk.greetings.file_of(NUMBER)
    assert desk.greetings.clear(NUMBER)
    assert not desk.greetings.clear(NUMBER)
    assert desk.greetings.get(NUMBER) is None
    assert desk.greetings.file_of(NUMBER) is None
    assert desk.sounds.keys() == set()
    assert desk.open_files() == []


def test_greeting_goes_with_the_contract(desk: Desk) -> None:
    """V4"""
    desk.set()
    desk.greetings.file_of(NUMBER)
    assert desk.greetings.purge() == 0
    with desk.engine.begin() as connection:
        connection.execute(update(subscribers).values(state="terminated"))
    assert desk.greetings.purge() == 1
    assert desk.greetings.get(NUMBER) is None
    assert desk.sounds.keys() == set()
    assert desk.open_files() == []


def test_open_files_are_closed_when_nobody_asks_for_them_or_another_process_changed_the_greeting(desk: Desk) -> None:
    desk.set()
    path = desk.greetings.file_of(NUMBER)
    assert path is not None
    asked = path.stat().st_mtime
    desk.greetings.close_unused(asked + OPEN_FOR - 1)
    assert path.exists()
    desk.greetings.close_unused(asked + OPEN_FOR + 1)
    assert desk.open_files() == []
    path = desk.greetings.file_of(NUMBER)
    assert path is not None
    elsewhere = OwnGreetings(GreetingStore(desk.engine), desk.sounds, desk.folder.with_name("command"), lambda: NOW)
    elsewhere.set(NUMBER, OTHER, source="file", by="cli:test")
    desk.greetings.close_unused(path.stat().st_mtime)
    assert desk.open_files() == []


def test_caller_is_greeted_by_the_service_when_the_own_greeting_cannot_be_read(desk: Desk) -> None:
    desk.set()
    for key in desk.sounds.keys():  # noqa: SIM118 a store is no dict
        desk.sounds.delete(key)
    assert desk.greetings.file_of(NUMBER) is None


@pytest.mark.parametrize("data", [b"", b"no sound", SPEECH[:60], OTHER[:44] + b"\0" * 64000])
def test_unusable_file_changes_nothing(desk: Desk, data: bytes) -> None:
    desk.set()
    before = desk.greetings.get(NUMBER)
    with pytest.raises(SoundFault):
        desk.set(data)
    assert desk.greetings.get(NUMBER) == before
    assert len(desk.sounds.keys()) == 1
    assert desk.open_files() == []


def test_many_who_set_and_ask_at_once_leave_one_greeting_and_one_sound(desk: Desk) -> None:
    desk.set()
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(3):
                if number % 2:
                    desk.set(SPEECH if number % 4 == 1 else OTHER)
                else:
                    desk.greetings.file_of(NUMBER)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    found = desk.greetings.get(NUMBER)
    assert found is not None
    assert desk.sounds.keys() == {found.sound}
    desk.greetings.close_unused()
    assert len(desk.open_files()) <= 1


def test_start_removes_what_a_kill_left_open(desk: Desk) -> None:
    desk.set()
    desk.greetings.file_of(NUMBER)
    (desk.folder / "half.tmp").write_bytes(b"x")
    desk.greetings.close_all()
    assert not desk.folder.exists()
    path = desk.greetings.file_of(NUMBER)
    assert path is not None
    assert os.access(path, os.R_OK)
