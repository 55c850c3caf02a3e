"""The life of a bill and of the contract that owes it (L2, 約款 第17条): due → unpaid → notice → suspension → paid.

Pure and table-driven. `settle` takes what is known of a contract and a day, and says every step that is due; what it
decides depends on the facts and never on how often or on which days it is asked.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.measures import Cause, Measure, MeasureAct, MeasureKind, MeasureState, suspension
from denwa.contracts.subscriber import State


class BillState(StrEnum):
    DUE = "due"  # handed to the billing agent, nothing known yet
    UNPAID = "unpaid"
    NOTICED = "noticed"  # the suspension is announced
    SUSPENDED = "suspended"
    RELEASED = "released"  # resumed by the operator although it is unpaid
    PAID = "paid"


class BillEvent(StrEnum):
    FAIL = "fail"  # the agent could not collect it, or nothing confirmed the payment in time
    NOTIFY = "notify"
    SUSPEND = "suspend"
    RELEASE = "release"
    PAY = "pay"


# What is not in the table cannot happen.
BILL_LIFE: dict[tuple[BillState, BillEvent], BillState] = {
    (BillState.DUE, BillEvent.FAIL): BillState.UNPAID,
    (BillState.DUE, BillEvent.PAY): BillState.PAID,
    (BillState.UNPAID, BillEvent.FAIL): BillState.UNPAID,
    (BillState.UNPAID, BillEvent.NOTIFY): BillState.NOTICED,
    (BillState.UNPAID, BillEvent.PAY): BillState.PAID,
    (BillState.NOTICED, BillEvent.FAIL): BillState.NOTICED,
    (BillState.NOTICED, BillEvent.SUSPEND): BillState.SUSPENDED,
    (BillState.NOTICED, BillEvent.RELEASE): BillState.RELEASED,
    (BillState.NOTICED, BillEvent.PAY): BillState.PAID,
    (BillState.SUSPENDED, BillEvent.FAIL): BillState.SUSPENDED,
    (BillState.SUSPENDED, BillEvent.RELEASE): BillState.RELEASED,
    (BillState.SUSPENDED, BillEvent.PAY): BillState.PAID,
    (BillState.RELEASED, BillEvent.FAIL): BillState.RELEASED,
    (BillState.RELEASED, BillEvent.PAY): BillState.PAID,
}

OWED = frozenset({BillState.UNPAID, BillState.NOTICED, BillState.SUSPENDED, BillState.RELEASED})


class Bill(NamedTuple):
    """What a contract owes for a closed billing month. Amounts are yen, tax included; days are in Asia/Tokyo.

    `late_interest_yen` is the part of the total that is interest itself, on which none is due (約款 第27条).
    `interest_yen` is what late payment of this bill has cost; None while that is not known.
    """

    subscriber: str  # E.164
    month: str  # YYYY-MM
    period_start: date
    period_end: date
    total_yen: int
    late_interest_yen: int
    due_on: date
    state: BillState = BillState.DUE
    paid_on: date | None = None
    interest_yen: int | None = None

    def after(self, event: BillEvent) -> Bill:
        """The bill with the next state of its life; ContractFault(STATE) when the table has none."""
        state = BILL_LIFE.get((self.state, event))
        if state is None:
            raise ContractFault(Reason.STATE, f"the bill of {self.month} is {self.state}: cannot {event} it")
        return self._replace(state=state)


class Policy(NamedTuple):
    """The operator's periods, in days (settings `billing`)."""

    notice_days: int = 20
    unconfirmed_days: int = 0


class Life(NamedTuple):
    """What is known of one contract: its state, bills that are not settled, measures announced or in force."""

    subscriber: str
    state: State
    bills: tuple[Bill, ...]
    measures: tuple[Measure, ...]


class Fail(NamedTuple):
    """Nothing has confirmed the payment of a bill (約款 第17条 1 (1): 支払いの事実を確認できないとき)."""

    bill: Bill


class Announce(NamedTuple):
    """Tell the subscriber that an unpaid bill will suspend the contract."""

    bill: Bill
    measure: Measure


class Postpone(NamedTuple):
    """The announced day has come and nobody could tell the subscriber: announce it anew for `from_day` (K9)."""

    measure: Measure
    from_day: date


class Act(NamedTuple):
    """A measure begins, ends or is withdrawn."""

    measure: Measure
    act: MeasureAct


