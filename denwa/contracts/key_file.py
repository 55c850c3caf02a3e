"""The key of the data folder: 32 random bytes outside the database, made at first use."""

from __future__ import annotations

from pathlib import Path

from denwa.config.secret_file import create
from denwa.contracts.credentials import RandomBytes
from denwa.contracts.faults import ContractFault, Reason

KEY_NAME = "secret.key"
KEY_BYTES = 32


def read_key(data_dir: Path) -> bytes:
    """The key. ContractFault(KEY) when the file is missing, cannot be read or is no key."""
    path = data_dir / KEY_NAME
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        problem = "missing; what was sealed with it opens with no other: restore it from the backup"
        raise ContractFault(Reason.KEY, f"{path}: {problem}") from None
    except OSError as fault:
        raise ContractFault(Reason.KEY, f"{path}: {fault.strerror}") from None
    except ValueError:
        raise ContractFault(Reason.KEY, f"{path}: not a key in hexadecimal") from None
    if len(key) != KEY_BYTES:
        raise ContractFault(Reason.KEY, f"{path}: {len(key)} bytes, {KEY_BYTES} expected")
    return key


def make_key(data_dir: Path, random_bytes: RandomBytes) -> None:
    """Make the key (mode 0600) where there is none. Two processes that do it at once end with one key."""
    path = data_dir / KEY_NAME
    try:
        if not path.exists():
            create(path, random_bytes(KEY_BYTES).hex() + "\n")  # a sealed password must never outlive its key
    except OSError as fault:
        raise ContractFault(Reason.KEY, f"{path}: {fault.strerror}") from None
