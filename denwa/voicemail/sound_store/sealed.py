"""The store of sounds as the rest of voicemail sees it: WAV in, WAV out, sealed where it is kept."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from denwa.voicemail.sound_store.faults import SealFault, StoreFault
from denwa.voicemail.sound_store.key_file import KeyFile
from denwa.voicemail.sound_store.objects import Objects
from denwa.voicemail.sound_store.sealing import NONCE_BYTES, SoundKey, seal, sealed_with, unseal


class SealedSounds:
    """Implements SoundStore. Plain WAV files that an earlier release stored are read, too."""

    def __init__(self, objects: Objects, key_file: KeyFile, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.objects = objects
        self.key_file = key_file
        self._random_bytes = random_bytes

    def put(self, source: Path, key: str) -> None:
        sound = source.read_bytes()
        self.objects.put(key, seal(self._newest(), key, sound, self._random_bytes(NONCE_BYTES)))
        source.unlink()

    def has(self, key: str) -> bool:
        return self.objects.has(key)

    def size(self, key: str) -> int:
        return len(self.read(key))

    def duration_ms(self, key: str) -> int:
        with wave.open(io.BytesIO(self.read(key))) as sound:
            frames: int = sound.getnframes()
            rate: int = sound.getframerate()
        return frames * 1000 // rate

    def read(self, key: str) -> bytes:
        data = self.objects.get(key)
        try:
            key_id = sealed_with(data)
            return data if key_id is None else unseal(self.key_file.find(key_id), key, data)
        except SealFault as fault:
            raise SealFault(f"sound {key}: {fault}") from None

    def delete(self, key: str) -> None:
        self.objects.delete(key)

    def keys(self) -> set[str]:
        return set(self.objects.listing())

    def listing(self) -> dict[str, datetime]:
        return self.objects.listing()

    def prepare(self) -> bool:
        """See that there is a key to seal with; True when one was made. Raises OSError, SealFault when it is lost."""
        if self.key_file.keys():
            self.key_file.note_use()
            return False
        if self.objects.shared and self.objects.listing():
            raise SealFault(
                f"{self.key_file.path} is missing, and there are sounds in the store:"
                " copy it from the machine that sealed them, or from the backup"
            )
        self.key_file.make()
        return True

    def look(self) -> list[str]:
        made = self.prepare()
        found = (
            [f"{self.key_file.path} was made: keep a copy elsewhere, for no message is heard without it"]
            if made
            else []
        )
        return [*found, *self.faults()]

    def faults(self) -> list[str]:
        """What an operator should mend, in words. Raises StoreFault when the store cannot be used."""
        return [*self.key_file.faults(), *self.objects.check()]

    def reseal(self, key: str) -> bool:
        """Seal a sound with the newest key; False when it is already, or gone. Raises OSError, SealFault."""
        newest = self._newest()
        try:
            if sealed_with(self.objects.get(key)) == newest.id:
                return False
            sound = self.read(key)
        except FileNotFoundError:
            return False
        self.objects.put(key, seal(newest, key, sound, self._random_bytes(NONCE_BYTES)))
        return True

    def _newest(self) -> SoundKey:
        if not self.key_file.keys():
            self.prepare()
        keys = self.key_file.keys()
        if not keys:
            raise StoreFault(f"{self.key_file.path} is missing")
        return keys[-1]
