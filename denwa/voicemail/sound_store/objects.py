"""What a place for sealed sounds has to do; `files.py` and `s3.py` do it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Objects(Protocol):
    """Bytes by key; a key is `FOLDER/NAME.wav`. Everything blocks, and raises StoreAway or another OSError."""

    shared: bool  # other nodes have theirs there, too

    def put(self, key: str, data: bytes) -> None:
        """Durably, whole or not at all; what is there is replaced."""
        ...

    def get(self, key: str) -> bytes:
        """Raises FileNotFoundError when it is not there (StoreAway when that cannot be known)."""
        ...

    def has(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Gone for good, with whatever was left of it; a key that is not there is no error."""
        ...

    def listing(self) -> dict[str, datetime]:
        """Every key with the moment (UTC) it was put there."""
        ...

    def check(self) -> list[str]:
        """Try to store, read and delete; what is not as it should be, in words. Raises StoreAway."""
        ...
