"""Sums of billing months (T5, T6) of very many contracts, in columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from denwa.rating.billing_month import BillingMonth
from denwa.rating.csv_rows import LINE_END, csv_line
from denwa.rating.files.contracts import Contracts
from denwa.rating.files.credit_use import smallest_type
from denwa.rating.files.days import Days
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import INTERNATIONAL, TaxClass
from denwa.rating.tax import TaxRates

MONTH_COLUMNS = (
    "subscriber", "period_start", "period_end", "calls", "duration_ms",
    "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen",
)  # fmt: skip
_AT_ONCE = 1 << 11  # contracts


class MonthSums:
    """A cell for each contract and calendar month in which a billing month starts."""

    def __init__(self, contracts: Contracts, days: Days) -> None:
        """After all calls were read, because then all months and prices are known."""
        self._contracts = contracts
        self._days = days
        names = sorted({_calendar(month) for month in days.months})
        self._column = np.array([names.index(_calendar(month)) for month in days.months], np.int64)
        self._shape = (len(names), len(contracts))
        kinds = [(price.number_class == INTERNATIONAL, price.tax is TaxClass.TAXED) for price in days.prices]
        self._kinds = sorted(set(kinds))
        self._kind = np.array([self._kinds.index(kind) for kind in kinds], np.int64)
        # What is never touched takes no memory: month by month, credit is used in the first ones only.
        self._calls = np.zeros(len(names) * len(contracts), np.int32)
        self._duration_ms = np.zeros(len(self._calls), np.int64)
        self._yen = [np.zeros(len(self._calls), np.int64) for _ in self._kinds]
        self._credit_yen = [np.zeros(len(self._calls), smallest_type(contracts.credit_yen)) for _ in self._kinds]

    def add(self, contract: Ints, month: Ints, price: Ints, duration_ms: Ints, yen: Ints) -> None:
        """Calls with their charges."""
        cell = self._cell(contract, month)
        np.add.at(self._calls, cell, np.int32(1))
        np.add.at(self._duration_ms, cell, duration_ms)
        self._add_by_kind(self._yen, cell, price, yen)

    def add_credit(self, contract: Ints, month: Ints, price: Ints, credit_yen: Ints) -> None:
        """Calls that use credit."""
        self._add_by_kind(self._credit_yen, self._cell(contract, month), price, credit_yen)

    def _cell(self, contract: Ints, month: Ints) -> Ints:
        cell: Ints = self._column[month] * self._shape[1] + contract
        return cell

    def _add_by_kind(self, sums: list[Ints], cell: Ints, price: Ints, yen: Ints) -> None:
        kind = self._kind[price]
        for index, column in enumerate(sums):
            rows = np.flatnonzero((kind == index) & (yen > 0))
            np.add.at(column, cell[rows], yen[rows])  # of the same type: many times faster

    def lines(self, tax: TaxRates) -> Iterator[str]:
        """The months file, header first, when all calls and credit were added."""
        yield csv_line(MONTH_COLUMNS)
        periods = {
            (int(self._column[index]), month.start.day): (month.start, f"{month.start},{month.end}")
            for index, month in enumerate(self._days.months)
        }
        tax_on = lru_cache(maxsize=1 << 12)(tax.tax_on)
        numbers, bill_day = self._contracts.numbers, self._contracts.bill_day
        for contracts, calendar, columns in self._sums():
            names = [number.decode() for number in numbers[contracts].tolist()]
            keys = zip(calendar.tolist(), bill_day[contracts].tolist(), strict=True)
            for name, key, calls, duration, home, abroad, credit, taxed in zip(names, keys, *columns, strict=True):
                start, period = periods[key]
                on_it = tax_on(taxed, start)
                sums = f"{calls},{duration},{home},{abroad},{credit},{on_it},{home + abroad - credit + on_it}"
                yield f"{name},{period},{sums}{LINE_END}"

    def _sums(self) -> Iterator[tuple[Ints, Ints, list[list[int]]]]:
        """Contract and column of cells with calls, in order; their calls, duration, domestic, international, credit,
        and what of it all is taxed.
        """
        for start in range(0, self._shape[1], _AT_ONCE):
            calls = self._part(self._calls, start)
            home, abroad, credit, taxed = (np.zeros(len(calls), np.int64) for _ in range(4))
            for (international, is_taxed), yen, credit_yen in zip(
                self._kinds, self._yen, self._credit_yen, strict=True
            ):
                charges, used = self._part(yen, start), self._part(credit_yen, start)
                (abroad if international else home)[:] += charges
                credit += used
                if is_taxed:
                    taxed += charges - used
            cells = np.flatnonzero(calls)
            columns = (calls, self._part(self._duration_ms, start), home, abroad, credit, taxed)
            contracts, calendar = np.divmod(cells, max(1, self._shape[0]))
            yield contracts + start, calendar, [column[cells].tolist() for column in columns]

    def _part(self, column: Any, start: int) -> Any:
        """Some contracts' cells, contract by contract."""
        return column.reshape(self._shape)[:, start : start + _AT_ONCE].T.ravel()


def _calendar(month: BillingMonth) -> int:
    return month.start.year * 12 + month.start.month
