"""Posts adjustments into the ledger: each reference once, in an open month of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from denwa.rating.adjustment import Adjustment, AdjustmentRefusal, check_adjustment, same_adjustment, taken_back
from denwa.rating.billing_month import billing_month_of
from denwa.rating.open_month import open_month
from denwa.rating.ports import Accounts, AccountTerms, BookedAdjustment, ClosedMonth, LedgerStore, LedgerTransaction


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
            closed = ledger.closed_months()
            return [_post(ledger, adjustment, closed, now_ms) for adjustment in adjustments]

    def take_back(self, reference: str, *, reason: str, who: str, now_ms: int) -> PostedAdjustment:
        """Take back the adjustment `reference` in full, under the reference `REFERENCE:taken-back` (T13).

        AdjustmentRefusal when there is none, or it takes another back itself. Taking back twice posts once.
        """
        with self.ledger.transaction() as ledger:
            booked = ledger.adjustment(reference)
            if booked is None:
                raise AdjustmentRefusal(f"there is no adjustment {reference!r}")
            original = booked.adjustment
            if original.corrects is not None:
                raise AdjustmentRefusal(f"{reference!r} itself takes {original.corrects!r} back; post a new adjustment")
            back = taken_back(original, f"{reference}:taken-back", reason=reason, who=who)
            check_adjustment(back)
            return _post(ledger, back, ledger.closed_months(), now_ms)


def _check_contract(adjustment: Adjustment, terms: AccountTerms | None) -> None:
    if terms is None:
        raise AdjustmentRefusal(f"adjustment {adjustment.reference!r}: {adjustment.subscriber} is no subscriber")
    if adjustment.month != billing_month_of(adjustment.month.start, terms.bill_day):
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r}: {adjustment.month.start} to {adjustment.month.end} is no billing "
            f"month of {adjustment.subscriber}, whose months start on day {terms.bill_day}"
        )


def _post(
    ledger: LedgerTransaction, adjustment: Adjustment, closed: Mapping[str, ClosedMonth], now_ms: int
) -> PostedAdjustment:
    known = ledger.adjustment(adjustment.reference)
    if known is not None:
        if not same_adjustment(known.asked, adjustment):
            raise AdjustmentRefusal(
                f"adjustment {adjustment.reference!r} was posted before with another content: {known.asked.kind}, "
                f"{known.asked.month.name}, {known.asked.yen} yen, {known.asked.tax}"
            )
        return PostedAdjustment(known.adjustment, False)
    if adjustment.corrects is not None:
        _check_taken_back(ledger, adjustment)
    billed = adjustment._replace(month=open_month(adjustment.month, closed))
    ledger.post_adjustments([BookedAdjustment(billed, adjustment.month.start, now_ms)])
    return PostedAdjustment(billed, True)


def _check_taken_back(ledger: LedgerTransaction, adjustment: Adjustment) -> None:
    original = ledger.adjustment(adjustment.corrects or "")
    if original is None:
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r} takes back {adjustment.corrects!r}, which there is not"
        )
    other = ledger.taken_back_by(original.adjustment.reference)
    if other is not None:
        raise AdjustmentRefusal(f"{original.adjustment.reference!r} is taken back already, by {other!r}")
    if (adjustment.subscriber, adjustment.yen, adjustment.tax, adjustment.kind) != (
        original.adjustment.subscriber,
        -original.adjustment.yen,
        original.adjustment.tax,
        original.adjustment.kind,
    ):
        raise AdjustmentRefusal(
            f"adjustment {adjustment.reference!r} does not take back all of {adjustment.corrects!r} and nothing else"
        )
