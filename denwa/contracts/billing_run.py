"""The daily step of billing life, and the reading of the agent's results (L2, L3, K9).

Both take closed months' bills in, carry out what is due for each contract, write and give notices, and charge interest
on what was paid late; the daily step charges number fees too (T7). What is done follows from the facts, so doing it
again, or not on some day, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

from denwa.contracts.billing_life import Bill, BillState, Policy, due_day
from denwa.contracts.csv_rows import BadRow
from denwa.contracts.dormancy import Dormant, due_notices, outdated, told
from denwa.contracts.faults import ContractFault
from denwa.contracts.notices import Addressee, Notice, NoticeKind, NoticeState, dormancy_notice
from denwa.contracts.payments import PaymentResult, ResultRow, applied
from denwa.contracts.ports import BillingStore, DormancyRule, InterestLedger, LateInterestRule, NumberFeeLedger
from denwa.contracts.standing import Clerk
from denwa.contracts.subscriber import State

_BATCH = 200  # contracts or rows in one transaction: other writers wait for it
T = TypeVar("T")


class Done(NamedTuple):
    """One thing that was done for one contract, as the change log has it."""

    subscriber: str  # E.164
    what: str


@dataclass(slots=True)
class Report:
    """What a step did on `day`. `by_letter` and `undelivered` are notices that somebody must give in another way."""

    day: date
    bills: int = 0  # taken in from months closed since the last time
    done: list[Done] = field(default_factory=list)
    given: list[Notice] = field(default_factory=list)
    by_letter: list[Notice] = field(default_factory=list)
    undelivered: list[Notice] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Something was changed."""
        return bool(self.bills or self.done or self.given or self.undelivered)


