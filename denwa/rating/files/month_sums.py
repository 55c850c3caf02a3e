"""Sums of billing months (T5, T6) of very many contracts, in columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from denwa.rating.billing_month import BillingMonth
from denwa.rating.csv_rows import csv_line
from denwa.rating.files.contracts import Contracts
from denwa.rating.files.credit_use import Shares
from denwa.rating.files.days import Days
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import INTERNATIONAL, TaxClass
from denwa.rating.tax import TaxRates

MONTH_COLUMNS = (
    "subscriber", "period_start", "period_end", "calls", "duration_ms",
    "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen",
)  # fmt: skip
_CHUNK = 4096


class MonthSums:
    """One cell for each contract and calendar month in which a billing month starts that has calls."""

    def __init__(self, contracts: Contracts, days: Days) -> None:
        """After all calls were read, because then all months and prices are known."""
        self._contracts = contracts
        self._days = days
        names = sorted({_calendar(month) for month in days.months})
        self._columns = len(names)
        self._column = np.array([names.index(_calendar(month)) for month in days.months], np.int64)
        cells = len(contracts) * len(names)
        # Never touched, a cell takes no memory.
        self.calls, self.duration_ms, self.credit, self.taxed_credit = (np.zeros(cells, np.int64) for _ in range(4))
        kinds = [(price.number_class == INTERNATIONAL, price.tax is TaxClass.TAXED) for price in days.prices]
        self._kinds = sorted(set(kinds))
        self._kind = np.array([self._kinds.index(kind) for kind in kinds], np.int64)
        self._yen = [np.zeros(cells, np.int64) for _ in self._kinds]

    def add(self, contract: Ints, month: Ints, price: Ints, duration_ms: Ints, yen: Ints) -> None:
        """Calls with their charges."""
        cell = contract * self._columns + self._column[month]
        np.add.at(self.calls, cell, 1)
        np.add.at(self.duration_ms, cell, duration_ms)
        kind = self._kind[price]
        for index, sums in enumerate(self._yen):
            rows = np.flatnonzero((kind == index) & (yen > 0))
            np.add.at(sums, cell[rows], yen[rows])

    def add_credit(self, shares: Shares) -> None:
        """What was used of the contracts' credit."""
        cell = shares.contract * self._columns + self._column[shares.month]
        np.add.at(self.credit, cell, shares.credit_yen)
        taxed = np.array([tax for _, tax in self._kinds], np.int64)[self._kind[shares.price]]
        np.add.at(self.taxed_credit, cell, shares.credit_yen * taxed)

    def lines(self, tax: TaxRates) -> Iterator[str]:
        """The months file, header first."""
        yield csv_line(MONTH_COLUMNS)
        months = {(self._column[index], month.start.day): month for index, month in enumerate(self._days.months)}
        for start in range(0, len(self.calls), _CHUNK):
            for cell in (np.flatnonzero(self.calls[start : start + _CHUNK]) + start).tolist():
                contract, column = divmod(cell, self._columns)
                month = months[column, int(self._contracts.bill_day[contract])]
                yield self._line(self._contracts.numbers[contract], month, cell, tax)

    def _line(self, number: str, month: BillingMonth, cell: int, tax: TaxRates) -> str:
        abroad = home = taxed = 0
        for (international, is_taxed), sums in zip(self._kinds, self._yen, strict=True):
            yen = int(sums[cell])
            abroad += yen * international
            home += yen * (not international)
            taxed += yen * is_taxed
        credit = int(self.credit[cell])
        on_it = tax.tax_on(taxed - int(self.taxed_credit[cell]), month.start)
        numbers = (int(self.calls[cell]), int(self.duration_ms[cell]), home, abroad, credit, on_it)
        return csv_line((number, *month, *numbers, home + abroad - credit + on_it))


def _calendar(month: BillingMonth) -> int:
    return month.start.year * 12 + month.start.month
