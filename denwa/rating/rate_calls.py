"""Rates ended calls from the journal into the ledger, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from denwa.rating.billing_month import billing_month_of, tokyo_day
from denwa.rating.charge import Charge, charge_call
from denwa.rating.credit import CreditOrder
from denwa.rating.ledger import Posting, RatedCall, call_posting, credit_move
from denwa.rating.money import Yen
from denwa.rating.open_month import open_month
from denwa.rating.ports import (
    Accounts,
    AccountTerms,
    ClosedMonth,
    CreditState,
    EndedCall,
    JournalReader,
    LedgerStore,
    LedgerTransaction,
    Marks,
    Problem,
)
from denwa.rating.tariff import NoPriceError, TariffBook

SWEEP_INTERVAL_MS = 60_000


class RatedBatch(NamedTuple):
    """What one step did. `more`: ended calls are waiting for the next step."""

    rated: int
    problems: tuple[Problem, ...]
    more: bool


class _Chargeable(NamedTuple):
    call: EndedCall
    terms: AccountTerms
    charge: Charge


class _Rating(NamedTuple):
    postings: list[Posting]
    problems: list[Problem]
    rated: list[int]


@dataclass(frozen=True, slots=True)
class Rater:
    """The rating of live calls. Any number may run at once, in any process: the ledger's transactions take turns."""

    journal: JournalReader
    ledger: LedgerStore
    accounts: Accounts
    tariffs: TariffBook

    def rate_ended_calls(self, now_ms: int, limit: int = 1000) -> RatedBatch:
        """Rate the calls among the next `limit` ended records. The mark moves in the transaction of the postings."""
        if self.journal.last_end_seq() <= self.ledger.progress().read:
            return RatedBatch(0, (), False)  # without taking the ledger's lock
        with self.ledger.transaction() as ledger:
            marks = ledger.marks()
            calls, read = self.journal.ended_after(marks.read, limit)
            if read == marks.read:
                return RatedBatch(0, (), False)
            rating = self._rate(ledger, calls, now_ms)
            ledger.put_marks(marks._replace(read=read))
        return RatedBatch(len(rating.rated), tuple(rating.problems), True)

    def review(self, now_ms: int, limit: int = 1000, *, at_once: bool = False) -> RatedBatch:
        """Try again what could not be rated, and look a second time for records that appeared behind the mark.

        Costs one look-up unless there is something to do and a minute has passed since the last review (or `at_once`).
        """
        progress = self.ledger.progress()
        to_sweep = not self.journal.commits_in_order and progress.read > progress.swept
        due = at_once or now_ms - progress.sweep_at_ms >= SWEEP_INTERVAL_MS
        if not due or not (to_sweep or progress.problems):
            return RatedBatch(0, (), False)
        with self.ledger.transaction() as ledger:
            marks = ledger.marks()
            waiting = ledger.problems(limit)
            calls = list(self.journal.ended(waiting)) if waiting else []
            if now_ms - marks.sweep_at_ms >= SWEEP_INTERVAL_MS:
                if to_sweep:
                    calls += self._behind(ledger, marks.swept, marks.read, limit)
                ledger.put_marks(Marks(marks.read, marks.sweep_to, marks.read, now_ms))
            rating = self._rate(ledger, calls, now_ms)
        return RatedBatch(len(rating.rated), tuple(rating.problems), False)

    def catch_up(self, now_ms: int, limit: int = 1000, *, at_once: bool = False) -> RatedBatch:
        """Rate everything that has ended until now, `limit` records a transaction, then review."""
        rated = 0
        problems: list[Problem] = []
        more = True
        while more:
            step = self.rate_ended_calls(now_ms, limit)
            rated, more = rated + step.rated, step.more
            problems += step.problems
        step = self.review(now_ms, at_once=at_once)
        return RatedBatch(rated + step.rated, tuple(dict.fromkeys(problems + list(step.problems))), False)

    def _behind(self, ledger: LedgerTransaction, after: int, up_to: int, limit: int) -> list[EndedCall]:
        found: list[EndedCall] = []
        while after < up_to:
            calls, read = self.journal.ended_after(after, limit, up_to)
            if read == after:
                break
            known = ledger.known({call.record_id for call in calls})
            found += (call for call in calls if call.record_id not in known)
            after = read
        return found

    def _rate(self, ledger: LedgerTransaction, calls: Sequence[EndedCall], now_ms: int) -> _Rating:
        known = ledger.known({call.record_id for call in calls}) if calls else set()
        fresh = {call.record_id: call for call in calls if call.record_id not in known}
        if not fresh:
            return _Rating([], [], [])
        terms = self.accounts.terms({call.subscriber for call in fresh.values()})
        chargeable, problems = self._charge(list(fresh.values()), terms)
        postings = self._share_credit(ledger, chargeable)
        ledger.post(postings, now_ms)
        rated = [item.call.record_id for item in chargeable]
        ledger.put_problems(problems, rated, now_ms)
        return _Rating(postings, problems, rated)

    def _charge(
        self, calls: list[EndedCall], terms: dict[str, AccountTerms]
    ) -> tuple[list[_Chargeable], list[Problem]]:
        chargeable: list[_Chargeable] = []
        problems: list[Problem] = []
        for call in calls:
            try:
                account, charge = charge_ended_call(call, terms.get(call.subscriber), self.tariffs)
            except NoPriceError as fault:
                problems.append(Problem(call.record_id, call.subscriber, call.call_id, str(fault)))
                continue
            chargeable.append(_Chargeable(call, account, charge))
        return chargeable, problems

    def _share_credit(self, ledger: LedgerTransaction, chargeable: list[_Chargeable]) -> list[Posting]:
        chargeable.sort(key=lambda item: (item.call.subscriber, item.call.ended_ms, item.call.call_id))
        closed = ledger.closed_months()
        states = ledger.credit({item.call.subscriber for item in chargeable})
        changed: dict[str, CreditState] = {}
        postings: list[Posting] = []
        for subscriber, group in groupby(chargeable, key=lambda item: item.call.subscriber):
            items = list(group)
            state = states.get(subscriber) or self._opening(items[0].terms)
            shares, moves, after = _credit(ledger, state, items, closed)
            postings += [_post(item, shares.get(item.call.record_id, 0), closed) for item in items]
            postings += moves
            if after != state or subscriber not in states:
                changed[subscriber] = after
        ledger.put_credit(changed)
        return postings

    def _opening(self, terms: AccountTerms) -> CreditState:
        return CreditState(self.tariffs.credit_at_start(tokyo_day(terms.service_start_ms)), 0, 0, "")


