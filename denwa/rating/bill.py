"""How the bill of a contract's billing month is computed (K3).

Everything that follows from other fields is found by `lines_of`, `totals_of` and `working_of`, which `bill_check` calls
again to prove a bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from denwa.rating.adjustment import Adjustment
from denwa.rating.bill_document import (
    Addressee,
    BillDocument,
    BilledAdjustment,
    BilledCall,
    BillLine,
    Issuer,
    RateTotal,
    Totals,
)
from denwa.rating.billing_month import TOKYO, BillingMonth
from denwa.rating.charge import Charge
from denwa.rating.consumer_price import yen_with_tax
from denwa.rating.ledger import PostingKind
from denwa.rating.money import Yen
from denwa.rating.ports import BilledPosting
from denwa.rating.statement import LedgerSum, Statement, statements_of
from denwa.rating.tariff import PRICED_CLASSES, TaxClass
from denwa.rating.tax import TaxRates


class Heading(NamedTuple):
    """What a bill says beside its amounts."""

    issuer: Issuer
    addressee: Addressee
    issued_on: date
    provisional: bool


def bill_of(
    heading: Heading,
    month: BillingMonth,
    calls: Sequence[BilledCall],
    adjustments: Iterable[Adjustment],
    rates: TaxRates,
    *,
    details: bool,
) -> BillDocument:
    """The bill of `month` from everything billed in it; with the `calls` one by one if `details`."""
    lines = lines_of(calls, month, rates)
    billed = tuple(
        BilledAdjustment(
            reference=one.reference,
            kind=one.kind,
            tax=one.tax,
            yen=one.yen,
            working=one.working,
            reason=one.reason,
            corrects=one.corrects,
        )
        for one in adjustments
    )
    return BillDocument(
        kind="qualified-invoice" if heading.issuer.registration_number else "invoice",
        provisional=heading.provisional,
        issued_on=heading.issued_on,
        issuer=heading.issuer,
        addressee=heading.addressee,
        month=month.name,
        period_start=month.start,
        period_end=month.end,
        lines=lines,
        adjustments=billed,
        totals=totals_of(lines, billed, month, rates),
        calls=tuple(calls) if details else None,
    )


def call_of(billed: BilledPosting, callee: str) -> BilledCall:
    """A posting as the bill shows it, with the ledger's amounts; `callee` in the form it has on the bill."""
    posting, charge = billed.posting, billed.posting.charge
    price = charge.price
    answered = datetime.fromtimestamp(billed.answered_ms // 1000, TOKYO).replace(
        microsecond=billed.answered_ms % 1000 * 1000
    )
    return BilledCall(
        call_id=posting.call_id,
        revision=posting.revision,
        kind=posting.kind,
        leg=billed.leg,
        callee=callee,
        answered_at=answered.isoformat(timespec="milliseconds"),
        belongs_to=posting.call_month_start,
        number_class=price.number_class,
        tax=price.tax,
        tariff=charge.tariff,
        tariff_date=charge.tariff_date,
        unit_ms=price.unit_ms,
        yen_per_unit=price.yen_per_unit,
        duration_ms=charge.duration_ms,
        fault_cut=charge.unfinished_dropped,
        units=charge.units,
        charge_yen=posting.charge_yen,
        credit_yen=posting.credit_yen,
        payable_yen=posting.payable_yen,
        working=working_of(posting.kind, charge, posting.credit_yen, billed.leg),
    )


def working_of(kind: PostingKind, charge: Charge, credit_yen: Yen, leg: str) -> str:
    """How a posting's amounts came about. ValueError for a credit that is not within the charge."""
    if kind is PostingKind.CREDIT_MOVE:
        return f"credit shared out anew: {credit_yen:+} yen [T4]"
    if kind is PostingKind.REVERSAL:
        return "taken back: " + charge.with_credit(-credit_yen).working(leg)
    return charge.with_credit(credit_yen).working(leg)


def lines_of(calls: Iterable[BilledCall], month: BillingMonth, rates: TaxRates) -> tuple[BillLine, ...]:
    """The calls summed by class, price and month they belong to: this month's first, in the order of the classes."""
    groups: dict[tuple[object, ...], list[BilledCall]] = {}
    for call in calls:
        earlier = "" if call.belongs_to == month.start else f"{call.belongs_to:%Y-%m}"
        place = PRICED_CLASSES.index(call.number_class) if call.number_class in PRICED_CLASSES else len(PRICED_CLASSES)
        key = (earlier, place, *call.price, call.tariff, call.tariff_date)
        groups.setdefault(key, []).append(call)
    return tuple(_line(str(key[0]), group, month, rates) for key, group in sorted(groups.items()))


def price_with_tax(line: BillLine | BilledCall, month: BillingMonth, rates: TaxRates) -> str:
    """K3: the price of a unit as consumers must see it; a call abroad is exempt."""
    return yen_with_tax(line.yen_per_unit, rates.percent_on(month.start) if line.tax is TaxClass.TAXED else 0)


def totals_of(
    lines: Sequence[BillLine], adjustments: Sequence[BilledAdjustment], month: BillingMonth, rates: TaxRates
) -> Totals:
    """The totals, found by the arithmetic of the statements (T6): tax once for the month's sum of what is taxed."""
    statement = _statement(lines, adjustments, month, rates)
    rate = RateTotal(percent=statement.tax_percent, taxed_yen=statement.taxed_yen, tax_yen=statement.tax_yen)
    return Totals(
        calls=statement.calls,
        duration_ms=statement.duration_ms,
        charge_yen=sum(line.charge_yen for line in lines),
        credit_yen=statement.credit_yen,
        adjustment_yen=statement.adjustment_yen,
        rates=(rate,),
        exempt_yen=statement.exempt_yen,
        out_of_scope_yen=statement.out_of_scope_yen,
        tax_yen=statement.tax_yen,
        total_yen=statement.total_yen,
    )


def _line(correction_of: str, calls: list[BilledCall], month: BillingMonth, rates: TaxRates) -> BillLine:
    first = calls[0]
    charge, credit = sum(call.charge_yen for call in calls), sum(call.credit_yen for call in calls)
    return BillLine(
        number_class=first.number_class,
        tax=first.tax,
        tariff=first.tariff,
        tariff_date=first.tariff_date,
        unit_ms=first.unit_ms,
        yen_per_unit=first.yen_per_unit,
        yen_per_unit_with_tax=price_with_tax(first, month, rates),
        correction_of=correction_of,
        calls=sum(call.sign for call in calls),
        duration_ms=sum(call.sign * call.duration_ms for call in calls),
        units=sum(call.sign * call.units for call in calls),
        charge_yen=charge,
        credit_yen=credit,
        payable_yen=charge - credit,
    )


def _statement(
    lines: Sequence[BillLine], adjustments: Sequence[BilledAdjustment], month: BillingMonth, rates: TaxRates
) -> Statement:
    sums = [
        LedgerSum(
            "", month, line.number_class, line.tax, line.calls, line.duration_ms, line.charge_yen, line.credit_yen
        )
        for line in lines
    ]
    nothing = LedgerSum(
        "", month, PRICED_CLASSES[0], TaxClass.TAXED, 0, 0, 0, 0
    )  # a month without calls has a bill too
    adjusted = [
        Adjustment(one.reference, one.kind, "", month, one.yen, one.tax, one.working, one.reason, "", one.corrects)
        for one in adjustments
    ]
    (statement,) = statements_of([nothing, *sums], rates, adjusted)
    return statement
