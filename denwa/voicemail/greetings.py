"""Subscribers' own greetings: given as a file or recorded by telephone, kept with the messages, played to callers.

The sound store keeps them sealed; a worker needs a file. So a greeting that is played lies open in a folder of the data
folder for some minutes, readable by the service only.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from denwa.voicemail.kept_sound import write_sound
from denwa.voicemail.ports import Greeting, Greetings, SoundStore

log = logging.getLogger(__name__)

FOLDER = "greetings"  # in voicemail's folder: those being played, and drafts
OPEN_FOR = 600.0  # seconds that a greeting lies open after it was last asked for
BATCH = 100


class OwnGreetings:
    """Safe to use from many threads and beside a running service.

    `folder`: of open greetings; made when it is needed. `now`: for `made_at`.
    """

    def __init__(
        self,
        greetings: Greetings,
        sounds: SoundStore,
        folder: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._greetings = greetings
        self._sounds = sounds
        self._folder = folder
        self._now = now

    def get(self, mailbox: str) -> Greeting | None:
        """`mailbox`: E.164."""
        return self._greetings.get(mailbox)

    def set(self, mailbox: str, data: bytes, *, source: str, by: str) -> Greeting:
        """Make a greeting of a WAV file (`sound.greeting.prepared`); in force with the next call.

        `source`: "file" or "phone". Raises SoundFault (the file cannot be used), OSError (it cannot be stored).
        """
        from denwa.voicemail.sound.greeting import prepared  # numpy: not before it is needed
        from denwa.voicemail.sound.wav_files import wav_bytes

        sound = prepared(data)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = f"{mailbox.lstrip('+')}/greeting-{secrets.token_hex(8)}.wav"
        draft = self._folder / f"{secrets.token_hex(8)}.tmp"
        try:
            write_sound(draft, wav_bytes(sound))
            self._sounds.put(draft, key)
        finally:
            draft.unlink(missing_ok=True)
        length = len(sound.samples) * 1000 // sound.rate
        made = Greeting(mailbox, key, length, self._sounds.size(key), source, self._moment(), by)
        self._forget(self._greetings.set(made))
        return made

    def clear(self, mailbox: str) -> bool:
        """The service's greeting again; False when there was no other."""
        gone = self._greetings.clear(mailbox)
        self._forget(gone)
        return gone is not None

    def read(self, greeting: Greeting) -> bytes:
        """Its WAV. Raises OSError."""
        return self._sounds.read(greeting.sound)

    def file_of(self, mailbox: str) -> Path | None:
        """The file that a worker plays; None: the service's greeting. Whatever goes wrong, a caller is greeted."""
        try:
            greeting = self._greetings.get(mailbox)
            if greeting is None:
                return None
            path = self._folder / _name(greeting)
            if not path.exists():
                self._open(greeting, path)
            path.touch()
        except OSError as fault:
            log.error("voicemail: the own greeting of a subscriber cannot be played: %s", fault)
            return None
        return path

    def purge(self) -> int:
        """Delete those of ended contracts (V4); returns how many."""
        deleted = 0
        while batch := self._greetings.ended(BATCH):
            for greeting in batch:
                self._forget(self._greetings.clear(greeting.mailbox))
            deleted += len(batch)
        return deleted

    def close_unused(self, now: float | None = None) -> None:
        """Remove open files that nobody asked for lately, and those of greetings that are no longer in force."""
        at = time.time() if now is None else now
        for path in self._folder.glob("*.wav"):
            with contextlib.suppress(FileNotFoundError):
                if at - path.stat().st_mtime > OPEN_FOR or not self._in_force(path):
                    path.unlink()

    def close_all(self) -> None:
        """Remove what a kill left open."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, greeting: Greeting, path: Path) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        write_sound(draft, self._sounds.read(greeting.sound))
        draft.rename(path)

    def _in_force(self, path: Path) -> bool:
        greeting = self._greetings.get("+" + path.name.partition("-")[0])
        return greeting is not None and _name(greeting) == path.name

    def _forget(self, greeting: Greeting | None) -> None:
        """After it is no longer in force: whoever plays it now plays it to its end."""
        if greeting is not None:
            (self._folder / _name(greeting)).unlink(missing_ok=True)
            self._sounds.delete(greeting.sound)

    def _moment(self) -> datetime:
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _name(greeting: Greeting) -> str:
    """Of the open file: 815050010001-greeting-0123456789abcdef.wav"""
    return greeting.sound.replace("/", "-")
