"""Another key for all sounds, while the service runs: it seals with the new one from the moment that it is there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from denwa.voicemail.sound_store.faults import SealFault, StoreAway
from denwa.voicemail.sound_store.sealed import SealedSounds

IN_FLIGHT = timedelta(minutes=10)  # longer than a sound can take from its sealing into the store


@dataclass(slots=True)
class Resealed:
    """How many sounds were sealed anew, and why others could not be."""

    count: int = 0
    faults: list[str] = field(default_factory=list)


def new_key(sounds: SealedSounds) -> str:
    """Seal with a new key from now on; its id. The key before is needed until all is resealed. Raises OSError."""
    with _alone(sounds):
        sounds.key_file.refuse_if_lost()
        return sounds.key_file.add().id.hex()


def reseal_all(sounds: SealedSounds) -> Resealed:
    """Seal with the newest key whatever is plain or sealed with another. Raises StoreAway, SealFault without a key."""
    done = Resealed()
    if not sounds.key_file.keys():
        sounds.prepare()
    for key in sorted(sounds.keys()):
        try:
            done.count += sounds.reseal(key)
        except StoreAway:
            raise
        except OSError as fault:
            done.faults.append(str(fault))
    return done


def forget_old_keys(sounds: SealedSounds, now: datetime) -> int:
    """Forget all keys but the newest; how many. Raises SealFault while any of them is or may be needed."""
    with _alone(sounds):
        if len(sounds.key_file.keys()) < 2:
            return 0
        changed_at = datetime.fromtimestamp(sounds.key_file.path.stat().st_mtime, UTC)
        if now - changed_at < IN_FLIGHT:
            minutes = IN_FLIGHT // timedelta(minutes=1)
            raise SealFault(f"the newest key is not {minutes} minutes old: sounds on their way may need the one before")
        done = reseal_all(sounds)
        if done.faults:
            raise SealFault(f"{len(done.faults)} sounds cannot be opened, for instance: {done.faults[0]}")
        return sounds.key_file.forget_all_but_newest()


@contextmanager
def _alone(sounds: SealedSounds) -> Iterator[None]:
    """One change of the key file at a time."""
    folder = os.open(sounds.key_file.path.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SealFault(f"{sounds.key_file.path} is being changed by another command") from None
        yield
    finally:
        os.close(folder)
