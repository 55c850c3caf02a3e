"""Drafts of adjustments (T7, T9–T12), computed from a contract's history in the ledger; posted by `adjust.Adjuster`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.arithmetic.computed import ArithmeticRefusal, Computed
from denwa.rating.arithmetic.lost_metering import AFTER_DAYS, lost_metering
from denwa.rating.arithmetic.number_fee import number_fee
from denwa.rating.arithmetic.outage import outage_credit
from denwa.rating.arithmetic.usage import Known, known_before, months_before, usage_between
from denwa.rating.arithmetic.waiver import calls_in, waiver
from denwa.rating.billing_month import BillingMonth, billing_month_of, tokyo_day
from denwa.rating.money import Yen
from denwa.rating.ports import Accounts, AccountTerms, ContractHistory
from denwa.rating.tariff import TaxClass

_ENOUGH_MONTHS = 2  # with so many known months no single day matters (T9 イ (1))
_DAY = timedelta(days=1)


class Draft(NamedTuple):
    """What one contract owes or gets, billed in `month` or the next open one. It may come to nothing."""

    subscriber: str  # E.164
    month: BillingMonth
    computed: Computed
    part: str = ""  # tells drafts of one contract and month apart

    def adjustments(self, kind: AdjustmentKind, reference: str, reason: str, who: str) -> list[Adjustment]:
        """One for each tax class, under `reference:number:month:class`: the same draft is posted once."""
        name = ":".join(filter(None, (reference, self.part, self.subscriber, self.month.name)))
        return [
            Adjustment(f"{name}:{tax}", kind, self.subscriber, self.month, yen, tax, self.computed.text(), reason, who)
            for tax, yen in self.computed.amounts.items()
        ]


class Refused(NamedTuple):
    """A contract for which nothing could be computed, and why."""

    subscriber: str
    why: str


def number_fees(accounts: Accounts, cards: Iterable[Sequence[str]]) -> Iterator[Draft | Refused]:
    """T7 for cards, each with its numbers in the order in which they were given, cancelled ones among them."""
    for card in cards:
        terms = accounts.terms(card)
        for before, number in enumerate(card):
            if number not in terms:
                yield Refused(number, "no subscriber")
                continue
            try:
                fee = number_fee(before)
            except ArithmeticRefusal as refusal:
                yield Refused(number, str(refusal))
                continue
            given_on = tokyo_day(terms[number].service_start_ms)
            yield Draft(number, billing_month_of(given_on, terms[number].bill_day), fee)


@dataclass(frozen=True, slots=True)
class ContractAdjustments:
    """Computes drafts; writes nothing. `unknown` names months (YYYY-MM) whose records are not to be relied on."""

    history: ContractHistory
    accounts: Accounts

    def outage(
        self, numbers: Sequence[str], began_ms: int, known_ms: int, restored_ms: int, unknown: Collection[str] = ()
    ) -> Iterator[Draft | Refused]:
        """T10 for each of `numbers`: broken since `began_ms`, known from `known_ms`, in order at `restored_ms`."""
        if not began_ms <= known_ms <= restored_ms:
            raise ValueError("an outage begins, becomes known and ends in this order")
        day = tokyo_day(began_ms)
        for terms, known in self._known(numbers, day, unknown):
            if terms.service_start_ms > restored_ms:
                yield Refused(terms.number, "the contract started after the outage")
                continue
            credit = outage_credit(known_ms, restored_ms, known)
            yield Draft(terms.number, billing_month_of(tokyo_day(restored_ms), terms.bill_day), credit)
        yield from self._strangers(numbers)

    def lost_metering(
        self, numbers: Sequence[str], first: date, last: date, today: date, unknown: Collection[str] = ()
    ) -> Iterator[Draft | Refused]:
        """T9 for each of `numbers`: the days from `first` to `last` could not be measured."""
        for terms, known in self._known(numbers, first, unknown):
            if tokyo_day(terms.service_start_ms) > first:
                yield Refused(terms.number, f"the contract started after {first}")
                continue
            try:
                computed = self._lost(terms, known, first, last, today)
            except ArithmeticRefusal as refusal:
                yield Refused(terms.number, str(refusal))
                continue
            yield Draft(terms.number, billing_month_of(last, terms.bill_day), computed)
        yield from self._strangers(numbers)

    def waiver(
        self, numbers: Sequence[str], first_ms: int, end_ms: int, percent: int = 100
    ) -> Iterator[Draft | Refused]:
        """T12 for each of `numbers`: the calls answered from `first_ms` to before `end_ms`, month by month."""
        if first_ms >= end_ms:
            raise ValueError("a waiver begins before it ends")
        first, last = tokyo_day(first_ms), tokyo_day(end_ms - 1)
        earliest = min((billing_month_of(first, terms.bill_day).start for terms in self._terms(numbers)), default=first)
        used = self.history.months(numbers, earliest, last)
        for terms in self._terms(numbers):
            start = billing_month_of(first, terms.bill_day).start
            calls = self.history.calls(terms.number, start, last) if terms.number in used else ()
            waived = calls_in(first_ms, end_ms, calls)
            months = sorted({billing_month_of(call.day, terms.bill_day) for call in waived})
            for month in months:
                mine = [call for call in waived if month.start <= call.day <= month.end]
                yield Draft(terms.number, month, waiver(mine, percent))
        yield from self._strangers(numbers)

    def number_fees(self, cards: Iterable[Sequence[str]]) -> Iterator[Draft | Refused]:
        """T7; see `number_fees`."""
        return number_fees(self.accounts, cards)

    def _terms(self, numbers: Sequence[str]) -> list[AccountTerms]:
        terms = self.accounts.terms(numbers)
        return [terms[number] for number in dict.fromkeys(numbers) if number in terms]

    def _strangers(self, numbers: Sequence[str]) -> Iterator[Refused]:
        terms = self.accounts.terms(numbers)
        yield from (Refused(number, "no subscriber") for number in dict.fromkeys(numbers) if number not in terms)

    def _known(
        self, numbers: Sequence[str], day: date, unknown: Collection[str]
    ) -> Iterator[tuple[AccountTerms, Known]]:
        """Each contract with what is known of it before `day`; single calls are read only where months are missing."""
        all_terms = self._terms(numbers)
        oldest = min((months_before(day, terms.bill_day)[0].start for terms in all_terms), default=day)
        used = self.history.months(numbers, oldest, day)
        for terms in all_terms:
            months = months_before(day, terms.bill_day)
            gaps = {month.start for month in months if month.name in unknown}
            current = billing_month_of(day, terms.bill_day)
            gaps |= {current.start} if current.name in unknown else set()
            start = tokyo_day(terms.service_start_ms)
            mine: Mapping[date, Mapping[TaxClass, Yen]] = used.get(terms.number, {})
            known = known_before(day, terms.bill_day, start, mine, (), gaps)
            if not known.six and known.before is not None:
                calls = self.history.calls(terms.number, months[0].start, day)
                known = known_before(day, terms.bill_day, start, mine, calls, gaps)
            yield terms, known

    def _lost(self, terms: AccountTerms, known: Known, first: date, last: date, today: date) -> Computed:
        until = last + AFTER_DAYS * _DAY
        if len(known.months) < _ENOUGH_MONTHS and today <= until:
            raise ArithmeticRefusal(
                f"fewer than {_ENOUGH_MONTHS} months are known before {first}: the {AFTER_DAYS} days after {last} are "
                f"needed too, so it can be computed from {until + _DAY} on"
            )
        calls = self.history.calls(terms.number, billing_month_of(first, terms.bill_day).start, until)
        measured = usage_between(first, last, calls)
        after = usage_between(last + _DAY, until, calls)
        return lost_metering(first, last, known, after, measured)
