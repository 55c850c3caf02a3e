"""What does not belong together: messages whose sound is missing, sounds and recordings that nobody knows (V4, V7).

A kill leaves none of them; a lost disk, a restored backup or another program's hand may. Nothing here can hide a
message: one without sound stays in its owner's list until its time is over. A sound that no message knows is deleted
once it has been there as long as a message is kept, for then it must be gone whoever it was of.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from denwa.voicemail import spool
from denwa.voicemail.ports import Mailboxes, SoundStore

log = logging.getLogger(__name__)

STORING = timedelta(hours=1)  # a sound is in the store for a moment before its message is known


@dataclass(frozen=True, slots=True)
class Strays:
    """Keys of sounds, and files of the spool."""

    missing: list[str]
    unknown: dict[str, datetime]  # since when they are there
    recordings: list[Path]

    def texts(self) -> list[str]:
        """One line for each kind that there is."""
        found = (
            ("messages or greetings without sound", sorted(self.missing)),
            ("sounds without message", sorted(self.unknown)),
            ("recordings in the spool whose call is unknown", [path.name for path in self.recordings]),
        )
        return [f"{len(strays)} {what}, for instance {strays[0]}" for what, strays in found if strays]


def find_strays(mailboxes: Mailboxes, sounds: SoundStore, folder: Path, now: datetime) -> Strays:
    """`folder`: the spool. Raises OSError when the store of sounds is away."""
    before = mailboxes.sounds()
    present = sounds.listing()
    after = mailboxes.sounds()
    missing = sorted((before & after) - present.keys())
    unknown = {key: at for key, at in present.items() if key not in after and at <= now - STORING}
    return Strays(missing, unknown, spool.sounds_alone(folder))


def sweep(mailboxes: Mailboxes, sounds: SoundStore, folder: Path, now: datetime, keep: timedelta) -> int:
    """Say what is astray, and delete what is older than `keep`; returns how many. Raises OSError as `find_strays`."""
    found = find_strays(mailboxes, sounds, folder, now)
    for text in found.texts():
        log.error("voicemail: %s", text)
    old = [key for key, at in found.unknown.items() if at <= now - keep]
    for key in old:
        sounds.delete(key)
    lost = [path for path in found.recordings if _written(path) <= now - keep]
    for path in lost:
        path.unlink(missing_ok=True)
    if old or lost:
        log.warning("voicemail: %d sounds that nobody knew deleted at the end of their time", len(old) + len(lost))
    return len(old) + len(lost)


def _written(path: Path) -> datetime:
    try:
        seconds = path.stat().st_mtime
    except FileNotFoundError:
        seconds = 0.0
    return datetime.fromtimestamp(seconds, UTC)
