"""Numbers in use, stopped, resting on any date (K7: usage reports, universal service and relay fees). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from denwa.contracts.stock import OwnRange

_TOKYO = ZoneInfo("Asia/Tokyo")


class NumberUse(StrEnum):
    IN_USE = "in-use"
    STOPPED = "stopped"  # given, but suspended (L2)
    RESTING = "resting"  # its contract has ended: in quarantine (N1)
    RESTED = "rested"  # its quarantine is over; it is not given again by itself


class NumberLife(NamedTuple):
    """What is known of a number that was given. `stopped`: a suspension was in force at the moment asked for."""

    number: str  # E.164
    given_at: datetime
    ended_at: datetime | None
    stopped: bool


class NumberCount(NamedTuple):
    """How the operator's numbers were used at the end of `day` (Asia/Tokyo)."""

    day: date
    uses: dict[NumberUse, int]
    free: int  # in the operator's own ranges, never given

    @property
    def active(self) -> int:
        """Numbers that subscribers have (付与中の番号), suspended ones with them: what fees are paid for."""
        return self.uses[NumberUse.IN_USE] + self.uses[NumberUse.STOPPED]


class NumberLives(Protocol):
    def number_lives(self, moment: datetime) -> list[NumberLife]:
        """Every number given before `moment`, in order, as it was then."""
        ...


def end_of(day: date) -> datetime:
    """The first moment after a day in Asia/Tokyo."""
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=_TOKYO)


def use_of(life: NumberLife, moment: datetime, quarantine_days: int) -> NumberUse:
    """How a number was used just before `moment`; `quarantine_days` 0: it rests for ever."""
    if life.ended_at is None or life.ended_at >= moment:
        return NumberUse.STOPPED if life.stopped else NumberUse.IN_USE
    rests_for_ever = quarantine_days == 0
    if rests_for_ever or moment <= life.ended_at + timedelta(days=quarantine_days):
        return NumberUse.RESTING
    return NumberUse.RESTED


def count(
    day: date, lives: Iterable[NumberLife], ranges: Sequence[OwnRange], quarantine_days: int, moment: datetime
) -> NumberCount:
    """The count at `moment`; numbers outside `ranges` (given before the ranges changed) are counted too."""
    uses = dict.fromkeys(NumberUse, 0)
    given_of_own = 0
    found: Counter[NumberUse] = Counter()
    for life in lives:
        found[use_of(life, moment, quarantine_days)] += 1
        given_of_own += any(life.number in own for own in ranges)
    size = sum(int(own.last) - int(own.first) + 1 for own in ranges)
    return NumberCount(day, uses | found, size - given_of_own)
