"""Sounds as files in one folder, a folder for each mailbox."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from denwa.voicemail.spool import sync_folder

_DRAFT = ".tmp"
_TRIES = 5  # to write into a folder that a deletion takes away at the same time


class FileObjects:
    """Implements Objects."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder  # made with the first sound

    def put(self, key: str, data: bytes) -> None:
        target = self._path(key)
        draft = self._draft(key)
        descriptor = self._open(draft)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync_folder(target.parent)
        sync_folder(self._folder)

    def get(self, key: str) -> bytes:
        return self._path(key).read_bytes()

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        target = self._path(key)
        target.unlink(missing_ok=True)
        self._draft(key).unlink(missing_ok=True)
        try:
            target.parent.rmdir()  # its name is the subscriber's number
        except FileNotFoundError:
            return
        except OSError:  # there are others in it
            sync_folder(target.parent)
        else:
            sync_folder(self._folder)

    def listing(self) -> dict[str, datetime]:
        found = {}
        for path in self._folder.glob("*/*"):
            if path.suffix != _DRAFT:
                try:
                    seconds = path.stat().st_mtime
                except FileNotFoundError:  # deleted meanwhile
                    continue
                found[path.relative_to(self._folder).as_posix()] = datetime.fromtimestamp(seconds, UTC)
        return found

    def check(self) -> list[str]:
        others = self._folder.stat().st_mode & 0o077 if self._folder.exists() else 0
        return [f"{self._folder}: others on this machine can look into it: chmod 700"] if others else []

    def _path(self, key: str) -> Path:
        return self._folder / key

    def _draft(self, key: str) -> Path:
        return self._folder / (key + _DRAFT)

    def _open(self, draft: Path) -> int:
        for attempt in range(_TRIES):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                draft.parent.mkdir(mode=0o700, exist_ok=True)
                return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")
