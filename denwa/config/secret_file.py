"""Files that hold a secret: mode 0600, whole or not at all, on the disk before anything relies on them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def create(path: Path, text: str) -> bool:
    """Write `path` where there is none; False when another process was first. Raises OSError."""
    draft = _draft(path, text)
    try:
        os.link(draft, path)  # fails when there is one
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    _sync(path.parent)
    return True


def replace(path: Path, text: str) -> None:
    """Write `path`, in place of what is there. Raises OSError."""
    draft = _draft(path, text)
    try:
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise
    _sync(path.parent)


def _draft(path: Path, text: str) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(draft)
        raise
    return draft


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
