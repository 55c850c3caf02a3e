"""From the spool into the mailbox, with kills at every point in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from denwa.config.settings import Settings
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail import deposit, spool, wav
from denwa.voicemail.deposit import Depositor, Outcome, Rules, sound_key
from denwa.voicemail.letters import Kind, Sender
from denwa.voicemail.ports import QueuedMail
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.sound_store.sealed import SealedSounds
from denwa.voicemail.spool import Taken
from tests.voicemail.rig import CALLER, NUMBER, add_subscriber, make_tables
from tests.voicemail.voices import voice

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
WEEK = timedelta(days=7)


class Office:
    """A depositor with everything real: folder, files, SQLite."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.engine = engine
        self.sounds = open_sounds(Settings(data_dir=folder))
        self.store = MailboxStore(engine)
        self.outbox = OutboxStore(engine)
        self.depositor = Depositor(
            *(self.spool, self.sounds, self.store, OwnerStore(engine)),
            Sender("mail-noreply@denwa.example", "Denwa"),
            Rules(max_seconds=60, max_messages=10, keep_days=7),
        )

    def call(self, lease: str, said_ms: int | None, ended: datetime = NOW, mailbox: str = NUMBER) -> None:
        """What a worker leaves in the spool; None: hung up before the tone."""
        self.store.reserve(lease, mailbox, "node", NOW, 10)
        called_at = int(ended.timestamp() * 1000) - (said_ms or 0) - 8000
        spool.take(self.spool, Taken(lease, mailbox, CALLER, "", "c@x", 486, called_at)).release()
        if said_ms is not None:
            path = spool.sound_path(self.spool, lease)
            path.write_bytes(voice(said_ms))
            os.utime(path, ns=(0, int(ended.timestamp() * 1000) * 1_000_000))

    def restart(self, now: datetime) -> dict[str, Outcome]:
        """What a start of the service does with the spool."""
        leases, self.freed = self.depositor.begin("node")
        return {lease: self.depositor.settle(lease, now) for lease in leases}

    def mails(self) -> list[QueuedMail]:
        found = []
        while queued := self.outbox.claim("reader", NOW + WEEK, NOW + 2 * WEEK):
            found.append(queued)
        return found

    def change(self, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(subscribers).values(**values))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield Office(tmp_path, engine)
    engine.dispose()


def test_recording_becomes_a_message_with_its_mail_and_leaves_the_spool(office: Office) -> None:
    office.call("a", 5000)
    assert office.depositor.settle("a", NOW) is Outcome.MESSAGE
    [message] = office.store.messages(NUMBER)
    assert message.recording.duration_ms == 5000
    assert message.recording.recorded_at == NOW  # when the recording ended
    assert message.recording.called_at == NOW - timedelta(seconds=13)
    assert office.sounds.duration_ms(message.recording.sound) == 5000
    assert list(office.spool.iterdir()) == []
    assert office.store.totals() == (1, 0)
    [mail] = office.mails()
    assert (mail.letter.kind, mail.letter.stored, mail.letter.most, mail.letter.attach) == (
        Kind.MESSAGE_NOTICE,
        1,
        10,
        True,
    )


@pytest.mark.parametrize(("said_ms", "outcome"), [(None, "notice"), (0, "notice"), (900, "notice"), (1200, "message")])
def test_call_in_which_nobody_speaks_for_a_second_is_a_call_notice(
    office: Office, said_ms: int | None, outcome: str
) -> None:
    """M2"""
    office.call("a", said_ms)
    assert office.depositor.settle("a", NOW) == outcome
    assert office.store.totals() == (int(outcome == "message"), 0)
    [mail] = office.mails()
    assert mail.letter.kind == {"notice": Kind.CALL_NOTICE, "message": Kind.MESSAGE_NOTICE}[outcome]
    assert list(office.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "mails", "attach"), [("none", 0, False), ("notice", 1, False), ("attach", 1, True)]
)
def test_subscriber_gets_the_mails_asked_for(office: Office, setting: str, mails: int, attach: bool) -> None:
    """M1"""
    office.change(mail_notice=setting)
    office.call("a", 1500)
    office.call("b", None)
    office.depositor.settle("a", NOW)
    office.depositor.settle("b", NOW)
    found = office.mails()
    assert len(found) == 2 * mails
    assert any(mail.letter.attach for mail in found) is attach


def test_subscriber_without_a_mail_address_gets_none(office: Office) -> None:
    office.change(mail="")
    office.call("a", 1500)
    assert office.depositor.settle("a", NOW) is Outcome.MESSAGE
    assert office.mails() == []


def test_lease_that_no_call_used_gives_its_place_back(office: Office) -> None:
    office.store.reserve("a", NUMBER, "node", NOW, 10)
    assert office.depositor.settle("a", NOW) is Outcome.NOTHING
    assert office.store.totals() == (0, 0)


