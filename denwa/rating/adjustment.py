"""Adjustments: postings of the ledger that do not come from a call (fees, credits for an outage, interest, waivers)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from denwa.rating.billing_month import BillingMonth
from denwa.rating.ledger import Entry, check_balanced
from denwa.rating.money import Yen, whole_yen
from denwa.rating.tariff import TaxClass


class AdjustmentKind(StrEnum):
    NUMBER_FEE = "number-fee"  # T7
    OPTION_FEE = "option-fee"  # L4
    PAYMENT_FEE = "payment-fee"  # L4
    OUTAGE_CREDIT = "outage-credit"  # T10
    LOST_METERING = "lost-metering"  # T9
    EVASION = "evasion"  # T11
    LATE_INTEREST = "late-interest"  # T11
    WAIVER = "waiver"  # T12
    MANUAL = "manual"


# The account on the other side of the subscriber's receivable.
ACCOUNTS = {
    AdjustmentKind.NUMBER_FEE: "revenue:number-fee",
    AdjustmentKind.OPTION_FEE: "revenue:option-fee",
    AdjustmentKind.PAYMENT_FEE: "revenue:payment-fee",
    AdjustmentKind.OUTAGE_CREDIT: "outage-credit-granted",
    AdjustmentKind.LOST_METERING: "revenue:lost-metering",
    AdjustmentKind.EVASION: "revenue:evasion",
    AdjustmentKind.LATE_INTEREST: "revenue:late-interest",
    AdjustmentKind.WAIVER: "waived",
    AdjustmentKind.MANUAL: "manual",
}


class AdjustmentRefusal(Exception):
    """The adjustment cannot be posted; the text says why."""


class Adjustment(NamedTuple):
    """One adjustment of a contract.

    `reference` is unique for ever and names what was decided (`number-fee:card-17:+815050010002`): what is posted twice
    under one reference is posted once. `month` is the billing month it is billed in; one that is closed gives way to
    the next open one (L3). `working` shows a person how `yen` was found.
    """

    reference: str
    kind: AdjustmentKind
    subscriber: str  # E.164
    month: BillingMonth
    yen: Yen  # tax excluded; positive: the subscriber owes it, negative: the subscriber gets it; never 0
    tax: TaxClass
    working: str
    reason: str
    who: str
    corrects: str | None = None  # reference of the adjustment that this one takes back


def entries_of_adjustment(adjustment: Adjustment) -> tuple[Entry, Entry]:
    """The entries of an adjustment; they sum to zero. Raises TypeError for money that is no int."""
    yen = whole_yen(adjustment.yen)
    booked = (
        Entry(f"receivable:{adjustment.subscriber}", yen),
        Entry(ACCOUNTS[adjustment.kind], -yen),
    )
    check_balanced(booked)
    return booked


def check_adjustment(adjustment: Adjustment) -> None:
    """Raises AdjustmentRefusal for what no adjustment may be, TypeError for money that is no int."""
    if not whole_yen(adjustment.yen):
        raise AdjustmentRefusal(f"adjustment {adjustment.reference!r} is of 0 yen: there is nothing to post")
    for name in ("reference", "subscriber", "working", "reason", "who"):
        if not getattr(adjustment, name).strip():
            raise AdjustmentRefusal(f"adjustment {adjustment.reference!r} has no {name}")
    if adjustment.corrects == adjustment.reference:
        raise AdjustmentRefusal(f"adjustment {adjustment.reference!r} cannot take itself back")


def same_adjustment(one: Adjustment, other: Adjustment) -> bool:
    """Both book the same: kind, contract, month, amount, tax class, what is corrected. The words may differ."""
    return _booked(one) == _booked(other)


def taken_back(original: Adjustment, reference: str, *, reason: str, who: str) -> Adjustment:
    """The adjustment that takes all of `original` back, billed in the same month or the next open one."""
    return original._replace(
        reference=reference,
        yen=-original.yen,
        working=f"takes back {original.reference}: {original.working}",
        reason=reason,
        who=who,
        corrects=original.reference,
    )


def _booked(adjustment: Adjustment) -> tuple[object, ...]:
    return (
        adjustment.kind, adjustment.subscriber, adjustment.month, adjustment.yen, adjustment.tax, adjustment.corrects,
    )  # fmt: skip