Step: TypeAlias = Fail | Announce | Postpone | Act


def due_day(period_end: date, months: int) -> date:
    """The last day of the month that is `months` after the one in which the billing month ends."""
    year, month0 = divmod(period_end.year * 12 + period_end.month - 1 + months, 12)
    return date(year, month0 + 1, monthrange(year, month0 + 1)[1])


def settle(life: Life, day: date, policy: Policy) -> tuple[Life, list[Step]]:
    """Every step that is due on `day`, in order, and the contract after them. On the same day again: none."""
    steps: list[Step] = []
    while step := next(_due(life, day, policy), None):
        steps.append(step)
        life = taken(life, step)
    return life, steps


def taken(life: Life, step: Step) -> Life:
    """The contract after one step."""
    if isinstance(step, Fail):
        return _with_bill(life, step.bill.after(BillEvent.FAIL))
    if isinstance(step, Announce):
        life = _with_bill(life, step.bill.after(BillEvent.NOTIFY))
        return life._replace(measures=(*life.measures, step.measure))
    if isinstance(step, Postpone):
        return _with_measure(life, step.measure, step.measure._replace(from_day=step.from_day))
    after = step.measure.after(step.act)
    life = _with_measure(life, step.measure, after)
    if step.act is MeasureAct.BEGIN and after.kind is MeasureKind.TERMINATION:
        return life._replace(state=State.TERMINATED)
    if step.act is MeasureAct.BEGIN and after.month:
        life = _with_bill(life, _bill(life, after.month).after(BillEvent.SUSPEND))
    return life._replace(state=standing(life))


def standing(life: Life) -> State:
    """Suspended exactly while a suspension is in force; a terminated contract never comes back (L2)."""
    if life.state is State.TERMINATED:
        return State.TERMINATED
    return State.SUSPENDED if any(measure.suspends for measure in life.measures) else State.ACTIVE


def _due(life: Life, day: date, policy: Policy) -> Iterator[Step]:
    living = life.state is not State.TERMINATED
    for bill in life.bills:
        if bill.state is BillState.DUE and _unconfirmed(bill, day, policy):
            yield Fail(bill)
        if bill.state is BillState.UNPAID and day > bill.due_on and living:
            begins = day + timedelta(days=policy.notice_days)
            yield Announce(bill, suspension(life.subscriber, Cause.UNPAID, begins, month=bill.month))
    for measure in life.measures:
        if measure.state is MeasureState.ANNOUNCED:
            if not living or _groundless(measure, life):
                yield Act(measure, MeasureAct.WITHDRAW)
            elif measure.begins(day):
                yield Act(measure, MeasureAct.BEGIN)
            elif measure.told_on is None and measure.until_day is None and day >= measure.from_day:
                yield Postpone(measure, day + timedelta(days=policy.notice_days))
        elif measure.suspends and (not living or measure.over(day) or _groundless(measure, life)):
            yield Act(measure, MeasureAct.END)


def _unconfirmed(bill: Bill, day: date, policy: Policy) -> bool:
    return policy.unconfirmed_days > 0 and day > bill.due_on + timedelta(days=policy.unconfirmed_days)


def _groundless(measure: Measure, life: Life) -> bool:
    """The cause is gone: the bill is paid, or no bill is owed any more."""
    if measure.cause is not Cause.UNPAID:
        return False
    owed = [bill for bill in life.bills if bill.state in OWED]
    if measure.kind is MeasureKind.SUSPENSION and measure.month:
        return not any(bill.month == measure.month and bill.state is not BillState.RELEASED for bill in owed)
    return not owed


def _bill(life: Life, month: str) -> Bill:
    return next(bill for bill in life.bills if bill.month == month)


def _with_bill(life: Life, changed: Bill) -> Life:
    return life._replace(bills=tuple(changed if bill.month == changed.month else bill for bill in life.bills))


def _with_measure(life: Life, before: Measure, after: Measure) -> Life:
    kept = (after if measure == before else measure for measure in life.measures)
    return life._replace(measures=tuple(measure for measure in kept if not _finished(measure)))


def _finished(measure: Measure) -> bool:
    return measure.state in (MeasureState.ENDED, MeasureState.WITHDRAWN) or (
        measure.kind is MeasureKind.TERMINATION and measure.state is MeasureState.IN_FORCE
    )