def charge_ended_call(
    call: EndedCall, account: AccountTerms | None, tariffs: TariffBook
) -> tuple[AccountTerms, Charge]:
    """The contract's terms and what the call costs, before credit. NoPriceError when it cannot be rated."""
    if account is None:
        raise NoPriceError("the subscriber is unknown")
    if call.answered_ms < account.service_start_ms:
        raise NoPriceError("answered before the contract started")
    if call.duration_ms < 0:
        raise NoPriceError(f"negative duration: {call.duration_ms} ms")
    tariff = tariffs.on(tokyo_day(call.answered_ms))
    return account, charge_call(tariff, call.number_class, call.duration_ms, call.end_cause, call.callee)


def _credit(
    ledger: LedgerTransaction, state: CreditState, items: list[_Chargeable], closed: dict[str, ClosedMonth]
) -> tuple[dict[int, int], list[Posting], CreditState]:
    """Credit of each new call by record id, corrections of earlier ones, the contract's state afterwards (T4).

    Calls nearly always become known in the order in which they ended. One that ended earlier than a call which already
    used credit (a record replayed after a fault) takes its rightful place, and the later calls are corrected.
    """
    paid = [item for item in items if item.charge.yen]
    last = (state.last_ended_ms, state.last_call_id)
    late = bool(paid) and state.used_yen > 0 and (paid[0].call.ended_ms, paid[0].call.call_id) < last
    if not paid or (state.used_yen >= state.granted_yen and not late):
        return {}, [], state
    earlier = ledger.credited(paid[0].call.subscriber) if late else []
    order = CreditOrder(state.granted_yen if late else state.granted_yen - state.used_yen)
    for call in earlier:
        order.add(call.rating.ended_ms, call.rating.call_id, call.rating.record_id, call.rating.charge_yen)
    for item in paid:
        order.add(item.call.ended_ms, item.call.call_id, item.call.record_id, item.charge.yen)
    shares = order.shares()
    moves = credit_moves(earlier, shares, closed)
    used = order.used_yen if late else state.used_yen + order.used_yen
    ends = [(call.rating.ended_ms, call.rating.call_id) for call in earlier if call.rating.record_id in shares]
    ends += [(item.call.ended_ms, item.call.call_id) for item in paid if item.call.record_id in shares]
    return shares, moves, CreditState(state.granted_yen, used, *max(ends, default=last))


def credit_moves(
    calls: Sequence[RatedCall], shares: Mapping[int, Yen], closed: Mapping[str, ClosedMonth]
) -> list[Posting]:
    """The postings that give each of `calls` the credit that `shares` has for its record id, where it has another."""
    return [
        credit_move(
            call.rating,
            call.revision + 1,
            shares.get(call.rating.record_id, 0) - call.credit_yen,
            open_month(call.rating.month, closed),
        )
        for call in calls
        if shares.get(call.rating.record_id, 0) != call.credit_yen
    ]


def _post(item: _Chargeable, credit_yen: int, closed: dict[str, ClosedMonth]) -> Posting:
    call = item.call
    belongs = billing_month_of(tokyo_day(call.answered_ms), item.terms.bill_day)
    charge = item.charge.with_credit(credit_yen)
    return call_posting(
        call.record_id, call.subscriber, call.call_id, call.ended_ms, charge, belongs, open_month(belongs, closed)
    )
