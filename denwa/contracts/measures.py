"""Measures that the operator takes against a contract or for it: suspension and termination (約款 第13条, 第17条; L2).

A measure is announced with its cause, day and period (K9), begins on its day, and ends or is withdrawn when its cause
is gone. A contract is suspended exactly while a suspension is in force.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from denwa.contracts.faults import ContractFault, Reason

LONGEST_SUSPENSION = 6  # months (約款 第17条 1); not for unpaid bills, which suspend until they are paid


class MeasureKind(StrEnum):
    SUSPENSION = "suspension"
    TERMINATION = "termination"


class Cause(StrEnum):
    UNPAID = "unpaid"  # 約款 第17条 1 (1)
    MISUSE = "misuse"  # 約款 第17条 1 (2), (3)
    REQUEST = "request"  # the subscriber, or the operator without another cause
    DORMANT = "dormant"  # 約款 第13条 3: 12 months in a row without a bill


CAUSES = {
    MeasureKind.SUSPENSION: (Cause.UNPAID, Cause.MISUSE, Cause.REQUEST),
    MeasureKind.TERMINATION: (Cause.UNPAID, Cause.MISUSE, Cause.DORMANT),
}


class MeasureState(StrEnum):
    ANNOUNCED = "announced"
    IN_FORCE = "in-force"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class MeasureAct(StrEnum):
    BEGIN = "begin"
    END = "end"
    WITHDRAW = "withdraw"


# What is not in the table cannot happen.
MEASURE_LIFE: dict[tuple[MeasureState, MeasureAct], MeasureState] = {
    (MeasureState.ANNOUNCED, MeasureAct.BEGIN): MeasureState.IN_FORCE,
    (MeasureState.ANNOUNCED, MeasureAct.WITHDRAW): MeasureState.WITHDRAWN,
    (MeasureState.IN_FORCE, MeasureAct.END): MeasureState.ENDED,
}


class Measure(NamedTuple):
    """One measure. Days are calendar days in Asia/Tokyo, `until_day` the last one; None: until the cause is gone.

    `month` (YYYY-MM) names the unpaid bill of a suspension. `told_on` is the day on which its notice was given to the
    subscriber, None while it was not. `key` is the store's, 0 before it is stored.
    """

    key: int
    subscriber: str  # E.164
    kind: MeasureKind
    cause: Cause
    month: str
    from_day: date
    until_day: date | None
    state: MeasureState = MeasureState.ANNOUNCED
    told_on: date | None = None

    def after(self, act: MeasureAct) -> Measure:
        """The measure with the next state of its life; ContractFault(STATE) when the table has none."""
        state = MEASURE_LIFE.get((self.state, act))
        if state is None:
            raise ContractFault(Reason.STATE, f"the {self.kind} of {self.from_day} is {self.state}: cannot {act} it")
        return self._replace(state=state)

    @property
    def suspends(self) -> bool:
        return self.kind is MeasureKind.SUSPENSION and self.state is MeasureState.IN_FORCE

    def begins(self, day: date) -> bool:
        """Its day has come, and the subscriber was told on a day before (K9)."""
        return self.told_on is not None and day >= self.from_day and day > self.told_on

    def over(self, day: date) -> bool:
        return self.until_day is not None and day > self.until_day


def last_day_of(first: date, months: int) -> date:
    """The last day of a period of whole months that begins with the day `first` (民法 第143条).

    Six months from 31 August end with 28 February: the day that a month has not is its last day.
    """
    year, month0 = divmod(first.year * 12 + first.month - 1 + months, 12)
    days = monthrange(year, month0 + 1)[1]
    if first.day > days:
        return date(year, month0 + 1, days)
    return date(year, month0 + 1, first.day) - timedelta(days=1)


def suspension(
    subscriber: str, cause: Cause, from_day: date, until_day: date | None = None, month: str = ""
) -> Measure:
    """A suspension to be announced: until the bill of `month` is paid, otherwise for at most six months."""
    if cause not in CAUSES[MeasureKind.SUSPENSION]:
        raise ContractFault(Reason.BAD_VALUE, f"a contract is not suspended for {cause}")
    if cause is Cause.UNPAID:
        return Measure(0, subscriber, MeasureKind.SUSPENSION, cause, month, from_day, None)
    longest = last_day_of(from_day, LONGEST_SUSPENSION)
    until_day = until_day or longest
    if not from_day <= until_day <= longest:
        raise ContractFault(
            Reason.BAD_VALUE, f"until: a suspension from {from_day} lasts until {longest} at most (約款 第17条)"
        )
    return Measure(0, subscriber, MeasureKind.SUSPENSION, cause, "", from_day, until_day)


def termination(subscriber: str, cause: Cause, from_day: date) -> Measure:
    """A termination by the operator to be announced; from `from_day` on there is no contract."""
    if cause not in CAUSES[MeasureKind.TERMINATION]:
        raise ContractFault(Reason.BAD_VALUE, f"a contract is not terminated for {cause}")
    return Measure(0, subscriber, MeasureKind.TERMINATION, cause, "", from_day, None)
