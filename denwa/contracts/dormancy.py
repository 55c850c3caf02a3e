"""12 months in a row without a bill: whom it concerns, and the notices before (約款 第13条 3, 4; L2). Pure.

When the 12 months are complete is said by the rating (port `DormancyRule`); what is here is what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from denwa.contracts.notices import Notice, NoticeKind, NoticeState


class QuietContract(NamedTuple):
    """What the rule needs of a contract. `last_billed` is the first day of the last month with something to bill."""

    number: str  # E.164
    name: str
    mail: str
    started_on: date
    bill_day: int
    last_billed: date | None


class Dormant(NamedTuple):
    """A contract whose 12 months without a bill are complete on `dormant_on`, or will be soon."""

    contract: QuietContract
    dormant_on: date
    told_on: tuple[date, ...]  # days on which a notice of it was given, in order

    def may_end(self, day: date, last_notice_days: int) -> bool:
        """The months are complete, and a notice was given at least `last_notice_days` ago (約款 第13条 4)."""
        told_in_time = bool(self.told_on) and self.told_on[0] + timedelta(days=last_notice_days) <= day
        return day >= self.dormant_on and told_in_time


def due_notices(dormant_on: date, day: date, days_before: Iterable[int]) -> list[date]:
    """The days, in order, on which the notices of `dormant_on` were or are due until `day`."""
    due = sorted({dormant_on - timedelta(days=days) for days in days_before})
    return [due_on for due_on in due if due_on <= day]


def told(notices: Sequence[Notice], dormant_on: date) -> tuple[date, ...]:
    """The days on which notices of that very day were given."""
    mine = [notice for notice in notices if about_day(notice) == dormant_on and notice.state is NoticeState.GIVEN]
    return tuple(sorted(notice.given_on for notice in mine if notice.given_on is not None))


def outdated(notices: Collection[Notice], dormant_on: date | None) -> list[Notice]:
    """Waiting notices of a day that is not the contract's any more (there was a bill), or that a later one repeats."""
    waiting = [n for n in notices if n.kind is NoticeKind.DORMANCY and n.state is NoticeState.WAITING]
    current = [notice for notice in waiting if about_day(notice) == dormant_on]
    last = max((notice.due_on for notice in current), default=None)
    return [notice for notice in waiting if notice not in current or notice.due_on != last]


def about_day(notice: Notice) -> date | None:
    """The day on which the months of a dormancy notice are complete; None for other kinds."""
    return date.fromisoformat(notice.about.split()[0]) if notice.kind is NoticeKind.DORMANCY else None
