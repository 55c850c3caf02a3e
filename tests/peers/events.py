"""What a peer process has said so far, and waiting for what it will say next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class EventLog:
    """Filled by a reader thread, awaited by the test. An event stays: waiting twice for the same one finds it twice."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._closed = False

    def add(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def close(self) -> None:
        """No more events will come (the process has ended)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def mark(self) -> int:
        """A place in the log: `wait(..., since=mark)` looks only at what came after."""
        with self._changed:
            return len(self._events)

    def all(self, wanted: Callable[[Event], bool] = lambda _: True) -> list[Event]:
        with self._changed:
            return [event for event in self._events if wanted(event)]

    def wait(self, wanted: Callable[[Event], bool], timeout: float, what: str, since: int = 0) -> Event:
        """The first event that is wanted. Raises AssertionError, with the log so far, after `timeout` seconds."""
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self._events[since:]:
                    if wanted(event):
                        return event
                left = until - time.monotonic()
                if left <= 0 or self._closed:
                    break
                self._changed.wait(left)
            log = "\n".join(f"  {_brief(event)}" for event in self._events)
        ended = " (the process has ended)" if self._closed else f" within {timeout} s"
        raise AssertionError(f"{self.owner}: no {what}{ended}; so far:\n{log}")


def _brief(event: Event) -> str:
    return " ".join(f"{key}={str(value)[:120]!r}" for key, value in event.items() if value != "")
