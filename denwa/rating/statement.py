"""A contract's statement of one billing month: sums by class, credit, tax once, total (T6, L3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

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
    """What a contract owes for a month. `charges` is before credit, by class."""

    subscriber: str  # E.164
    month: BillingMonth
    calls: int
    duration_ms: int
    charges: Mapping[str, Yen]
    credit_yen: Yen
    taxed_yen: Yen  # after credit
    exempt_yen: Yen  # after credit
    tax_percent: int
    tax_yen: Yen

    @property
    def total_yen(self) -> Yen:
        return self.taxed_yen + self.exempt_yen + self.tax_yen

    @property
    def charge_yen(self) -> Yen:
        return sum(self.charges.values())


def statements_of(sums: Iterable[LedgerSum], rates: TaxRates) -> list[Statement]:
    """One statement for each contract and month in `sums`, sorted by both."""
    ordered = sorted(sums, key=lambda s: (s.subscriber, s.month, s.number_class, s.tax))
    return [
        _statement(subscriber, month, list(group), rates)
        for (subscriber, month), group in groupby(ordered, key=lambda s: (s.subscriber, s.month))
    ]


def _statement(subscriber: str, month: BillingMonth, sums: list[LedgerSum], rates: TaxRates) -> Statement:
    payable = {tax: sum(s.charge_yen - s.credit_yen for s in sums if s.tax is tax) for tax in TaxClass}
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
        rates.tax_on(payable[TaxClass.TAXED], month.start),
    )
