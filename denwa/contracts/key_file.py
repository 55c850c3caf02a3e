"""The key of the data folder: 32 random bytes outside the database, made at first use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from denwa.contracts.credentials import RandomBytes
from denwa.contracts.faults import ContractFault, Reason

KEY_NAME = "secret.key"
KEY_BYTES = 32


def load_key(data_dir: Path, random_bytes: RandomBytes) -> bytes:
    """Read the key, or make it (mode 0600). Two processes that start at once get the same key.

    ContractFault(KEY) when the file is no key or cannot be read: a new one is never put over an old one.
    """
    path = data_dir / KEY_NAME
    try:
        if not path.exists():
            _create(path, random_bytes(KEY_BYTES))
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as fault:
        problem = fault.strerror if isinstance(fault, OSError) else "not a key in hexadecimal"
        raise ContractFault(Reason.KEY, f"{path}: {problem}") from None
    if len(key) != KEY_BYTES:
        raise ContractFault(Reason.KEY, f"{path}: {len(key)} bytes, {KEY_BYTES} expected")
    return key


def _create(path: Path, key: bytes) -> None:
    # mkstemp makes 0600. The link appears whole or not at all, and fails when another process was first.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # a sealed password in the database must never outlive its key
    finally:
        os.close(folder)
