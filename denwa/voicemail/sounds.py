"""The sound of messages as files in one folder; the recording is moved in, not copied, when it is on the same disk."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from denwa.voicemail import wav
from denwa.voicemail.spool import sync_folder


class FileSounds:
    """Implements SoundStore."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, source: Path, key: str) -> None:
        target = self._folder / key
        target.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            source.rename(target)
        except OSError as fault:
            if fault.errno != errno.EXDEV:  # the spool is on another disk
                raise
            self._copy(source, target)
        sync_folder(target.parent)
        sync_folder(self._folder)

    def has(self, key: str) -> bool:
        return (self._folder / key).is_file()

    def size(self, key: str) -> int:
        return (self._folder / key).stat().st_size

    def duration_ms(self, key: str) -> int:
        return wav.duration_ms(self._folder / key)

    def read(self, key: str) -> bytes:
        return (self._folder / key).read_bytes()

    def delete(self, key: str) -> None:
        target = self._folder / key
        target.unlink(missing_ok=True)
        if target.parent.is_dir():
            sync_folder(target.parent)

    def keys(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in self._folder.glob("*/*.wav")}

    def _copy(self, source: Path, target: Path) -> None:
        draft = target.with_suffix(".tmp")
        with source.open("rb") as original, draft.open("wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        draft.rename(target)
        source.unlink()
