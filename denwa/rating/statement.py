"""A contract's statement of one billing month: sums by class, credit, tax once, total (T6, L3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.billing_month import BillingMonth
from denwa.rating.money import Yen
from denwa.rating.tariff import PRICED_CLASSES, TaxClass
from denwa.rating.tax import TaxRates


class LedgerSum(NamedTuple):
    """All postings of a contract, a month and a class together. Amounts are signed: corrections are in them."""

    subscriber: str  # E.164
    month: BillingMonth
    number_class: str
    tax: TaxClass
    calls: int
    duration_ms: int
    charge_yen: Yen
    credit_yen: Yen


class Statement(NamedTuple):
    """What a contract owes for a month. `charges` is before credit, by class; sums by tax class are after credit and
    with the adjustments. A total below zero is owed to the subscriber.
    """

    subscriber: str  # E.164
    month: BillingMonth
    calls: int
    duration_ms: int
    charges: Mapping[str, Yen]
    credit_yen: Yen
    taxed_yen: Yen
    exempt_yen: Yen
    tax_percent: int
    tax_yen: Yen
    out_of_scope_yen: Yen = 0
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def total_yen(self) -> Yen:
        return self.taxed_yen + self.exempt_yen + self.out_of_scope_yen + self.tax_yen

    @property
    def charge_yen(self) -> Yen:
        return sum(self.charges.values())

    @property
    def adjustment_yen(self) -> Yen:
        return sum(adjustment.yen for adjustment in self.adjustments)

    def adjusted(self, kind: AdjustmentKind) -> Yen:
        """Sum of the adjustments of one kind."""
        return sum(adjustment.yen for adjustment in self.adjustments if adjustment.kind is kind)


def statements_of(
    sums: Iterable[LedgerSum], rates: TaxRates, adjustments: Iterable[Adjustment] = ()
) -> list[Statement]:
    """One statement for each contract and month in `sums` or `adjustments`, sorted by both."""
    summed: dict[tuple[str, BillingMonth], list[LedgerSum]] = {}
    adjusted: dict[tuple[str, BillingMonth], list[Adjustment]] = {}
    for one in sums:
        summed.setdefault((one.subscriber, one.month), []).append(one)
    for adjustment in adjustments:
        adjusted.setdefault((adjustment.subscriber, adjustment.month), []).append(adjustment)
    return [
        _statement(*key, summed.get(key, []), tuple(adjusted.get(key, ())), rates)
        for key in sorted(summed.keys() | adjusted.keys())
    ]


def _statement(
    subscriber: str,
    month: BillingMonth,
    sums: list[LedgerSum],
    adjustments: tuple[Adjustment, ...],
    rates: TaxRates,
) -> Statement:
    payable = {
        tax: sum(s.charge_yen - s.credit_yen for s in sums if s.tax is tax)
        + sum(adjustment.yen for adjustment in adjustments if adjustment.tax is tax)
        for tax in TaxClass
    }
    return Statement(
        subscriber,
        month,
        sum(s.calls for s in sums),
        sum(s.duration_ms for s in sums),
        {name: sum(s.charge_yen for s in sums if s.number_class == name) for name in PRICED_CLASSES},
        sum(s.credit_yen for s in sums),
        payable[TaxClass.TAXED],
        payable[TaxClass.EXEMPT],
        rates.percent_on(month.start),
        rates.tax_on(payable[TaxClass.TAXED], month.start),  # K3: once for the rate, fees and credits included
        payable[TaxClass.OUT_OF_SCOPE],
        adjustments,
    )
