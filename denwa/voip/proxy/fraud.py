"""Patterns of calls that no person makes: many short or unanswered ones in a row (約款 別記3 3 (9)), and what a stolen
password looks like. Pure; what is kept is bounded by the number of subscribers.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final, NamedTuple

from denwa.voip.proxy.spending import SpendLimits

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_JST_MS: Final = 9 * _HOUR_MS


class HoldKind(StrEnum):
    INTERNATIONAL = "international"  # no calls abroad, until a person lifts it
    THROTTLE = "throttle"  # few calls a minute, for a while


class Hold(NamedTuple):
    """`subscriber` in E.164; times in ms since 1970 UTC, `until_ms` 0: until a person lifts it."""

    subscriber: str
    kind: HoldKind
    reason: str
    from_ms: int
    until_ms: int = 0


class Alarm(NamedTuple):
    """Something for the operator to look at. `kind` is the label of the metric; `subscriber` "" for the service."""

    kind: str
    subscriber: str
    text: str
    at_ms: int
    hold: Hold | None = None


class FraudLimits(NamedTuple):
    """0 switches one off. Times in ms."""

    short_calls: int = 30  # in a row, unanswered or at most `short_ms` long
    short_ms: int = 3_000
    row_pause_ms: int = _HOUR_MS  # as long without a call ends a row
    throttle_ms: int = 1_800_000
    throttled_per_minute: int = 2
    international_per_hour: int = 30
    countries_per_day: int = 6
    tries_while_off: int = 20  # an hour


class LimitSettings(NamedTuple):
    """`denied`: ISO 3166 codes, as in the country data, that are not called; `allowed` not empty: the only ones."""

    spend: SpendLimits = SpendLimits()
    fraud: FraudLimits = FraudLimits()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()


ORDINARY_LIMITS: Final = LimitSettings()


class _Abroad:
    """A subscriber's calls to other countries in the last hour, and the countries of this day."""

    __slots__ = ("countries", "day", "starts")

    def __init__(self) -> None:
        self.starts: deque[int] = deque()
        self.day = -1
        self.countries: set[str] = set()


class Patterns:
    def __init__(self, limits: FraudLimits) -> None:
        self._limits = limits
        self._rows: dict[str, tuple[int, int]] = {}  # subscriber -> calls in a row, when the last one ended
        self._abroad: dict[str, _Abroad] = {}
        self._off: dict[str, deque[int]] = {}

    def ended(self, subscriber: str, talked_ms: int, now_ms: int) -> bool:
        """A call of a subscriber is over. True: this one makes a row of short ones full, and a new one begins."""
        limits = self._limits
        if talked_ms > limits.short_ms:
            self._rows.pop(subscriber, None)
            return False
        if not limits.short_calls:
            return False
        count, last_ms = self._rows.get(subscriber, (0, now_ms))
        count = 1 if now_ms - last_ms > limits.row_pause_ms else count + 1
        if count < limits.short_calls:
            self._rows[subscriber] = (count, now_ms)
            return False
        self._rows.pop(subscriber, None)
        return True

    def abroad(self, subscriber: str, country: str, now_ms: int) -> str:
        """A call abroad is asked for; why it looks like a stolen password, "" when it does not."""
        limits = self._limits
        seen = self._abroad.get(subscriber)
        if seen is None:
            seen = self._abroad[subscriber] = _Abroad()
        while seen.starts and seen.starts[0] <= now_ms - _HOUR_MS:
            seen.starts.popleft()
        day = (now_ms + _JST_MS) // _DAY_MS
        if day != seen.day:
            seen.day = day
            seen.countries.clear()
        seen.countries.add(country)
        seen.starts.append(now_ms)
        if 0 < limits.international_per_hour < len(seen.starts):
            return f"more than {limits.international_per_hour} international calls in an hour"
        if 0 < limits.countries_per_day < len(seen.countries):
            return f"calls to more than {limits.countries_per_day} countries in a day"
        return ""

    def tried_while_off(self, subscriber: str, now_ms: int) -> bool:
        """A call abroad by somebody who has them switched off (N6). True: the number of them makes it an alarm."""
        most = self._limits.tries_while_off
        if not most:
            return False
        tries = self._off.setdefault(subscriber, deque())
        while tries and tries[0] <= now_ms - _HOUR_MS:
            tries.popleft()
        tries.append(now_ms)
        if len(tries) < most:
            return False
        del self._off[subscriber]
        return True

    def forget(self, subscriber: str) -> None:
        """A person has looked at it."""
        self._rows.pop(subscriber, None)
        self._abroad.pop(subscriber, None)
        self._off.pop(subscriber, None)
