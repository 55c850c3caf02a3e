"""Bills made by hand for tests: calls rated with the shipped tariff, in November 2026 unless said otherwise."""

from __future__ import annotations

from datetime import date
from typing import Any

from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.bill import Heading, bill_of, call_of
from denwa.rating.bill_document import Addressee, BillDocument, Issuer
from denwa.rating.billing_month import BillingMonth, billing_month_of, midnight_ms
from denwa.rating.charge import charge_call
from denwa.rating.ledger import Posting, call_posting
from denwa.rating.ports import BilledPosting
from denwa.rating.tariff import TaxClass
from tests.rating.shipped import BOOK, TAX

NOVEMBER = billing_month_of(date(2026, 11, 1), 1)
ISSUER = Issuer(name="Denwa", registration_number="T9000000000000", address="Tokyo", contact="a@denwa.example")
HEADING = Heading(ISSUER, Addressee(name="山田太郎", number="05050010001"), date(2026, 12, 1), False)


def posting(
    number_class: str = "fixed",
    duration_ms: int = 61_000,
    credit: int = 0,
    *,
    cause: str = "caller",
    record_id: int = 1,
    month: BillingMonth = NOVEMBER,
    belongs: BillingMonth | None = None,
) -> Posting:
    charge = charge_call(BOOK.on(month.start), number_class, duration_ms, cause).with_credit(credit)
    ended = midnight_ms(month.start) + duration_ms
    return call_posting(record_id, "+815050010001", f"call-{record_id}", ended, charge, belongs or month, month)


def billed(one: Posting, leg: str = "outgoing") -> BilledPosting:
    return BilledPosting(one, leg, "+81312345678", one.ended_ms - one.charge.duration_ms)


def adjustment(yen: int, tax: TaxClass = TaxClass.TAXED, kind: AdjustmentKind = AdjustmentKind.MANUAL) -> Adjustment:
    return Adjustment(f"{kind}:{tax}:{yen}", kind, "+815050010001", NOVEMBER, yen, tax, "計算", "理由", "test")


def a_bill(*postings: Posting, adjustments: tuple[Adjustment, ...] = (), **given: Any) -> BillDocument:
    """The bill of these postings, with details unless `details=False`."""
    values = {"heading": HEADING, "month": NOVEMBER, "rates": TAX, "details": True} | given
    calls = [call_of(billed(one), "0312345678") for one in postings]
    return bill_of(calls=calls, adjustments=adjustments, **values)
