"""The life of a bill and of the contract that owes it, as pure steps (L2, K9; 約款 第17条, 第13条)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.billing_life import (
    BILL_LIFE,
    Act,
    Announce,
    Bill,
    BillEvent,
    BillState,
    Fail,
    Life,
    Policy,
    Postpone,
    due_day,
    settle,
)
from denwa.contracts.faults import ContractFault
from denwa.contracts.measures import (
    MEASURE_LIFE,
    Cause,
    Measure,
    MeasureAct,
    MeasureKind,
    MeasureState,
    last_day_of,
    suspension,
    termination,
)
from denwa.contracts.subscriber import State

NUMBER = "+815050010001"
DUE = date(2026, 10, 31)
POLICY = Policy(notice_days=20)


def bill(month: str = "2026-09", state: BillState = BillState.DUE) -> Bill:
    paid_on = date(2026, 12, 1) if state is BillState.PAID else None
    return Bill(NUMBER, month, date(2026, 9, 1), date(2026, 9, 30), 1100, 0, DUE, state, paid_on)


def life(*bills: Bill, measures: tuple[Measure, ...] = (), state: State = State.ACTIVE) -> Life:
    return Life(NUMBER, state, bills, measures)


def after_notice(told_on: date | None, state: BillState = BillState.NOTICED) -> Life:
    measure = suspension(NUMBER, Cause.UNPAID, date(2026, 11, 25), month="2026-09")
    return life(bill(state=state), measures=(measure._replace(key=1, told_on=told_on),))


@pytest.mark.parametrize("state", list(BillState))
@pytest.mark.parametrize("event", list(BillEvent))
def test_a_bill_lives_as_its_table_says(state: BillState, event: BillEvent) -> None:
    if (state, event) in BILL_LIFE:
        assert bill(state=state).after(event).state is BILL_LIFE[state, event]
    else:
        with pytest.raises(ContractFault, match=f"is {state}"):
            bill(state=state).after(event)


def test_every_bill_can_be_paid_and_nothing_comes_after_that() -> None:
    for state in BillState:
        assert ((state, BillEvent.PAY) in BILL_LIFE) == (state is not BillState.PAID)
    assert not any(state is BillState.PAID for state, _ in BILL_LIFE)


@pytest.mark.parametrize("state", list(MeasureState))
@pytest.mark.parametrize("act", list(MeasureAct))
def test_a_measure_lives_as_its_table_says(state: MeasureState, act: MeasureAct) -> None:
    measure = suspension(NUMBER, Cause.MISUSE, DUE)._replace(state=state)
    if (state, act) in MEASURE_LIFE:
        assert measure.after(act).state is MEASURE_LIFE[state, act]
    else:
        with pytest.raises(ContractFault, match=f"is {state}"):
            measure.after(act)


@pytest.mark.parametrize(
    ("period_end", "months", "due"),
    [
        (date(2026, 9, 30), 1, date(2026, 10, 31)),  # 翌月末
        (date(2026, 10, 14), 1, date(2026, 11, 30)),
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 9, 30), 0, date(2026, 9, 30)),
        (date(2026, 9, 30), 12, date(2027, 9, 30)),
    ],
)
def test_a_bill_is_due_at_the_end_of_a_month(period_end: date, months: int, due: date) -> None:
    assert due_day(period_end, months) == due


@pytest.mark.parametrize(
    ("first", "months", "last"),
    [
        (date(2026, 11, 21), 6, date(2027, 5, 20)),
        (date(2026, 9, 1), 6, date(2027, 2, 28)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),  # 民法 第143条 2 ただし書
        (date(2027, 8, 30), 6, date(2028, 2, 29)),
        (date(2026, 8, 29), 6, date(2027, 2, 28)),
        (date(2026, 12, 31), 6, date(2027, 6, 30)),
    ],
)
def test_six_months_end_the_day_before_their_day(first: date, months: int, last: date) -> None:
    assert last_day_of(first, months) == last


def test_a_suspension_for_misuse_lasts_six_months_at_most() -> None:  # L2, 約款 第17条 1
    assert suspension(NUMBER, Cause.MISUSE, date(2026, 11, 21)).until_day == date(2027, 5, 20)
    with pytest.raises(ContractFault, match="2027-05-20"):
        suspension(NUMBER, Cause.MISUSE, date(2026, 11, 21), date(2027, 5, 21))
    with pytest.raises(ContractFault):
        suspension(NUMBER, Cause.MISUSE, date(2026, 11, 21), date(2026, 11, 20))


def test_a_suspension_for_an_unpaid_bill_lasts_until_it_is_paid() -> None:  # L2, 約款 第17条 1
    assert suspension(NUMBER, Cause.UNPAID, date(2026, 11, 21), month="2026-09").until_day is None
    with pytest.raises(ContractFault):
        suspension(NUMBER, Cause.DORMANT, date(2026, 11, 21))
    with pytest.raises(ContractFault):
        termination(NUMBER, Cause.REQUEST, date(2026, 11, 21))


def test_an_unpaid_bill_is_announced_after_its_due_day_and_only_once() -> None:  # K9, 約款 第17条 2
    owing = life(bill(state=BillState.UNPAID))
    assert settle(owing, DUE, POLICY) == (owing, [])
    day = DUE + timedelta(days=1)
    announced, steps = settle(owing, day, POLICY)
    assert [type(step) for step in steps] == [Announce]
    assert announced.bills[0].state is BillState.NOTICED
    assert announced.measures[0].from_day == day + timedelta(days=20)
    assert announced.state is State.ACTIVE
    assert settle(announced, day, POLICY) == (announced, [])


@pytest.mark.parametrize(
    ("told_on", "day", "suspended"),
    [
        (date(2026, 11, 5), date(2026, 11, 24), False),
        (date(2026, 11, 5), date(2026, 11, 25), True),
        (date(2026, 11, 5), date(2026, 12, 25), True),  # nobody looked on the day itself
        (date(2026, 11, 25), date(2026, 11, 25), False),  # told on the very day is not told before
        (date(2026, 11, 25), date(2026, 11, 26), True),
    ],
)
def test_a_contract_is_suspended_on_the_announced_day_if_it_was_told_before(
    told_on: date, day: date, suspended: bool
) -> None:  # L2, K9
    after, _ = settle(after_notice(told_on), day, POLICY)
    assert after.state is (State.SUSPENDED if suspended else State.ACTIVE)
    assert after.bills[0].state is (BillState.SUSPENDED if suspended else BillState.NOTICED)


def test_nobody_is_suspended_without_having_been_told() -> None:  # K9
    after, steps = settle(after_notice(None), date(2026, 11, 25), POLICY)
    assert steps == [Postpone(after_notice(None).measures[0], date(2026, 12, 15))]
    assert (after.state, after.measures[0].from_day) == (State.ACTIVE, date(2026, 12, 15))


def test_a_payment_before_the_day_withdraws_the_suspension() -> None:
    paid = after_notice(date(2026, 11, 5))._replace(bills=())
    after, steps = settle(paid, date(2026, 11, 25), POLICY)
    assert [step.act for step in steps if isinstance(step, Act)] == [MeasureAct.WITHDRAW]
    assert after == life()


def test_the_payment_of_the_bill_resumes_the_contract_at_once() -> None:  # L2
    suspended, _ = settle(after_notice(date(2026, 11, 5)), date(2026, 11, 25), POLICY)
    after, steps = settle(suspended._replace(bills=()), date(2026, 11, 25), POLICY)
    assert [step.act for step in steps if isinstance(step, Act)] == [MeasureAct.END]
    assert (after.state, after.measures) == (State.ACTIVE, ())


def test_a_contract_suspended_for_two_reasons_resumes_when_both_are_gone() -> None:  # L2
    suspended, _ = settle(after_notice(date(2026, 11, 5)), date(2026, 11, 25), POLICY)
    misuse = suspension(NUMBER, Cause.MISUSE, date(2026, 11, 1), date(2026, 12, 31))
    misuse = misuse._replace(key=2, state=MeasureState.IN_FORCE)
    both = suspended._replace(measures=(*suspended.measures, misuse), bills=())
    paid, _ = settle(both, date(2026, 12, 31), POLICY)
    assert (paid.state, paid.measures) == (State.SUSPENDED, (misuse,))
    over, _ = settle(paid, date(2027, 1, 1), POLICY)
    assert (over.state, over.measures) == (State.ACTIVE, ())


def test_a_bill_that_the_operator_released_suspends_nobody_again() -> None:
    released = life(bill(state=BillState.RELEASED))
    assert settle(released, date(2027, 12, 31), POLICY) == (released, [])


def test_a_payment_that_nothing_confirms_counts_as_none_when_the_operator_says_so() -> None:  # 約款 第17条 1 (1)
    waiting = life(bill())
    assert settle(waiting, date(2027, 12, 31), POLICY) == (waiting, [])
    policy = Policy(notice_days=20, unconfirmed_days=15)
    assert settle(waiting, date(2026, 11, 15), policy) == (waiting, [])
    _, steps = settle(waiting, date(2026, 11, 16), policy)
    assert [type(step) for step in steps] == [Fail, Announce]


def test_a_terminated_contract_has_no_measures_and_never_comes_back() -> None:  # L2
    suspended, _ = settle(after_notice(date(2026, 11, 5)), date(2026, 11, 25), POLICY)
    ended, _ = settle(suspended._replace(state=State.TERMINATED), date(2026, 11, 26), POLICY)
    assert (ended.state, ended.measures) == (State.TERMINATED, ())
    paid, steps = settle(ended._replace(bills=()), date(2027, 1, 1), POLICY)
    assert (paid.state, steps) == (State.TERMINATED, [])
    owing = life(bill(state=BillState.UNPAID), state=State.TERMINATED)
    assert settle(owing, date(2027, 1, 1), POLICY) == (owing, [])


def test_a_termination_for_what_is_unpaid_is_withdrawn_by_the_payment() -> None:  # 約款 第13条 1
    suspended, _ = settle(after_notice(date(2026, 11, 5)), date(2026, 11, 25), POLICY)
    end = termination(NUMBER, Cause.UNPAID, date(2027, 1, 31))._replace(key=3, told_on=date(2026, 12, 1))
    ending = suspended._replace(measures=(*suspended.measures, end))
    assert settle(ending, date(2027, 1, 30), POLICY)[0] == ending
    assert settle(ending, date(2027, 1, 31), POLICY)[0].state is State.TERMINATED
    assert settle(ending._replace(bills=()), date(2027, 1, 31), POLICY)[0] == life()


@dataclass
class Told:
    """A contract whose notices reach the subscriber on the day on which they are written; events come on their day."""

    events: dict[date, list[tuple[str, BillEvent]]]
    now: Life = field(default_factory=lambda: life(bill("2026-09"), bill("2026-10")))
    seen: set[MeasureKind] = field(default_factory=set)

    def settle(self, day: date) -> None:
        self.now, _ = settle(self.now, day, POLICY)
        told = (m if m.told_on else m._replace(told_on=day) for m in self.now.measures)
        self.now = self.now._replace(measures=tuple(told))

    def pass_days(self, last: date, looked_at: set[date]) -> Life:
        """The agent's results are read when they come; the daily step runs on the days `looked_at`."""
        day = DUE
        while day <= last:
            for month, event in self.events.get(day, ()):
                owed = {one.month: one for one in self.now.bills}
                if month not in owed or (owed[month].state, event) not in BILL_LIFE:
                    continue
                after = owed.pop(month).after(event)
                kept = [*owed.values()] if after.state is BillState.PAID else [*owed.values(), after]
                self.now = self.now._replace(bills=tuple(sorted(kept, key=lambda one: one.month)))
                self.settle(day)
            if day in looked_at:
                self.settle(day)
            day += timedelta(days=1)
        return self.now


DAYS = st.integers(1, 80).map(lambda days: DUE + timedelta(days=days))
EVENTS = st.lists(
    st.tuples(DAYS, st.sampled_from(["2026-09", "2026-10"]), st.sampled_from([BillEvent.FAIL, BillEvent.PAY])),
    max_size=8,
)


@given(EVENTS, st.sets(DAYS))
def test_days_without_the_daily_step_change_nothing_in_the_end(
    events: list[tuple[date, str, BillEvent]], looked_at: set[date]
) -> None:
    """Run every day, on some days, or on the last one only: the same bills, measures and state."""
    last = DUE + timedelta(days=81)
    by_day: dict[date, list[tuple[str, BillEvent]]] = {}
    for day, month, event in events:
        by_day.setdefault(day, []).append((month, event))
    every = {DUE + timedelta(days=days) for days in range(82)}
    daily = Told(by_day).pass_days(last, every)
    assert Told(by_day).pass_days(last, looked_at | {last}) == daily
    assert settle(daily, last, POLICY) == (daily, [])
    suspended = any(measure.suspends for measure in daily.measures)
    assert (daily.state is State.SUSPENDED) == suspended
    assert suspended == any(one.state is BillState.SUSPENDED for one in daily.bills)
