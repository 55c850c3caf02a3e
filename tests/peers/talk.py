"""The one thing in a call that no event announces: people talking for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def talk(seconds: float) -> None:
    """Let a call go on for `seconds`."""
    time.sleep(seconds)


def eventually(look: Callable[[], T], timeout: float = 10, every: float = 0.1) -> T:
    """The first true value of `look()`; for states that are only to be had by asking (a command, an HTTP page).

    Raises AssertionError with the last value after `timeout` seconds.
    """
    until = time.monotonic() + timeout
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"still {value!r} after {timeout} s")
        time.sleep(every)
