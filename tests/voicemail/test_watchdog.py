"""A worker whose loop stands still ends by itself (V7)."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_HANGING = "from denwa.voicemail.worker.watchdog import Watchdog\nWatchdog(1).feed()\n"
_TURNING = """
import time
from denwa.voicemail.worker.watchdog import Watchdog
dog, until = Watchdog(2), time.monotonic() + 3
while time.monotonic() < until:
    dog.feed()
    time.sleep(0.05)
"""


def _status(program: str) -> int:
    return subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True).returncode


@pytest.mark.parametrize(
    "held_up", ["while True: pass", "import os; os.read(os.pipe()[0], 1)"], ids=["busy", "blocked"]
)
def test_a_process_that_does_not_feed_it_is_ended(held_up: str) -> None:
    assert _status(_HANGING + held_up) == -signal.SIGALRM


def test_a_process_that_feeds_it_lives_longer_than_its_patience() -> None:
    assert _status(_TURNING) == 0
