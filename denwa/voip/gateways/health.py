"""Whether an address of a gateway works, with hysteresis: one lost packet takes nothing out of service, and one answer
brings nothing back. The state machine is the table; counts and times are the events' business."""

from __future__ import annotations

from enum import Enum
from typing import Final

DOWN_AFTER: Final = 3  # failures in a row
UP_AFTER: Final = 2  # answers in a row
REST: Final = 30.0  # seconds after which one that nobody probes is tried by a call again
LONGEST_RETRY_AFTER: Final = 3600.0  # a gateway that asks for more is asked sooner


class Condition(Enum):
    UP = "up"
    DOWN = "down"


class Sign(Enum):
    GOOD = "good"  # it answered
    BAD = "bad"  # silence, no connection, 503


# (condition, sign) -> the condition after so many of these signs in a row; what is not named changes nothing.
TRANSITIONS: Final[dict[tuple[Condition, Sign], tuple[Condition, int]]] = {
    (Condition.UP, Sign.BAD): (Condition.DOWN, DOWN_AFTER),
    (Condition.DOWN, Sign.GOOD): (Condition.UP, UP_AFTER),
}


class Health:
    """`probed`: OPTIONS tell when it is back; without them it is tried again after a rest."""

    __slots__ = ("_last", "_run", "condition", "probed", "rests_until", "shut_until")

    def __init__(self, *, probed: bool) -> None:
        self.condition = Condition.UP
        self.probed = probed
        self._last = Sign.GOOD
        self._run = 0  # signs in a row like the last
        self.shut_until = 0.0  # it said Retry-After
        self.rests_until = 0.0

    @property
    def spotless(self) -> bool:
        """Nothing to be repaired by a good sign."""
        return self.condition is Condition.UP and self._last is Sign.GOOD

    def note(self, sign: Sign, now: float) -> bool:
        """Take a sign in. True: the condition has changed."""
        self._run = self._run + 1 if sign is self._last else 1
        self._last = sign
        if sign is Sign.BAD:
            self.rests_until = now + REST
        row = TRANSITIONS.get((self.condition, sign))
        # An answered call is proof enough where nothing else could ever bring a second sign.
        if row is None or self._run < (1 if sign is Sign.GOOD and not self.probed else row[1]):
            return False
        self.condition = row[0]
        return True

    def shut(self, seconds: float, now: float) -> None:
        """It wants to be left alone for so long (Retry-After, RFC 3261 §21.5.4)."""
        self.shut_until = max(self.shut_until, now + min(seconds, LONGEST_RETRY_AFTER))

    def usable(self, now: float) -> bool:
        if self.shut_until > now:
            return False
        return self.condition is Condition.UP or (not self.probed and self.rests_until <= now)

    def last_resort(self, now: float) -> bool:
        """Down by what calls saw alone: better tried than refused when nothing else is left."""
        return not self.probed and self.shut_until <= now
