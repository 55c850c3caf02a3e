"""Carrying out what the life of a contract decides: bills, measures, notices and state change together (L2, K9, O1)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from denwa.contracts.billing_life import (
    OWED,
    Act,
    Announce,
    BillEvent,
    BillState,
    Fail,
    Life,
    Policy,
    Postpone,
    Step,
    settle,
    taken,
)
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.measures import Measure, MeasureAct, MeasureKind, MeasureState
from denwa.contracts.notices import Addressee, NoticeState, measure_notice, resumption_notice, withdrawal_notice
from denwa.contracts.ports import ContractsUnit
from denwa.contracts.subscriber import Act as ContractAct
from denwa.contracts.subscriber import State, Subscriber
from denwa.numbering import PhoneNumber

_ACTS = {
    State.SUSPENDED: ContractAct.SUSPEND,
    State.ACTIVE: ContractAct.RESUME,
    State.TERMINATED: ContractAct.TERMINATE,
}


class Clerk(NamedTuple):
    """One transaction with its day (Asia/Tokyo) and moment. `service`: the operator's service name, for notices."""

    unit: ContractsUnit
    day: date
    now: datetime
    service: str

    def life_of(self, subscriber: Subscriber) -> Life:
        bills, measures = self.unit.bills(subscriber.number), self.unit.measures(subscriber.number)
        return Life(subscriber.number, subscriber.state, tuple(bills), tuple(measures))

    def settle(self, subscriber: Subscriber, policy: Policy) -> tuple[Subscriber, list[str]]:
        """Everything that is due; the subscriber afterwards and what was done, one text each."""
        _, steps = settle(self.life_of(subscriber), self.day, policy)
        return self.carry_out(subscriber, steps)

    def carry_out(self, subscriber: Subscriber, steps: Iterable[Step]) -> tuple[Subscriber, list[str]]:
        life = self.life_of(subscriber)
        done: list[str] = []
        for step in steps:
            done.append(self._write(subscriber, life, step))
            life = taken(life, step)
        changes = list(done)
        if life.state is not subscriber.state:
            after = subscriber.after(_ACTS[life.state], self.now)
            if after.state is State.ACTIVE:
                self.unit.add_notice(resumption_notice(self.addressee(subscriber), self.now.isoformat(), self.day))
            self.unit.replace(after, "; ".join([str(after.state), *changes]))
            return after, done
        if changes:
            self.unit.log([subscriber.number], "; ".join(changes))
        return subscriber, done

    def announce(self, subscriber: Subscriber, measure: Measure) -> Measure:
        """Make a measure and write its notice. ContractFault(STATE) when the contract has ended."""
        if subscriber.state is State.TERMINATED:
            raise ContractFault(Reason.STATE, f"{PhoneNumber(subscriber.number).grouped()} is terminated")
        measure = self.unit.add_measure(measure)
        self.unit.add_notice(measure_notice(self.addressee(subscriber), measure, self.day, self._amount(measure)))
        return measure

    def _write(self, subscriber: Subscriber, life: Life, step: Step) -> str:
        if isinstance(step, Fail):
            self.unit.put_bill(step.bill.after(BillEvent.FAIL))
            return f"bill {step.bill.month} unpaid: no payment was confirmed"
        if isinstance(step, Announce):
            measure = self.announce(subscriber, step.measure)
            self.unit.put_bill(step.bill.after(BillEvent.NOTIFY))
            return f"{measure.kind} from {measure.from_day} announced: {_cause(measure)}"
        if isinstance(step, Postpone):
            return self._postpone(subscriber, step)
        return self._act(life, step)

    def _postpone(self, subscriber: Subscriber, step: Postpone) -> str:
        measure = step.measure._replace(from_day=step.from_day)
        self.unit.put_measure(measure)
        for notice in self.unit.notices(measure.subscriber):
            if notice.measure == measure.key:
                anew = measure_notice(self.addressee(subscriber), measure, self.day, self._amount(measure))
                self.unit.put_notice(notice._replace(text=anew.text))
        return f"{measure.kind} postponed to {measure.from_day}: the subscriber could not be told"

    def _amount(self, measure: Measure) -> int:
        bill = self.unit.bill(measure.subscriber, measure.month) if measure.month else None
        return bill.total_yen if bill else 0

    def _act(self, life: Life, step: Act) -> str:
        measure = step.measure.after(step.act)
        self.unit.put_measure(measure)
        if step.act is MeasureAct.BEGIN and measure.kind is MeasureKind.TERMINATION:
            self.unit.put_measure(measure.after(MeasureAct.END))  # nothing of it is left to end later
        if step.act is MeasureAct.BEGIN and measure.month:
            bill = next(bill for bill in life.bills if bill.month == measure.month)
            self.unit.put_bill(bill.after(BillEvent.SUSPEND))
        if step.act is MeasureAct.WITHDRAW:
            for notice in self.unit.notices(measure.subscriber):
                if notice.measure == measure.key and notice.state is NoticeState.WAITING:
                    self.unit.put_notice(notice._replace(state=NoticeState.DROPPED))
        verb = {MeasureAct.BEGIN: "begins", MeasureAct.END: "ends", MeasureAct.WITHDRAW: "withdrawn"}[step.act]
        return f"{measure.kind} {verb}: {_cause(measure)}"

    def release(self, subscriber: Subscriber, measures: Iterable[Measure]) -> tuple[Subscriber, list[str]]:
        """The operator ends suspensions in force and withdraws announced measures; their bills stay owed."""
        chosen = list(measures)
        for bill in self.unit.bills(subscriber.number):
            held = any(measure.month == bill.month for measure in chosen)
            if held and bill.state in OWED and bill.state not in (BillState.UNPAID, BillState.RELEASED):
                self.unit.put_bill(bill.after(BillEvent.RELEASE))
        return self.carry_out(
            subscriber,
            [
                Act(measure, MeasureAct.END if measure.state is MeasureState.IN_FORCE else MeasureAct.WITHDRAW)
                for measure in chosen
            ],
        )

    def suspend(self, subscriber: Subscriber, measure: Measure) -> Subscriber:
        """At once: the notice is written with it. ContractFault(STATE) unless the contract is active."""
        subscriber.after(ContractAct.SUSPEND, self.now)
        return self.carry_out(subscriber, [Act(self.announce(subscriber, measure), MeasureAct.BEGIN)])[0]

    def resume(self, subscriber: Subscriber) -> Subscriber:
        """End every suspension in force. ContractFault(STATE) unless the contract is suspended."""
        after = subscriber.after(ContractAct.RESUME, self.now)
        in_force = [measure for measure in self.unit.measures(subscriber.number) if measure.suspends]
        if in_force:
            return self.release(subscriber, in_force)[0]
        self.unit.replace(after, str(after.state))  # suspended before measures were kept
        return after

    def terminate(self, subscriber: Subscriber, why: str = "") -> Subscriber:
        """At once and for good; every measure of the contract ends with it."""
        after = subscriber.after(ContractAct.TERMINATE, self.now)
        self.unit.replace(after, f"{after.state}: {why}" if why else str(after.state))
        return self.settle(after, Policy())[0]

    def withdraw(self, number: str, key: int) -> Measure:
        """Take an announced measure back; its bill stays owed. ContractFault(STATE) when there is none."""
        subscriber = self.unit.find(number)
        for measure in self.unit.measures(number) if subscriber else ():
            if subscriber and measure.key == key and measure.state is MeasureState.ANNOUNCED:
                self.release(subscriber, [measure])
                if measure.told_on is not None:
                    self.unit.add_notice(withdrawal_notice(self.addressee(subscriber), measure, self.day))
                return measure.after(MeasureAct.WITHDRAW)
        raise ContractFault(Reason.STATE, f"{PhoneNumber(number).grouped()} has no announced measure {key}")

    def addressee(self, subscriber: Subscriber) -> Addressee:
        """Whom a notice to the subscriber is for."""
        return Addressee(subscriber.number, subscriber.name, self.service)


def _cause(measure: Measure) -> str:
    cause = f"{measure.cause} {measure.month}".rstrip()
    if measure.until_day and measure.kind is MeasureKind.SUSPENSION:
        return f"{cause}, until {measure.until_day}"
    return cause
