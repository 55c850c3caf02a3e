"""From the spool into the mailbox: what becomes of a call that a worker has finished, or died with (V3-V5, V7).

Safe to repeat at any point: the sound is treated and put into the store first, and only then the recording is emptied;
then one transaction stores the message, queues the mail and gives the place back, then the spool entry goes. A kill in
between is made good by doing it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from denwa.voicemail import spool, wav
from denwa.voicemail.kept_sound import keep
from denwa.voicemail.letters import Kind, Letter, Sender, message_id
from denwa.voicemail.mail.warning import almost_full
from denwa.voicemail.ports import Envelope, Mailboxes, Message, Owner, Owners, Recording, SoundStore
from denwa.voicemail.sound_store.faults import StoreAway
from denwa.voicemail.spool import SpoolFault, Taken

log = logging.getLogger(__name__)

PURGE_BATCH = 500


class Outcome(StrEnum):
    MESSAGE = "message"
    NOTICE = "notice"  # the caller left before the tone, or said nothing that could be kept
    NOTHING = "nothing"  # the call never came, or is stored already
    DROPPED = "dropped"  # the contract has ended meanwhile (V4)
    UNFINISHED = "unfinished"  # a worker still has it
    UNREADABLE = "unreadable"  # kept in the spool for a person to look at


@dataclass(frozen=True, slots=True)
class Rules:
    """`voicemail.*` of the settings."""

    max_seconds: int
    max_messages: int
    keep_days: int
    warn_left: int = 0  # how many more messages fit when the owner is told; 0: never
    wideband: bool = False  # 16 kHz of calls over G.722 are kept

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.keep_days)  # whole 24 hours: moments are UTC


class Depositor:
    """`changed(mailbox)` is called, in the thread that works, when messages of an E.164 have come or gone."""

    def __init__(
        self,
        folder: Path,
        sounds: SoundStore,
        mailboxes: Mailboxes,
        owners: Owners,
        sender: Sender,
        rules: Rules,
        changed: Callable[[str], None] = lambda mailbox: None,
    ) -> None:
        self._spool = folder
        self._sounds = sounds
        self._mailboxes = mailboxes
        self._owners = owners
        self._sender = sender
        self._rules = rules
        self._changed = changed

    def settle(self, lease: str, now: datetime) -> Outcome:
        """Store what became of a call. Raises OSError (disk) or what the database raises; then it can be repeated."""
        hold = spool.claim(self._spool, lease)
        if hold is None:
            if spool.sidecar_path(self._spool, lease).exists():
                return Outcome.UNFINISHED
            self._mailboxes.free([lease])
            return Outcome.NOTHING
        try:
            outcome = self._store(spool.read(self._spool, lease), now)
            spool.clear(self._spool, lease)
            return outcome
        except SpoolFault as fault:
            log.error("voicemail: a call in the spool cannot be read: %s", fault)
            return Outcome.UNREADABLE
        finally:
            hold.release()

    def begin(self, node: str) -> tuple[list[str], int]:
        """Before calls come in, free the places of calls that left nothing; the leases in the spool, and how many."""
        for draft in self._spool.glob("*.tmp"):
            draft.unlink(missing_ok=True)
        leases = list(spool.leases(self._spool))
        abandoned = sorted(set(self._mailboxes.held(node)) - set(leases))
        self._mailboxes.free(abandoned)
        return leases, len(abandoned)

    def keep_places(self, now: datetime) -> None:
        """Recordings that wait for the store of sounds keep their places, however long they wait (V3)."""
        self._mailboxes.renew(spool.leases(self._spool), now)

    def purge(self, now: datetime) -> int:
        """Delete what is older than `keep_days` x 24 h, or has no owner any more; returns how many (V4)."""
        gone: list[int] = []
        stuck: set[int] = set()
        while batch := [one for one in self._mailboxes.due(now - self._rules.keep, PURGE_BATCH) if one.id not in stuck]:
            if not self._delete_all(batch, gone, stuck):
                break
        return len(gone)

    def next_deadline(self) -> datetime | None:
        """When the next message is to be deleted; None when there is none."""
        oldest = self._mailboxes.oldest()
        return None if oldest is None else oldest + self._rules.keep

    def discard_mailed(self) -> int:
        """Delete messages whose mail was accepted, where the subscriber chose so (V4); returns how many."""
        gone: list[int] = []
        self._delete_all(self._mailboxes.to_discard(), gone, set())
        return len(gone)

    def delete(self, message: Message) -> None:
        """Gone for good: first the sound, then the metadata, so that a kill in between leaves no sound behind."""
        self._sounds.delete(message.recording.sound)
        self._mailboxes.forget(message.id)
        self._changed(message.recording.mailbox)

    def _delete_all(self, messages: list[Message], gone: list[int], stuck: set[int]) -> bool:
        """What cannot be deleted now keeps its metadata, so that it is tried again. False: the store is away."""
        for message in messages:
            try:
                self.delete(message)
            except StoreAway as fault:
                log.error("voicemail: messages cannot be deleted now, which is tried again: %s", fault)
                return False
            except OSError as fault:
                log.error("voicemail: the sound of message %d cannot be deleted: %s", message.id, fault)
                stuck.add(message.id)
            else:
                gone.append(message.id)
        return True

    def _store(self, taken: Taken, now: datetime) -> Outcome:
        recording = self._recording(taken)
        owner = self._owners.owner(taken.mailbox)
        if owner is None:
            if recording is not None:
                self._sounds.delete(recording.sound)
            self._mailboxes.free([taken.lease])
            return Outcome.DROPPED
        envelope = self._envelope(taken, owner, recording)
        if recording is None:
            self._mailboxes.notice(taken.lease, taken.mailbox, envelope, now)
            return Outcome.NOTICE
        warning = almost_full(owner, taken.lease, self._rules.max_messages, self._rules.warn_left, self._sender)
        self._mailboxes.deposit(recording, envelope, now, warning)
        self._changed(recording.mailbox)
        return Outcome.MESSAGE

    def _recording(self, taken: Taken) -> Recording | None:
        """Put the sound in its place; None when there is none worth keeping."""
        key = sound_key(taken.mailbox, taken.lease)
        source = spool.sound_path(self._spool, taken.lease)
        duration: int | None
        if not source.exists():  # hung up before the tone, or stored already
            return None
        ended_at = source.stat().st_mtime_ns // 1_000_000
        if source.stat().st_size:
            wav.repair(source, self._rules.max_seconds * 1000)
            draft = spool.draft_path(self._spool, taken.lease)
            duration = keep(source, draft, wide=self._rules.wideband)
            if duration is None:
                return None
            size = draft.stat().st_size
            self._sounds.put(draft, key)
            wav.empty(source)
        elif self._sounds.has(key):  # killed after it was put there
            duration, size = self._sounds.duration_ms(key), self._sounds.size(key)
        else:
            return None
        return Recording(
            lease=taken.lease,
            mailbox=taken.mailbox,
            caller=taken.caller,
            hidden_reason=taken.hidden_reason,
            call_id=taken.call_id,
            cause=taken.cause,
            called_at=_moment(taken.called_at_ms),
            recorded_at=_moment(ended_at),
            duration_ms=duration,
            size=size,
            sound=key,
        )

    def _envelope(self, taken: Taken, owner: Owner, recording: Recording | None) -> Envelope | None:
        """The mail the subscriber asked for (M1, M2)."""
        if owner.mail_notice == "none" or not owner.mail:
            return None
        letter = Letter(
            kind=Kind.CALL_NOTICE if recording is None else Kind.MESSAGE_NOTICE,
            mailbox=taken.mailbox,
            account=owner.account,
            caller=taken.caller,
            hidden_reason=taken.hidden_reason,
            called_at_ms=taken.called_at_ms,
            duration_ms=recording.duration_ms if recording else 0,
            most=self._rules.max_messages if recording else 0,
            attach=recording is not None and owner.mail_notice == "attach",
            keep_days=self._rules.keep_days,
            language=owner.language,
        )
        return Envelope(message_id(taken.lease, self._sender.address), owner.mail, letter)


def sound_key(mailbox: str, lease: str) -> str:
    return f"{mailbox.lstrip('+')}/{lease}.wav"


def _moment(millis: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