def test_call_that_a_worker_still_has_is_left_alone(office: Office) -> None:
    hold = spool.take(office.spool, Taken("a", NUMBER, "", "anonymous", "c@x", 480, 0))
    office.store.reserve("a", NUMBER, "node", NOW, 10)
    assert office.depositor.settle("a", NOW) is Outcome.UNFINISHED
    assert office.restart(NOW) == {"a": Outcome.UNFINISHED}
    assert office.store.totals() == (0, 1)
    hold.release()
    assert office.depositor.settle("a", NOW) is Outcome.NOTICE


def test_message_to_a_contract_that_ended_meanwhile_is_dropped(office: Office) -> None:
    """V4"""
    office.call("a", 1500)
    office.change(state="terminated")
    assert office.depositor.settle("a", NOW) is Outcome.DROPPED
    assert office.store.totals() == (0, 0)
    assert office.sounds.keys() == set()
    assert office.mails() == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", ["recording", "repair", "keep", "put", "empty", "deposit", "clear"])
def test_kill_at_any_point_loses_nothing_and_doubles_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """V7: killed right after `point`, then started again."""
    files = {"repair": wav, "keep": deposit, "put": SealedSounds, "empty": wav}
    owners = {**files, "deposit": MailboxStore, "clear": spool}
    if point in owners:
        original = getattr(owners[point], point)

        def and_die(*arguments: object, **named: object) -> None:
            original(*arguments, **named)
            raise Killed

        office.call("a", 5000)
        with monkeypatch.context() as patch:
            patch.setattr(owners[point], point, and_die)
            with pytest.raises(Killed):
                office.depositor.settle("a", NOW)
    else:
        office.call("a", 5000)
    assert office.restart(NOW + timedelta(hours=1)) == ({} if point == "clear" else {"a": Outcome.MESSAGE})
    [message] = office.store.messages(NUMBER)
    assert message.recording.duration_ms == 5000
    assert message.recording.recorded_at == NOW
    assert len(office.mails()) == 1
    assert office.store.totals() == (1, 0)
    assert list(office.spool.iterdir()) == []
    assert office.sounds.keys() == {message.recording.sound}


def test_start_frees_places_of_calls_that_left_nothing(office: Office) -> None:
    office.store.reserve("gone", NUMBER, "node", NOW, 10)
    office.store.reserve("elsewhere", NUMBER, "other", NOW, 10)
    (office.spool / "half.tmp").write_bytes(b"x")
    office.restart(NOW)
    assert office.freed == 1
    assert office.store.held("other") == ["elsewhere"]
    assert not (office.spool / "half.tmp").exists()


def test_unreadable_sidecar_is_kept_and_its_sound_too(office: Office) -> None:
    office.call("a", 1500)
    spool.sidecar_path(office.spool, "a").write_text("{")
    assert office.depositor.settle("a", NOW) is Outcome.UNREADABLE
    assert spool.sound_path(office.spool, "a").exists()


def test_messages_are_deleted_after_exactly_seven_times_24_hours_with_their_sound(office: Office) -> None:
    """V4"""
    office.call("old", 1500, ended=NOW)
    office.call("young", 1500, ended=NOW + MS)
    office.depositor.settle("old", NOW)
    office.depositor.settle("young", NOW)
    assert office.depositor.purge(NOW + WEEK - MS) == 0
    assert office.depositor.purge(NOW + WEEK) == 1
    assert [m.recording.lease for m in office.store.messages(NUMBER)] == ["young"]
    assert office.sounds.keys() == {sound_key(NUMBER, "young")}
    assert office.depositor.purge(NOW + WEEK + MS) == 1
    assert office.sounds.keys() == set()


def test_all_messages_of_an_ended_contract_are_deleted(office: Office) -> None:
    """V4"""
    office.call("a", 1500)
    office.depositor.settle("a", NOW)
    office.change(state="terminated")
    assert office.depositor.purge(NOW) == 1
    assert office.store.totals() == (0, 0)
    assert office.sounds.keys() == set()


def test_deletion_that_was_killed_after_the_sound_is_completed_by_the_next(office: Office) -> None:
    office.call("a", 1500)
    office.depositor.settle("a", NOW)
    office.sounds.delete(sound_key(NUMBER, "a"))
    assert office.depositor.purge(NOW + WEEK) == 1
    assert office.store.totals() == (0, 0)


def test_each_message_that_comes_or_goes_is_told_of_with_its_mailbox(office: Office) -> None:
    """V6: phones show at once what is in the box; a call that left nothing changes no lamp."""
    told: list[str] = []
    depositor = Depositor(
        *(office.spool, office.sounds, office.store, OwnerStore(office.engine)),
        Sender("mail-noreply@denwa.example", "Denwa"),
        Rules(max_seconds=60, max_messages=10, keep_days=7),
        told.append,
    )
    office.call("said", 5000)
    office.call("silent", None)
    depositor.settle("silent", NOW)
    assert told == []
    depositor.settle("said", NOW)
    assert told == [NUMBER]
    assert depositor.purge(NOW + WEEK) == 1
    assert told == [NUMBER, NUMBER]
