"""The end of a worker that hangs, also when no service is left to notice it."""

from __future__ import annotations

import signal
import time

PATIENCE = 30  # seconds; the service gives up earlier (pulse.py)
_FEEDING = 1.0  # seconds between two feedings: they are system calls


class Watchdog:
    """`feed` at every turn of the loop. When that stops, the kernel ends the process (SIGALRM), whatever holds it up;
    the locks on its recordings go with it, so that they become messages (V7)."""

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._fed_at = 0.0
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def feed(self) -> None:
        now = time.monotonic()
        if now - self._fed_at >= _FEEDING:
            self._fed_at = now
            signal.alarm(self._patience)
