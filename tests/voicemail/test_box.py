"""What the service answers a call to a box: number and PIN, lists, sounds, deletion; and nothing it must not."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from denwa.config.settings import DATA, Settings
from denwa.storage.greeting_store import GreetingStore
from denwa.storage.pin_store import PinStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail import wav
from denwa.voicemail.access import Access
from denwa.voicemail.box import BoxDesk, BoxParts
from denwa.voicemail.box_flow import RECORDED
from denwa.voicemail.greetings import OwnGreetings
from denwa.voicemail.pins import FIRST_LOCK, TRIES, PinHashes
from denwa.voicemail.ports import Message, Recording
from denwa.voicemail.sound_store.opening import open_sounds
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OTHER = "+815050010002"
DIALLED = "05050010001"
PIN = "271828"
KEEP = timedelta(days=7)


class Scene:
    """Two subscribers; the box of the first has a PIN. Time stands still unless told."""

    def __init__(self, folder: Path) -> None:
        self.engine = make_tables(f"sqlite:///{folder / 'db'}")
        for number in (NUMBER, OTHER):
            add_subscriber(self.engine, number)
        self.now = NOW
        self.changes: list[str] = []
        self.mailboxes = MailboxStore(self.engine)
        self.sounds = open_sounds(Settings(data_dir=folder))
        self.pins = PinStore(self.engine)
        hashes = PinHashes(b"k" * 32)
        self.pins.set_pin(NUMBER, hashes.hash(NUMBER, PIN), NOW)
        owners = OwnerStore(self.engine)
        self.visits = folder / "visits"
        self.greetings = OwnGreetings(GreetingStore(self.engine), self.sounds, folder / "greetings", lambda: self.now)
        parts = BoxParts(self.visits, self.mailboxes, owners, self.sounds, KEEP, self.delete, self.greetings)
        self.desk = BoxDesk(parts, Access(self.pins, owners, hashes), self.changes.append, lambda: self.now)
        self.desk.clear()

    def delete(self, message: Message) -> None:
        self.sounds.delete(message.recording.sound)
        self.mailboxes.forget(message.id)
        self.changes.append(message.recording.mailbox)

    def deposit(
        self, lease: str, mailbox: str = NUMBER, caller: str = "+819012345678", age: timedelta = timedelta()
    ) -> int:
        key = f"{mailbox[1:]}/{lease}.wav"
        source = self.visits.parent / "new.wav"
        source.write_bytes(wav.tone())
        self.sounds.put(source, key)
        at = NOW - age
        recording = Recording(lease, mailbox, caller, "", "c@x", 486, at, at, 500, self.sounds.size(key), key)
        message_id = self.mailboxes.deposit(recording, None, NOW)
        assert message_id is not None
        return message_id

    def own(self, lease: str = "call", mailbox: str = NUMBER) -> str:
        self.desk.begin(lease, mailbox)
        return lease

    def ask(self, lease: str, what: str, **fields: object) -> object:
        answer = self.desk.answer(lease, {"what": what, **fields})
        return answer and answer["answer"]

    def open(self, lease: str, number: str = DIALLED, pin: str = PIN) -> object:
        return self.ask(lease, "open", number=number, pin=pin)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.engine.dispose()


def test_the_own_phone_gets_the_messages_of_its_box_only(scene: Scene) -> None:  # V6
    first = scene.deposit("a")
    scene.deposit("b", OTHER)
    answer = scene.desk.answer(scene.own(), {"what": "open"})
    assert answer is not None
    (message,) = answer["messages"]
    assert (message["id"], message["caller"], message["heard"]) == (first, "09012345678", False)
    assert message["called_at_ms"] == NOW.timestamp() * 1000


def test_a_message_past_its_time_is_not_told_though_it_is_not_deleted_yet(scene: Scene) -> None:  # V4
    old = scene.deposit("a", age=KEEP)
    call = scene.own()
    answer = scene.desk.answer(call, {"what": "list"})
    assert answer is not None
    assert answer["messages"] == []
    assert scene.ask(call, "sound", id=old) == "missing"


def test_the_sound_is_a_file_that_only_the_service_reads_and_that_goes_with_the_call(scene: Scene) -> None:
    first, second = scene.deposit("a"), scene.deposit("b")
    call = scene.own()
    answer = scene.desk.answer(call, {"what": "sound", "id": first})
    assert answer is not None
    path = Path(answer["path"])
    assert path.read_bytes() == wav.tone()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    scene.ask(call, "sound", id=second)
    assert not path.exists()
    scene.desk.end(call)
    assert list(scene.visits.iterdir()) == []
    assert scene.ask(call, "list") is None


def test_a_deleted_message_is_gone_from_list_disk_and_database_at_once(scene: Scene) -> None:  # V4
    message = scene.deposit("a")
    call = scene.own()
    scene.ask(call, "sound", id=message)
    assert scene.ask(call, "delete", id=message) == "done"
    assert scene.sounds.keys() == set()
    assert scene.mailboxes.message(message) is None
    assert scene.changes == [NUMBER]
    assert not list(scene.visits.glob("*/*.wav"))


def test_heard_is_noted_once_and_told_to_the_lamps(scene: Scene) -> None:
    message = scene.deposit("a")
    call = scene.own()
    scene.ask(call, "heard", id=message)
    first = scene.mailboxes.message(message)
    scene.now += timedelta(minutes=1)
    scene.ask(call, "heard", id=message)
    assert first is not None
    assert first.heard_at == NOW
    assert scene.mailboxes.message(message) == first
    assert scene.changes == [NUMBER]


def test_two_phones_in_one_box_and_a_purge_meanwhile_are_no_fault(scene: Scene) -> None:
    message = scene.deposit("a")
    one, two = scene.own("one"), scene.own("two")
    assert scene.ask(one, "sound", id=message) == "here"
    assert scene.ask(two, "delete", id=message) == "done"
    assert scene.ask(one, "heard", id=message) is None
    assert scene.ask(one, "delete", id=message) == "done"
    assert scene.ask(one, "sound", id=message) == "missing"
    lost = scene.deposit("b")
    scene.sounds.delete(f"{NUMBER[1:]}/b.wav")
    assert scene.ask(one, "sound", id=lost) == "missing"


def test_no_question_gets_at_a_message_of_another_box(scene: Scene) -> None:
    theirs = scene.deposit("a", OTHER)
    for call in (scene.own("own"), scene.own("elsewhere", "")):
        assert scene.ask(call, "sound", id=theirs) == "missing"
        assert scene.ask(call, "delete", id=theirs) == "done"
        scene.ask(call, "heard", id=theirs)
    kept = scene.mailboxes.message(theirs)
    assert kept is not None
    assert kept.heard_at is None
    assert scene.sounds.keys() == {f"{OTHER[1:]}/a.wav"}


def test_from_elsewhere_nothing_is_listed_before_number_and_pin_are_right(scene: Scene) -> None:  # V6
    message = scene.deposit("a")
    call = scene.own(mailbox="")
    assert scene.ask(call, "list") == "failed"
    assert scene.ask(call, "open") == "failed"
    assert scene.open(call, pin="999999") == "wrong"
    assert scene.ask(call, "sound", id=message) == "missing"
    assert scene.open(call) == "opened"
    assert scene.ask(call, "sound", id=message) == "here"


@pytest.mark.parametrize("number", [OTHER, "05050019998", "0312345678", "", "9" * 24, "110"])
def test_numbers_without_a_box_or_a_pin_answer_like_a_wrong_pin_and_are_shut_like_it(scene: Scene, number: str) -> None:
    for _ in range(TRIES):
        assert scene.open(scene.own(mailbox=""), number, PIN) == "wrong"
        scene.desk.end("call")
    assert scene.open(scene.own(mailbox=""), number, PIN) == "locked"


def test_five_wrong_tries_shut_the_box_for_everybody_but_the_own_phone(scene: Scene) -> None:  # V6
    for _ in range(TRIES):
        assert scene.open(scene.own(mailbox=""), pin="000000") == "wrong"
        scene.desk.end("call")
    assert scene.open(scene.own("other", "")) == "locked"
    assert scene.ask(scene.own("own"), "open") == "opened"
    scene.now += FIRST_LOCK
    assert scene.open("other") == "opened"


def test_a_shut_box_stays_shut_over_a_restart_and_longer_the_next_time(scene: Scene, tmp_path: Path) -> None:
    for _ in range(TRIES):
        scene.open(scene.own(mailbox=""), pin="000000")
        scene.desk.end("call")
    assert PinStore(scene.engine).begin_try(NUMBER, NOW) == NOW + FIRST_LOCK
    scene.now += FIRST_LOCK
    for _ in range(TRIES):
        assert scene.open(scene.own(mailbox=""), pin="000000") == "wrong"
        scene.desk.end("call")
    assert PinStore(scene.engine).begin_try(NUMBER, scene.now) == scene.now + 2 * FIRST_LOCK


def test_the_pin_of_an_ended_contract_opens_nothing_and_is_forgotten(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.number == NUMBER).values(state="terminated"))
    assert scene.open(scene.own(mailbox="")) == "wrong"
    scene.desk.forget(NOW)
    assert scene.pins.pin_hash(NUMBER) == ""


def test_files_that_a_kill_left_are_removed_at_the_start(scene: Scene) -> None:
    scene.ask(scene.own(), "sound", id=scene.deposit("a"))
    scene.desk.clear()
    assert list(scene.visits.iterdir()) == []


def test_a_fault_is_an_answer_and_no_end_of_the_call(scene: Scene) -> None:
    message = scene.deposit("a")
    call = scene.own()
    (scene.visits / call).rmdir()
    assert scene.ask(call, "sound", id=message) == "failed"
    assert scene.ask(call, "nonsense") == "failed"
    assert scene.ask(call, "list") == "opened"


def test_a_greeting_recorded_by_phone_is_in_force_heard_again_and_taken_back(scene: Scene) -> None:  # V6 V2
    call = scene.own()
    assert scene.ask(call, "greeting") == "missing"
    (scene.visits / call / RECORDED).write_bytes((DATA / "prompts" / "barred.wav").read_bytes())
    assert scene.ask(call, "save-greeting") == "done"
    kept = scene.greetings.get(NUMBER)
    assert kept is not None
    assert (kept.source, kept.made_by) == ("phone", "phone")
    answer = scene.desk.answer(call, {"what": "greeting"})
    assert answer is not None
    assert Path(answer["path"]).read_bytes() == scene.greetings.read(kept)
    assert scene.ask(call, "clear-greeting") == "done"
    assert scene.ask(call, "greeting") == "missing"


def test_a_greeting_in_which_nothing_is_said_changes_nothing(scene: Scene) -> None:
    call = scene.own()
    (scene.visits / call / RECORDED).write_bytes(wav.tone(milliseconds=2000, level=0.0))
    assert scene.ask(call, "save-greeting") == "missing"
    assert scene.greetings.get(NUMBER) is None


def test_a_greeting_is_no_business_of_a_caller_without_pin(scene: Scene) -> None:
    call = scene.own(mailbox="")
    (scene.visits / call / RECORDED).write_bytes((DATA / "prompts" / "barred.wav").read_bytes())
    for what in ("greeting", "save-greeting", "clear-greeting"):
        assert scene.ask(call, what) == "failed"
