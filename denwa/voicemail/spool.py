"""The spool: what a worker has taken and the parent has not yet stored (V7).

For each call one sidecar `<lease>.json`, written before the call is greeted, and from the tone on the recording
`<lease>.wav`. The worker holds a lock on the sidecar as long as it works on it; the operating system drops the lock
when the worker dies, however it dies. So whoever gets the lock knows that nobody writes any more.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_SIDECAR = ".json"
_SOUND = ".wav"


class SpoolFault(Exception):
    """A sidecar that cannot be read; the text names the file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A call that a worker has answered. `called_at_ms`: ms since 1970 UTC."""

    lease: str
    mailbox: str  # E.164
    caller: str  # E.164 or ""
    hidden_reason: str
    call_id: str
    cause: int
    called_at_ms: int


def sound_path(spool: Path, lease: str) -> Path:
    return spool / f"{lease}{_SOUND}"


def draft_path(spool: Path, lease: str) -> Path:
    """The sound that is to be kept, until it is in the store."""
    return spool / f"{lease}{_SOUND}.tmp"


def sidecar_path(spool: Path, lease: str) -> Path:
    return spool / f"{lease}{_SIDECAR}"


class Hold:
    """A locked sidecar; `release` gives it to whoever stores the call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def take(spool: Path, taken: Taken) -> Hold:
    """Put a sidecar on the disk, whole or not at all, and lock it. Raises OSError."""
    path = sidecar_path(spool, taken.lease)
    draft = path.with_suffix(".tmp")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, json.dumps(asdict(taken)).encode())
        os.fsync(descriptor)
        draft.rename(path)
        sync_folder(spool)
    except OSError:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return Hold(descriptor)


def claim(spool: Path, lease: str) -> Hold | None:
    """The lock of a call nobody works on any more; None while its worker lives or when there is no such call."""
    try:
        descriptor = os.open(sidecar_path(spool, lease), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another may have stored and removed it between our open and our lock.
        if os.fstat(descriptor).st_nlink == 0:
            raise BlockingIOError
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Hold(descriptor)


def is_held(spool: Path, lease: str) -> bool:
    """A worker lives that has this call."""
    hold = claim(spool, lease)
    if hold is not None:
        hold.release()
        return False
    return sidecar_path(spool, lease).exists()


def read(spool: Path, lease: str) -> Taken:
    """Raises SpoolFault."""
    path = sidecar_path(spool, lease)
    try:
        return Taken(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as fault:
        raise SpoolFault(f"{path}: {fault}") from None


def leases(spool: Path) -> Iterator[str]:
    """Every call in the spool, in the order of their names."""
    return iter(sorted(path.stem for path in spool.glob(f"*{_SIDECAR}")))


def sounds_alone(spool: Path) -> list[Path]:
    """Recordings without a sidecar: nobody knows whose they are."""
    return [path for path in sorted(spool.glob(f"*{_SOUND}")) if not path.with_suffix(_SIDECAR).exists()]


def clear(spool: Path, lease: str) -> None:
    """Forget a call that is stored. Not made durable: to store a call twice has the effect of once."""
    sound_path(spool, lease).unlink(missing_ok=True)
    sidecar_path(spool, lease).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
