"""Where ended calls and other facts wait on disk while the database cannot take them.

One line a group: CRC-32 in hexadecimal, a space, JSON. Room is taken in advance, so that a full disk does not stop
the first thousands of lines. A line that was cut by a crash is left out.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from denwa.voip.calls.journal import AliveEntry, BindingEntry, CallEntry, EndEntry, Group, UnbindingEntry

log = logging.getLogger(__name__)

_RESERVED = 2 * 1024 * 1024


class Spool:
    """A file of groups. `limit`: bytes it may hold; more is refused with OSError (ENOSPC). Methods raise OSError."""

    def __init__(self, path: Path, limit: int = 16 * 1024 * 1024) -> None:
        self.path = path
        self._limit = limit
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        content = self._content(os.fstat(self._file).st_size)
        self._size = content.rfind(b"\n") + 1
        if content[self._size :].strip(b"\0"):
            log.warning("%s ends in a line that was cut; it is left out", path)
        os.ftruncate(self._file, self._size)
        self._reserve()
        _sync_folder(path.parent)

    @property
    def empty(self) -> bool:
        return self._size == 0

    def append(self, groups: Iterable[Group]) -> None:
        """Keep `groups` durably, all or none."""
        data = b"".join(map(_line, groups))
        if self._size + len(data) > self._limit:
            raise OSError(errno.ENOSPC, "the journal's spool is full", str(self.path))
        if not data:
            return
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def groups(self) -> list[Group]:
        """What is kept, in the order it was appended."""
        kept: list[Group] = []
        for number, line in enumerate(self._content(self._size).splitlines(), 1):
            group = _read(line)
            if group is None:
                log.error("%s line %d is damaged and is left out", self.path, number)
            else:
                kept.append(group)
        return kept

    def clear(self) -> None:
        """Forget everything, durably."""
        os.ftruncate(self._file, 0)
        self._size = 0
        self._reserve()
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def _content(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := os.pread(self._file, size - len(data), len(data))):
            data += more
        return data

    def _reserve(self) -> None:
        with contextlib.suppress(OSError):  # without room in advance the spool works as long as the disk has some
            os.posix_fallocate(self._file, 0, min(_RESERVED, self._limit))


def keep_rejected(path: Path, group: Group, fault: str) -> None:
    """Append a group that the database refuses to `path`, for a person to look at. Raises OSError."""
    line = json.dumps({"fault": fault, **_fields(group)}, default=repr)
    with open(path, "a", encoding="utf-8", opener=_private) as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fields(group: Group) -> dict[str, Any]:
    return {"calls": group.calls, "ends": group.ends, "alive": group.alive, "bindings": group.bindings}


def _line(group: Group) -> bytes:
    body = json.dumps(_fields(group), separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _read(line: bytes) -> Group | None:
    check, _, body = line.partition(b" ")
    if check != b"%08x" % zlib.crc32(body):
        return None
    try:
        fields = json.loads(body)
        return Group(
            calls=[CallEntry(*row) for row in fields["calls"]],
            ends=[EndEntry(*row) for row in fields["ends"]],
            alive=[AliveEntry(*row) for row in fields["alive"]],
            bindings=[UnbindingEntry(*row) if len(row) == 2 else BindingEntry(*row) for row in fields["bindings"]],
        )
    except (ValueError, KeyError, TypeError):
        return None