@dataclass(slots=True)
class Reading:
    """What reading a file of results did; `known` rows had been read before and changed nothing."""

    report: Report
    taken: int = 0
    known: int = 0
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BillingRun:
    """The step over a store. `sender` is the address that mail comes from."""

    store: BillingStore
    policy: Policy
    due_months: int
    dormant_notice_days: Sequence[int]
    service: str
    sender: str
    late_interest: LateInterestRule
    ledger: InterestLedger
    dormancy: DormancyRule
    number_fees: NumberFeeLedger

    def run(self, day: date, who: str, now: datetime) -> Report:
        """Everything that is due on `day` (Asia/Tokyo); `who` and `now` are for the change log."""
        report = Report(day)
        self._take_in(report, who, now)
        unconfirmed = self.policy.unconfirmed_days
        due_before = day - timedelta(days=unconfirmed) if unconfirmed else None
        for numbers in _batches(self.store.unsettled(due_before)):
            with self._clerk(day, who, now) as clerk:
                self._settle(clerk, numbers, report)
        self._write_dormancy(report, who, now)
        self.give(report, who, now)
        self._charge_interest(report, who, now)
        self._charge_number_fees(report, who, now)
        return report

    def read(self, rows: Iterable[ResultRow | BadRow], day: date, who: str, now: datetime) -> Reading:
        """Apply the agent's results and carry out what follows from them; good rows count, whatever stands beside."""
        reading = Reading(Report(day))
        self._take_in(reading.report, who, now)
        for batch in _batches(rows):
            with self._clerk(day, who, now) as clerk:
                self._settle(clerk, self._apply(clerk, batch, reading), reading.report)
        self.give(reading.report, who, now)
        self._charge_interest(reading.report, who, now)
        return reading

    def give(self, report: Report, who: str, now: datetime) -> None:
        """Hand every notice that is due to the mail; one without an address waits for somebody to send a letter."""
        failed = self.store.undelivered()
        for batch in _batches(failed):
            with self._clerk(report.day, who, now) as clerk:
                for notice in batch:
                    clerk.unit.put_notice(notice._replace(state=NoticeState.FAILED, given_on=None, channel=""))
                    clerk.unit.log([notice.subscriber], f"notice {notice.key} could not be delivered by mail")
        report.undelivered += failed
        waiting = [listed.notice for listed in self.store.listed_notices(NoticeState.WAITING)]
        for notices in _batches(notice for notice in waiting if notice.due_on <= report.day):
            with self._clerk(report.day, who, now) as clerk:
                for notice in notices:
                    self._give_one(clerk, notice, report)

    def dormant(self, day: date) -> list[Dormant]:
        """Contracts that have had 12 months in a row without a bill, or will before the first notice is due."""
        notices = self.store.dormancy_notices()
        ahead = timedelta(days=max(self.dormant_notice_days, default=0))
        found = []
        for contract in self.store.quiet_contracts():
            dormant_on = self.dormancy(contract)
            if dormant_on - ahead <= day:
                given = told(notices.get(contract.number, ()), dormant_on)
                found.append(Dormant(contract, dormant_on, given))
        return found

    def end_dormant(self, dormant: Dormant, day: date, who: str, now: datetime) -> bool:
        """End a dormant contract on the operator's word; False when it may not be ended yet (約款 第13条 3, 4)."""
        if not dormant.may_end(day, min(self.dormant_notice_days, default=0)):
            return False
        with self._clerk(day, who, now) as clerk:
            subscriber = clerk.unit.find(dormant.contract.number)
            if subscriber is None or subscriber.state is State.TERMINATED:
                return False
            clerk.terminate(subscriber, f"no bill for 12 months in a row until {dormant.dormant_on}")
        return True

    @contextmanager
    def _clerk(self, day: date, who: str, now: datetime) -> Iterator[Clerk]:
        with self.store.changing(who, now) as unit:
            yield Clerk(unit, day, now, self.service)

    def _take_in(self, report: Report, who: str, now: datetime) -> None:
        for month in self.store.months_to_take_in():
            bills = [
                Bill(*closed, due_day(closed.period_end, self.due_months))
                for closed in self.store.closed_bills(month)
                if closed.total_yen > 0  # what is owed to the subscriber is nothing to collect
            ]
            with self.store.changing(who, now) as unit:
                unit.add_bills(month, bills)
            report.bills += len(bills)

    def _settle(self, clerk: Clerk, numbers: Iterable[str], report: Report) -> None:
        for number in numbers:
            subscriber = clerk.unit.find(number)
            if subscriber is not None:
                _, done = clerk.settle(subscriber, self.policy)
                report.done += [Done(number, what) for what in done]

    def _apply(self, clerk: Clerk, rows: Sequence[ResultRow | BadRow], reading: Reading) -> list[str]:
        """Keep the good ones of `rows`; the subscribers for whom something may follow from them."""
        results = [row.result for row in rows if not isinstance(row, BadRow)]
        bills = clerk.unit.bills_of([(result.subscriber, result.month) for result in results])
        known = clerk.unit.payment_results([result.reference for result in results])
        taken: list[tuple[PaymentResult, Bill]] = []
        concerned: dict[str, None] = {}
        for row in rows:
            if isinstance(row, BadRow):
                reading.bad.append(row)
                continue
            result, key = row.result, (row.result.subscriber, row.result.month)
            try:
                after = applied(result, bills.get(key), known.get(result.reference), clerk.day)
            except ContractFault as fault:
                reading.bad.append(BadRow(row.line, str(fault)))
                continue
            if after is None:
                reading.known += 1
                continue
            if (bills[key].state, after.state) != (BillState.DUE, BillState.PAID):  # the ordinary case
                concerned[result.subscriber] = None
            bills[key], known[result.reference] = after, result
            taken.append((result, after))
        clerk.unit.put_results(taken)
        reading.taken += len(taken)
        return list(concerned)

    def _write_dormancy(self, report: Report, who: str, now: datetime) -> None:
        known = self.store.dormancy_notices()
        changes = []
        for contract in self.store.quiet_contracts():
            mine = known.get(contract.number, [])
            dormant_on = self.dormancy(contract)
            due = due_notices(dormant_on, report.day, self.dormant_notice_days)
            to = Addressee(contract.number, contract.name, self.service)
            written = {notice.about for notice in mine}
            new = [dormancy_notice(to, dormant_on, due_on) for due_on in due]
            new = [notice for notice in new if notice.about not in written]
            if new or outdated(mine, dormant_on):
                changes.append((dormant_on, new, contract.number))
        for batch in _batches(changes):
            with self._clerk(report.day, who, now) as clerk:
                for dormant_on, new, number in batch:
                    for notice in new:
                        clerk.unit.add_notice(notice)
                        report.done.append(Done(number, f"notice of {dormant_on} without a bill, due {notice.due_on}"))
                    for notice in outdated(clerk.unit.notices(number), dormant_on):
                        clerk.unit.put_notice(notice._replace(state=NoticeState.DROPPED))

    def _give_one(self, clerk: Clerk, notice: Notice, report: Report) -> None:
        subscriber = clerk.unit.find(notice.subscriber)
        current = next((one for one in clerk.unit.notices(notice.subscriber) if one.key == notice.key), None)
        if subscriber is None or current is None or current.state is not NoticeState.WAITING:
            return  # another process was first
        if subscriber.state is State.TERMINATED and notice.kind is not NoticeKind.TERMINATION:
            clerk.unit.put_notice(current._replace(state=NoticeState.DROPPED))
        elif subscriber.mail:
            mail_id = f"<notice-{notice.key}-{int(clerk.now.timestamp() * 1000)}@{self.sender.rpartition('@')[2]}>"
            clerk.unit.mail(current, subscriber.mail, mail_id)
            given = current._replace(state=NoticeState.GIVEN, given_on=clerk.day, channel="mail")
            clerk.unit.put_notice(given)
            clerk.unit.log([notice.subscriber], f"notice {notice.key} given by mail: {notice.kind}")
            report.given.append(given)
        else:
            report.by_letter.append(current)

    def _charge_interest(self, report: Report, who: str, now: datetime) -> None:
        for batch in _batches(self.store.paid_without_interest()):
            charged = []
            for bill in batch:
                assert bill.paid_on is not None  # a paid bill has its day
                yen, working = 0, ""
                if bill.paid_on > bill.due_on:
                    principal = max(0, bill.total_yen - bill.late_interest_yen)
                    yen, working = self.late_interest(bill.subscriber, principal, bill.due_on, bill.paid_on)
                if yen:
                    # The ledger's own transaction: interrupted here, the next step posts the same again, to no effect.
                    self.ledger(bill, yen, working, who, now)
                charged.append((bill._replace(interest_yen=yen), f"late interest of {bill.month}: {working}"))
            with self.store.changing(who, now) as unit:
                unit.put_interest([bill for bill, _ in charged])
                for bill, what in charged:
                    if bill.interest_yen:
                        unit.log([bill.subscriber], what)
                        report.done.append(Done(bill.subscriber, what))

    def _charge_number_fees(self, report: Report, who: str, now: datetime) -> None:
        charged = [Done(number, f"number fee: {working}") for number, working in self.number_fees(who, now)]
        for batch in _batches(charged):
            with self.store.changing(who, now) as unit:
                for done in batch:
                    unit.log([done.subscriber], done.what)
        report.done += charged


def give_by_hand(clerk: Clerk, notice: Notice, channel: str) -> None:
    """Note that somebody gave a notice in another way, for instance by letter (約款 第34条)."""
    clerk.unit.put_notice(notice._replace(state=NoticeState.GIVEN, given_on=clerk.day, channel=channel))
    clerk.unit.log([notice.subscriber], f"notice {notice.key} given by {channel}: {notice.kind}")


def _batches(things: Iterable[T]) -> Iterator[list[T]]:
    source = iter(things)
    while batch := list(islice(source, _BATCH)):
        yield batch
