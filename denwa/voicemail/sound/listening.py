"""What a worker hears while it records, from the level of each moment: nobody speaks any more, or a busy tone. Pure.

Levels are those of the media library: 0 is silence, 4 is -50 dBFS, 18 is -30, and from there on 1 is about a decibel up
to 46. They are read once a turn of the worker's loop, about every 10 ms; which turns come late does not matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

BLOCK = 0.5  # seconds that are judged together
NOISE_BLOCKS = 6  # so many blocks have a quiet moment among them, also when somebody speaks all the time
LEAST_LEVEL = 3  # what is not louder is silence
ABOVE_NOISE = 6  # by which speech is louder than the quietest moment
LEAST_ACTIVE = 0.06  # seconds of a block: less is a click
SPOKEN = 1.0  # seconds of speech that make a message
LONGEST_STEP = 0.1  # seconds that one reading stands for at most

TONE_RUNS = 8  # tone and pause four times over
TONE_SHORTEST, TONE_LONGEST = 0.15, 1.2  # seconds of a tone's bursts and pauses: busy is 0.5, congestion 0.25
TONE_STRAY = 0.08  # seconds by which they differ
TONE_LEVEL_STRAY = 3
EDGE = 0.05  # seconds: what is shorter is the edge of a burst


class Heard(StrEnum):
    SILENCE = "silence"
    BUSY = "busy"


@dataclass(slots=True)
class _Run:
    level: int
    seconds: float


class Listener:
    """`silence_seconds`: quiet for so long is the end; 0: never."""

    def __init__(self, silence_seconds: float, now: float) -> None:
        self._silence_seconds = silence_seconds
        self._at = now
        self._block: list[tuple[int, float]] = []
        self._block_seconds = 0.0
        self._floors: deque[int] = deque(maxlen=NOISE_BLOCKS)
        self._runs: deque[_Run] = deque(maxlen=TONE_RUNS + 1)
        self.quiet = 0.0  # seconds since somebody spoke
        self.spoken = 0.0  # seconds of speech in all

    @property
    def spoke(self) -> bool:
        """What was heard until now is enough for a message."""
        active, _ = self._judged()
        return self.spoken + active >= SPOKEN

    def hear(self, level: int, now: float) -> Heard | None:
        """`now`: monotonic seconds. Tells each half second, or at once of a busy tone."""
        step = min(max(now - self._at, 0.0), LONGEST_STEP)
        self._at = now
        self._block.append((level, step))
        self._block_seconds += step
        if self._follow(level, step) and self._busy():
            return Heard.BUSY
        if self._block_seconds < BLOCK:
            return None
        active, floor = self._judged()
        self._floors.append(floor)
        self.spoken += active
        self.quiet = self.quiet + self._block_seconds if active < LEAST_ACTIVE else 0.0
        self._block, self._block_seconds = [], 0.0
        return Heard.SILENCE if 0 < self._silence_seconds <= self.quiet else None

    def _judged(self) -> tuple[float, int]:
        """Seconds of speech in the block that is being filled, and its quietest moment."""
        if not self._block:
            return 0.0, 0
        floor = min(level for level, _ in self._block)
        bar = max(LEAST_LEVEL, min([floor, *self._floors]) + ABOVE_NOISE - 1)
        return sum(step for level, step in self._block if level > bar), floor

    def _follow(self, level: int, step: float) -> bool:
        """Add a moment to the runs of one level; True when a run of a burst's length is over."""
        if self._runs and abs(level - self._runs[-1].level) <= TONE_LEVEL_STRAY:
            self._runs[-1].seconds += step
            return False
        over = bool(self._runs) and self._runs[-1].seconds >= EDGE
        if self._runs and not over:
            lost = self._runs.pop().seconds  # the edge of a burst belongs to what follows
            if self._runs and abs(level - self._runs[-1].level) <= TONE_LEVEL_STRAY:
                self._runs[-1].seconds += lost + step
                return False
            step += lost
        self._runs.append(_Run(level, step))
        return over

    def _busy(self) -> bool:
        """The runs before the one that has just begun are bursts of one length and level with pauses of one length."""
        runs = list(self._runs)[:-1]
        if len(runs) < TONE_RUNS:
            return False
        one, other = runs[0::2], runs[1::2]
        bursts, pauses = (one, other) if one[0].level > other[0].level else (other, one)
        apart = min(run.level for run in bursts) - max(run.level for run in pauses)
        return apart >= 2 * ABOVE_NOISE and _alike(bursts) and _alike(pauses)


def _alike(runs: list[_Run]) -> bool:
    usual, level = median(run.seconds for run in runs), median(run.level for run in runs)
    return TONE_SHORTEST <= usual <= TONE_LONGEST and all(
        abs(run.seconds - usual) <= TONE_STRAY and abs(run.level - level) <= TONE_LEVEL_STRAY for run in runs
    )
