"""What a subscriber's calls cost while they run: parallel calls never spend more than a limit allows (C6). Pure.

Every unit of a call (T1) is taken from what is left before it begins; a call for whose next unit nothing is left is
ended before that begins. Yen without tax and before credit, by the tariff in force at the answer (T8). Days and months
are those of Asia/Tokyo; a call counts on the day it ends.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from denwa.voip.calls.call import Call

_DAY_MS: Final = 86_400_000
_JST_MS: Final = 9 * 3_600_000
_EPOCH: Final = date(1970, 1, 1)


class UnitPrice(NamedTuple):
    """`yen` for every started `unit_ms`."""

    unit_ms: int
    yen: int

    def of(self, duration_ms: int) -> int:
        """The yen of a call so long (T1)."""
        return -(-duration_ms // self.unit_ms) * self.yen


class SpendLimits(NamedTuple):
    """Yen per subscriber; 0: no limit."""

    day: int = 0
    month: int = 0
    international_day: int = 0


class Spent(NamedTuple):
    """A charge that is known already: an ended call. `ended_ms`: since 1970 UTC."""

    subscriber: str
    yen: int
    international: bool
    ended_ms: int


class Bound(StrEnum):
    """The limit that has no room."""

    DAY = "day"
    MONTH = "month"
    INTERNATIONAL = "international"


class Account:
    """One subscriber's money: spent in this day and month, and taken for calls that run."""

    __slots__ = ("abroad", "day", "day_yen", "month", "month_yen", "taken", "taken_abroad")

    def __init__(self) -> None:
        self.day = self.month = 0
        self.day_yen = self.month_yen = self.abroad = 0
        self.taken = self.taken_abroad = 0

    def turn(self, day: int, month: int) -> None:
        """Begin the day anew, and the month, when another one has come."""
        if day != self.day:
            self.day = day
            self.day_yen = self.abroad = 0
        if month != self.month:
            self.month = month
            self.month_yen = 0


class SpendBook:
    def __init__(self, limits: SpendLimits) -> None:
        self.limits = limits
        self.own: dict[str, SpendLimits] = {}  # of those subscribers that have others
        self._accounts: dict[str, Account] = {}
        self._day, self._month = -1, 0

    def _account(self, number: str, now_ms: int) -> Account:
        day = (now_ms + _JST_MS) // _DAY_MS
        if day != self._day:
            self._day = day
            self._month = month_of(day)
        account = self._accounts.get(number)
        if account is None:
            account = self._accounts[number] = Account()
        account.turn(day, self._month)
        return account

    def full(self, number: str, yen: int, international: bool, now_ms: int) -> Bound | None:
        """The limit that `yen` more would break, None when there is room."""
        account = self._account(number, now_ms)
        limits = self.limits if not self.own else self.own.get(number, self.limits)
        if international and 0 < limits.international_day < account.abroad + account.taken_abroad + yen:
            return Bound.INTERNATIONAL
        if 0 < limits.day < account.day_yen + account.taken + yen:
            return Bound.DAY
        if 0 < limits.month < account.month_yen + account.taken + yen:
            return Bound.MONTH
        return None

    def take(self, number: str, yen: int, international: bool, now_ms: int) -> None:
        """Keep `yen` for a call that runs (negative: give back)."""
        account = self._account(number, now_ms)
        account.taken += yen
        if international:
            account.taken_abroad += yen

    def spend(self, number: str, yen: int, international: bool, now_ms: int) -> None:
        """An ended call's charge."""
        account = self._account(number, now_ms)
        account.day_yen += yen
        account.month_yen += yen
        if international:
            account.abroad += yen

    def load(self, spent: Spent, now_ms: int, forgiven_ms: int) -> None:
        """A charge from before this process; international ones that ended until `forgiven_ms` have been looked at."""
        account = self._account(spent.subscriber, now_ms)
        day = (spent.ended_ms + _JST_MS) // _DAY_MS
        if day == self._day:
            account.day_yen += spent.yen
            if spent.international and spent.ended_ms > forgiven_ms:
                account.abroad += spent.yen
        if month_of(day) == self._month:
            account.month_yen += spent.yen

    def forgive_abroad(self, number: str, now_ms: int) -> None:
        """A person has looked at it: the day's international amount begins anew."""
        self._account(number, now_ms).abroad = 0

    def shown(self, number: str, now_ms: int) -> dict[str, int]:
        """Yen spent, those taken for running calls among them."""
        account = self._account(number, now_ms)
        return {
            "day_yen": account.day_yen + account.taken,
            "month_yen": account.month_yen + account.taken,
            "international_day_yen": account.abroad + account.taken_abroad,
            "running_yen": account.taken,
        }


class Meter:
    """One running call of one subscriber: `units` of it are taken."""

    __slots__ = ("call", "international", "number", "price", "units")

    def __init__(self, call: Call, number: str, price: UnitPrice, international: bool) -> None:
        self.call = call
        self.number = number
        self.price = price
        self.international = international
        self.units = 0


def month_of(day: int) -> int:
    """The month of a day since 1970, as one number."""
    moment = _EPOCH + timedelta(days=day)
    return moment.year * 12 + moment.month


def month_start_ms(now_ms: int) -> int:
    """When this month began in Asia/Tokyo, in ms since 1970 UTC."""
    today = _EPOCH + timedelta(days=(now_ms + _JST_MS) // _DAY_MS)
    return (today.replace(day=1) - _EPOCH).days * _DAY_MS - _JST_MS
