"""Corrects rated calls: a red posting takes the charge back, a black one charges the call anew (T13, L3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from denwa.rating.billing_month import billing_month_of, tokyo_day
from denwa.rating.charge import Charge
from denwa.rating.credit import CreditOrder
from denwa.rating.ledger import Correction, Posting, RatedCall, as_it_stands, call_posting, reversal
from denwa.rating.open_month import open_month
from denwa.rating.ports import (
    Accounts,
    AccountTerms,
    ClosedMonth,
    CreditState,
    EndedCall,
    LedgerStore,
    LedgerTransaction,
)
from denwa.rating.rate_calls import charge_ended_call, credit_moves
from denwa.rating.tariff import NoPriceError, TariffBook


class CorrectionRefusal(Exception):
    """The call cannot be corrected; the text says why."""


class Because(NamedTuple):
    """Who corrects, and why; kept with every posting that comes of it."""

    who: str
    reason: str


class _Stand(NamedTuple):
    """Where a correction begins. `call` is None when the call is not rated."""

    ledger: LedgerTransaction
    record_id: int
    call: RatedCall | None
    closed: Mapping[str, ClosedMonth]


@dataclass(frozen=True, slots=True)
class Corrector:
    """Corrections beside any number of raters, in any process: the ledger's transactions take turns."""

    ledger: LedgerStore
    accounts: Accounts
    tariffs: TariffBook

    def reverse(self, record_id: int, because: Because, now_ms: int, *, post: bool = True) -> list[Posting]:
        """Take back what a call is charged, and share its credit out anew (T4).

        The postings: the red one, then the credit that other calls get. With `post` False nothing is written.
        CorrectionRefusal when the call is not rated, or its charge is taken back already.
        """
        _check(because)
        with self.ledger.transaction() as ledger:
            stand = _stand(ledger, record_id)
            if stand.call is None:
                raise CorrectionRefusal("it is not rated, so there is nothing to take back")
            if not stand.call.in_force:
                raise CorrectionRefusal("its charge is taken back already")
            red = _red(stand.call, stand.closed)
            moves, credit = self._share_anew(stand, red.subscriber, None)
            if post:
                self._post(stand, [red, *moves], credit, because, now_ms)
            return [red, *moves]

    def rerate(self, call: EndedCall, because: Because, now_ms: int, *, post: bool = True) -> list[Posting]:
        """Charge `call`, a record with the data that are right now, anew; and share the credit out anew (T4).

        The postings: a red one that takes the charge in force back, the black one, then the credit that other calls
        get or lose. None when the call is charged just so already. A call that could not be rated is rated now. With
        `post` False nothing is written. CorrectionRefusal when it cannot be rated.
        """
        _check(because)
        terms = self.accounts.terms({call.subscriber})
        try:
            account, charge = charge_ended_call(call, terms.get(call.subscriber), self.tariffs)
        except NoPriceError as fault:
            raise CorrectionRefusal(f"it cannot be rated: {fault}") from None
        with self.ledger.transaction() as ledger:
            stand = _stand(ledger, call.record_id)
            black = _black(stand, call, account, charge)
            before = stand.call
            if before is not None and before.rating.subscriber != call.subscriber:
                raise CorrectionRefusal(f"the ledger has it under {before.rating.subscriber}")
            if before is not None and before.in_force and _alike(before.rating, black):
                return []
            moves, credit = self._share_anew(stand, call.subscriber, black)
            share = credit.shares.get(black.record_id, 0)
            made = [black._replace(charge=charge.with_credit(share), credit_yen=share), *moves]
            if before is not None and before.in_force:
                made.insert(0, _red(before, stand.closed))
            if post:
                self._post(stand, made, credit, because, now_ms)
            return made

    def _share_anew(self, stand: _Stand, subscriber: str, black: Posting | None) -> tuple[list[Posting], _Shared]:
        """The credit of the contract, shared out over its calls in the order in which they ended (T4)."""
        others = [call for call in stand.ledger.charged(subscriber) if call.rating.record_id != stand.record_id]
        granted = self._granted(stand.ledger, subscriber)
        order = CreditOrder(granted)
        rated = [call.rating for call in others] + ([black] if black else [])
        for rating in rated:
            order.add(rating.ended_ms, rating.call_id, rating.record_id, rating.charge_yen)
        shares = order.shares()
        last = max(((r.ended_ms, r.call_id) for r in rated if r.record_id in shares), default=(0, ""))
        state = CreditState(granted, order.used_yen, *last)
        return credit_moves(others, shares, stand.closed), _Shared(shares, state)

    def _granted(self, ledger: LedgerTransaction, subscriber: str) -> int:
        state = ledger.credit({subscriber}).get(subscriber)
        if state is not None:
            return state.granted_yen
        terms = self.accounts.terms({subscriber}).get(subscriber)
        if terms is None:
            raise CorrectionRefusal(f"{subscriber} is no subscriber")
        return self.tariffs.credit_at_start(tokyo_day(terms.service_start_ms))

    def _post(self, stand: _Stand, made: list[Posting], credit: _Shared, because: Because, now_ms: int) -> None:
        stand.ledger.post(made, now_ms)
        stand.ledger.put_corrections([Correction(p.record_id, p.revision, *because) for p in made])
        stand.ledger.put_credit({made[0].subscriber: credit.state})
        stand.ledger.put_problems([], [stand.record_id], now_ms)


class _Shared(NamedTuple):
    shares: Mapping[int, int]  # record id → credit
    state: CreditState


def _check(because: Because) -> None:
    for name, value in because._asdict().items():
        if not value.strip():
            raise CorrectionRefusal(f"a correction needs to say: {name}")


def _stand(ledger: LedgerTransaction, record_id: int) -> _Stand:
    postings = ledger.postings_of(record_id)
    return _Stand(ledger, record_id, as_it_stands(postings) if postings else None, ledger.closed_months())


def _red(call: RatedCall, closed: Mapping[str, ClosedMonth]) -> Posting:
    return reversal(call.rating, call.revision + 1, open_month(call.rating.month, closed), call.credit_yen)


def _black(stand: _Stand, call: EndedCall, account: AccountTerms, charge: Charge) -> Posting:
    belongs = billing_month_of(tokyo_day(call.answered_ms), account.bill_day)
    billed = open_month(belongs, stand.closed)
    made = call_posting(call.record_id, call.subscriber, call.call_id, call.ended_ms, charge, belongs, billed)
    if stand.call is None:
        return made
    # After the red one, if there is one.
    revision = stand.call.revision + (2 if stand.call.in_force else 1)
    return made._replace(revision=revision, corrects=stand.call.rating.revision)


def _alike(before: Posting, now: Posting) -> bool:
    """Both charge the same, with the same working, to the same month."""
    return (before.charge._replace(credit_yen=0), before.call_month_start, before.ended_ms) == (
        now.charge._replace(credit_yen=0),
        now.call_month_start,
        now.ended_ms,
    )
