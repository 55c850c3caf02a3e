"""The keys of sounds: a file outside the database, one key in hexadecimal on a line, the newest last.

The file is read again when it changes, so that a running service follows a rotation. Beside the sounds a mark says that
sounds were sealed here: a key file that is gone afterwards is lost, and no new one takes its place by itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from denwa.config.secret_file import create, replace
from denwa.voicemail.sound_store.faults import SealFault
from denwa.voicemail.sound_store.sealing import KEY_BYTES, SoundKey

_HEADING = "# Keys of voicemail's sounds, the newest last. Keep a copy elsewhere: without them no message is heard.\n"


class KeyFile:
    """Safe to use from many threads, and from many processes but for `add` and `forget_all_but_newest`."""

    def __init__(self, path: Path, mark: Path, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.path = path
        self._mark = mark
        self._random_bytes = random_bytes
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: list[SoundKey] = []

    def keys(self) -> list[SoundKey]:
        """The newest last; none when there is no key file. Raises SealFault."""
        with self._lock:
            try:
                found = self.path.stat()
                stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
                if stamp != self._stamp:
                    self._keys = _parsed(self.path.read_text(encoding="ascii"), self.path)
                    self._stamp = stamp
            except FileNotFoundError:
                self._keys, self._stamp = [], None
            except SealFault:
                raise
            except OSError as fault:
                raise SealFault(f"{self.path}: {fault.strerror}") from None
            except UnicodeDecodeError:
                raise SealFault(f"{self.path}: not a file of keys") from None
            return list(self._keys)

    def find(self, key_id: bytes) -> SoundKey:
        """Raises SealFault."""
        for key in reversed(self.keys()):
            if key.id == key_id:
                return key
        if not self._keys:
            raise SealFault(f"{self.path} is missing: restore it from the backup")
        raise SealFault(f"sealed with the key {key_id.hex()}, which is not in {self.path}")

    def refuse_if_lost(self) -> None:
        """Raises SealFault when there was a key and its file is gone."""
        if not self.path.exists() and self._mark.exists():
            raise SealFault(
                f"{self.path} is missing, and sounds were sealed with it: restore it from the backup"
                f" (to go on without those messages, remove {self._mark})"
            )

    def make(self) -> None:
        """Make the first key (mode 0600); two processes that do it at once end with one. Raises OSError, SealFault."""
        self.refuse_if_lost()
        create(self.path, _HEADING + self._line())
        self.note_use()

    def note_use(self) -> None:
        """Note that sounds are sealed from now on."""
        if not self._mark.exists():
            create(self._mark, "Sounds here are sealed with the key file (sounds.key_file).\n")

    def faults(self) -> list[str]:
        """What is not as it should be with the file, in words."""
        others = self.path.stat().st_mode & 0o077 if self.path.exists() else 0
        return [f"{self.path}: others on this machine can read it: chmod 600"] if others else []

    def add(self) -> SoundKey:
        """Seal with a new key from now on; the others still open. Raises OSError."""
        secrets = [key.secret.hex() + "\n" for key in self.keys()]
        replace(self.path, _HEADING + "".join(secrets) + self._line())
        self.note_use()
        return self.keys()[-1]

    def forget_all_but_newest(self) -> int:
        """Returns how many are forgotten. Raises OSError."""
        keys = self.keys()
        replace(self.path, _HEADING + keys[-1].secret.hex() + "\n")
        return len(keys) - 1

    def _line(self) -> str:
        return self._random_bytes(KEY_BYTES).hex() + "\n"


def _parsed(text: str, path: Path) -> list[SoundKey]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        try:
            secret = bytes.fromhex(written)
        except ValueError:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise SealFault(f"{path}, line {number}: not a key of {KEY_BYTES} bytes in hexadecimal")
        found.append(SoundKey(secret))
    if not found:
        raise SealFault(f"{path}: there is no key in it")
    return found
