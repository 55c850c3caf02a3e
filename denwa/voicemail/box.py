"""The service's half of the box by phone: what a worker that plays it may ask, and what it is answered (V6).

A worker knows neither the database nor the sound store. It gets lists of messages, and sounds as files in a folder of
its call, which are gone when the next one is asked for or the call is over.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from denwa.numbering import PhoneNumber
from denwa.numbering.spelling import NumberFault
from denwa.voicemail.access import Access, Verdict
from denwa.voicemail.box_flow import RECORDED
from denwa.voicemail.box_prompts import Entry
from denwa.voicemail.greetings import OwnGreetings
from denwa.voicemail.kept_sound import write_sound
from denwa.voicemail.ports import Mailboxes, Message, Owners, SoundStore

log = logging.getLogger(__name__)

Answer = dict[str, Any]
FAILED: Answer = {"answer": "failed"}
MISSING: Answer = {"answer": "missing"}
DONE: Answer = {"answer": "done"}
OWN_GREETING = "own-greeting.wav"  # the one in force, for the worker to play


@dataclass(slots=True)
class _Visit:
    """`mailbox` (E.164): what the call may hear; "" until number and PIN are right."""

    mailbox: str
    files: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BoxParts:
    """What the box works on. `keep`: how long messages are kept (V4); `delete` makes one gone for good."""

    folder: Path
    mailboxes: Mailboxes
    owners: Owners
    sounds: SoundStore
    keep: timedelta
    delete: Callable[[Message], None]
    greetings: OwnGreetings | None = None


class BoxDesk:
    """Calls to boxes, by lease. `answer` blocks: call it in a thread, for one question of a call at a time.

    `changed` is told the mailbox whose message was heard.
    """

    def __init__(
        self, parts: BoxParts, access: Access | None, changed: Callable[[str], None], now: Callable[[], datetime]
    ) -> None:
        self._parts = parts
        self._access = access
        self._changed = changed
        self._now = now
        self._visits: dict[str, _Visit] = {}

    @property
    def open_to_others(self) -> bool:
        """Boxes can be heard with a PIN."""
        return self._access is not None

    def clear(self) -> None:
        """Remove what a kill left behind. Raises OSError."""
        folder = self._parts.folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, parents=True)

    def begin(self, lease: str, mailbox: str) -> Path:
        """A call is expected; `mailbox`: that of the calling phone, or "". Its folder. Raises OSError."""
        folder = self._folder(lease)
        folder.mkdir(mode=0o700)
        self._visits[lease] = _Visit(mailbox)
        return folder

    def end(self, lease: str) -> None:
        """The call is over, or never came."""
        self._visits.pop(lease, None)
        shutil.rmtree(self._folder(lease), ignore_errors=True)

    def knows(self, lease: str) -> bool:
        return lease in self._visits

    def answer(self, lease: str, question: dict[str, Any]) -> Answer | None:
        """None: there is nothing to be said. Whatever goes wrong is an answer, too."""
        visit = self._visits.get(lease)
        if visit is None:
            return None
        try:
            return self._answer(lease, visit, question)
        except Exception:
            log.exception("voicemail box: %s cannot be answered", question.get("what"))
            return FAILED

    def forget(self, now: datetime) -> None:
        """Drop what must not be kept of PINs and tries."""
        if self._access is not None:
            self._access.forget(now)

    def _answer(self, lease: str, visit: _Visit, question: dict[str, Any]) -> Answer | None:
        match question:
            case {"what": "open", "number": str(number), "pin": str(pin)}:
                return self._open(visit, number, pin)
            case {"what": "open" | "list"} if visit.mailbox:
                return self._opened(visit)
            case {"what": "sound", "id": int(message_id)}:
                return self._sound(lease, visit, message_id)
            case {"what": "heard", "id": int(message_id)}:
                self._heard(visit, message_id)
                return None
            case {"what": "delete", "id": int(message_id)}:
                return self._delete(visit, message_id)
        if self._parts.greetings is not None and visit.mailbox:
            return self._answer_of_greeting(lease, visit, question, self._parts.greetings)
        return FAILED

    def _answer_of_greeting(
        self, lease: str, visit: _Visit, question: dict[str, Any], greetings: OwnGreetings
    ) -> Answer:
        match question:
            case {"what": "greeting"}:
                found = greetings.get(visit.mailbox)
                return MISSING if found is None else self._file(lease, visit, OWN_GREETING, greetings.read(found))
            case {"what": "save-greeting"}:
                try:
                    recorded = (self._folder(lease) / RECORDED).read_bytes()
                    greetings.set(visit.mailbox, recorded, source="phone", by="phone")
                except ValueError as fault:  # it is no usable sound: nothing was said
                    log.info("voicemail box: a greeting is not taken: %s", fault)
                    return MISSING
                return DONE
            case {"what": "clear-greeting"}:
                greetings.clear(visit.mailbox)
                return DONE
        return FAILED

    def _open(self, visit: _Visit, number: str, pin: str) -> Answer:
        if self._access is None:
            return FAILED
        judged = self._access.judge(number, pin, self._now())
        if judged.verdict is not Verdict.OPEN:
            return {"answer": judged.verdict.value}
        visit.mailbox = judged.mailbox
        return self._opened(visit)

    def _opened(self, visit: _Visit) -> Answer:
        if self._parts.owners.owner(visit.mailbox) is None:
            return FAILED
        found = [asdict(_entry(m)) for m in self._parts.mailboxes.messages(visit.mailbox) if self._kept(m)]
        return {"answer": "opened", "messages": found}

    def _sound(self, lease: str, visit: _Visit, message_id: int) -> Answer:
        message = self._message(visit, message_id)
        if message is None:
            return MISSING
        try:
            sound = self._parts.sounds.read(message.recording.sound)
        except FileNotFoundError:  # deleted between the two looks
            return MISSING
        return self._file(lease, visit, f"{message_id}.wav", sound)

    def _file(self, lease: str, visit: _Visit, name: str, sound: bytes) -> Answer:
        """A file for the worker, instead of the one before."""
        self._drop_files(visit)
        path = self._folder(lease) / name
        visit.files.append(path)
        write_sound(path, sound)
        return {"answer": "here", "path": str(path)}

    def _heard(self, visit: _Visit, message_id: int) -> None:
        message = self._message(visit, message_id)
        if message is not None and message.heard_at is None:
            self._parts.mailboxes.heard(message_id, self._now())
            self._changed(visit.mailbox)

    def _delete(self, visit: _Visit, message_id: int) -> Answer:
        self._drop_files(visit)
        message = self._message(visit, message_id)
        if message is not None:
            self._parts.delete(message)
        return DONE  # also when it was gone already

    def _message(self, visit: _Visit, message_id: int) -> Message | None:
        """A message of the open box, or None."""
        message = self._parts.mailboxes.message(message_id) if visit.mailbox else None
        ours = message is not None and message.recording.mailbox == visit.mailbox and self._kept(message)
        return message if ours else None

    def _kept(self, message: Message) -> bool:
        return message.recording.recorded_at + self._parts.keep > self._now()

    def _drop_files(self, visit: _Visit) -> None:
        while visit.files:
            visit.files.pop().unlink(missing_ok=True)

    def _folder(self, lease: str) -> Path:
        return self._parts.folder / lease


def _entry(message: Message) -> Entry:
    recording = message.recording
    called_at_ms = int(recording.called_at.timestamp() * 1000)
    heard = message.heard_at is not None
    return Entry(message.id, _digits(recording.caller), recording.hidden_reason, called_at_ms, heard)


def _digits(caller: str) -> str:
    """A caller's number as one would dial it, "" when there is none."""
    try:
        return PhoneNumber(caller).national()
    except NumberFault:
        return ""
