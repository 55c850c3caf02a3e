"""Posts adjustments into the ledger: each reference once, in an open month of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from denwa.rating.adjustment import Adjustment, AdjustmentRefusal, check_adjustment, same_adjustment, taken_back
from denwa.rating.billing_month import billing_month_of
from denwa.rating.open_month import open_month
from denwa.rating.ports import Accounts, AccountTerms, BookedAdjustment, LedgerStore, LedgerTransaction


class PostedAdjustment(NamedTuple):
    """An adjustment as the ledger has it (`month`: the one it is billed in). `new`: it was not there before."""

    adjustment: Adjustment
    new: bool


@dataclass(frozen=True, slots=True)
class Adjuster:
    """The way into the ledger for what does not come from a call. Any number may run at once, in any process."""

    ledger: LedgerStore
    accounts: Accounts

    def post(self, adjustments: Sequence[Adjustment], now_ms: int) -> list[PostedAdjustment]:
        """Post all of `adjustments`, or none of them.

        One whose reference is in the ledger already is left as it is there; AdjustmentRefusal when that books
        something else (see `same_adjustment`), and for what no adjustment may be.
        """
        for adjustment in adjustments:
            check_adjustment(adjustment)
        terms = self.accounts.terms({adjustment.subscriber for adjustment in adjustments})
        for adjustment in adjustments:
            _check_contract(adjustment, terms.get(adjustment.subscriber))
        with self.ledger.transaction() as ledger:
            return _post(ledger, adjustments, now_ms)

    def take_back(self, reference: str, *, reason: str, who: str, now_ms: int) -> PostedAdjustment:
        """Take back the adjustment `reference` in full, under the reference `REFERENCE:taken-back` (T13).

        AdjustmentRefusal when there is none, or it takes another back itself. Taking back twice posts once.
        """
        with self.ledger.transaction() as ledger:
            booked = ledger.adjustments([reference])
            if not booked:
                raise AdjustmentRefusal(f"there is no adjustment {reference!r}")
            original = booked[reference].adjustment
            if original.corrects is not None:
                raise AdjustmentRefusal(f"{reference!r} itself takes {original.corrects!r} back; post a new adjustment")
            back = taken_back(original, f"{reference}:taken-back", reason=reason, who=who)
            check_adjustment(back)
            return _post(ledger, [back], now_ms)[0]


def _check_contract(adjustment: Adjustment, terms: AccountTerms | None) -> None:
    if terms is None:
        raise AdjustmentRefusal(f"adjustment {adjustment.reference!r}: {adjustment.subscriber} is no subscriber")
    if adjustment.month != billing_month_of(adjustment.month.start, terms.bill_day):
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r}: {adjustment.month.start} to {adjustment.month.end} is no billing "
            f"month of {adjustment.subscriber}, whose months start on day {terms.bill_day}"
        )


def _post(ledger: LedgerTransaction, adjustments: Sequence[Adjustment], now_ms: int) -> list[PostedAdjustment]:
    closed = ledger.closed_months()
    corrected = {adjustment.corrects for adjustment in adjustments if adjustment.corrects is not None}
    known = ledger.adjustments({adjustment.reference for adjustment in adjustments} | corrected)
    backs = ledger.taken_back(corrected)
    booked: list[BookedAdjustment] = []
    posted: list[PostedAdjustment] = []
    for adjustment in adjustments:
        there = known.get(adjustment.reference)
        if there is not None:
            _check_same(adjustment, there.asked)
            posted.append(PostedAdjustment(there.adjustment, False))
            continue
        if adjustment.corrects is not None:
            _check_taken_back(adjustment, known.get(adjustment.corrects), backs.get(adjustment.corrects))
            backs[adjustment.corrects] = adjustment.reference
        billed = adjustment._replace(month=open_month(adjustment.month, closed))
        known[adjustment.reference] = BookedAdjustment(billed, adjustment.month.start, now_ms)
        booked.append(known[adjustment.reference])
        posted.append(PostedAdjustment(billed, True))
    ledger.post_adjustments(booked)
    return posted


def _check_same(adjustment: Adjustment, before: Adjustment) -> None:
    if not same_adjustment(before, adjustment):
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r} was posted before with another content: {before.kind}, "
            f"{before.month.name}, {before.yen} yen, {before.tax}"
        )


def _check_taken_back(adjustment: Adjustment, booked: BookedAdjustment | None, taken_back_by: str | None) -> None:
    if booked is None:
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r} takes back {adjustment.corrects!r}, which there is not"
        )
    if taken_back_by is not None:
        raise AdjustmentRefusal(f"{adjustment.corrects!r} is taken back already, by {taken_back_by!r}")
    original = booked.adjustment
    if (adjustment.subscriber, adjustment.yen, adjustment.tax, adjustment.kind) != (
        original.subscriber,
        -original.yen,
        original.tax,
        original.kind,
    ):
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r} does not take back all of {adjustment.corrects!r} and nothing else"
        )
