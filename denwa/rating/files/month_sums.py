"""Sums of billing months (T5, T6) of very many contracts, in columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from denwa.rating.billing_month import BillingMonth
from denwa.rating.csv_rows import LINE_END, csv_line
from denwa.rating.files.contracts import Contracts
from denwa.rating.files.days import Days
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import INTERNATIONAL, TaxClass
from denwa.rating.tax import TaxRates

MONTH_COLUMNS = (
    "subscriber", "period_start", "period_end", "calls", "duration_ms",
    "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen",
)  # fmt: skip
_AT_ONCE = 1 << 14


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
        self._calls = np.zeros(cells, np.int32)
        self._duration_ms = np.zeros(cells, np.int64)
        kinds = [(price.number_class == INTERNATIONAL, price.tax is TaxClass.TAXED) for price in days.prices]
        self._kinds = sorted(set(kinds))
        self._kind = np.array([self._kinds.index(kind) for kind in kinds], np.int64)
        self._yen = [np.zeros(cells, np.int64) for _ in self._kinds]
        none = np.zeros(0, np.int64)
        self._credits: list[tuple[Ints, Ints, Ints]] = [(none, none, none)]  # cell, kind, yen

    def add(self, contract: Ints, month: Ints, price: Ints, duration_ms: Ints, yen: Ints) -> None:
        """Calls with their charges."""
        cell = contract * self._columns + self._column[month]
        np.add.at(self._calls, cell, 1)
        np.add.at(self._duration_ms, cell, duration_ms)
        kind = self._kind[price]
        for index, sums in enumerate(self._yen):
            rows = np.flatnonzero((kind == index) & (yen > 0))
            np.add.at(sums, cell[rows], yen[rows])

    def add_credit(self, contract: Ints, month: Ints, price: Ints, credit_yen: Ints) -> None:
        """Calls that use credit."""
        self._credits.append((contract * self._columns + self._column[month], self._kind[price], credit_yen))

    def lines(self, tax: TaxRates) -> Iterator[str]:
        """The months file, header first, when all calls and credit were added."""
        yield csv_line(MONTH_COLUMNS)
        periods = {(int(self._column[index]), month.start.day): month for index, month in enumerate(self._days.months)}
        tax_on = lru_cache(maxsize=1 << 14)(tax.tax_on)
        numbers, bill_day = self._contracts.numbers, self._contracts.bill_day
        for cells, columns in self._sums():
            contracts, calendar = np.divmod(cells, self._columns)
            names = [number.decode() for number in numbers[contracts].tolist()]
            keys = zip(calendar.tolist(), bill_day[contracts].tolist(), strict=True)
            for name, key, calls, duration, home, abroad, credit, taxed in zip(names, keys, *columns, strict=True):
                month = periods[key]
                on_it = tax_on(taxed, month.start)
                sums = f"{calls},{duration},{home},{abroad},{credit},{on_it},{home + abroad - credit + on_it}"
                yield f"{name},{month.start},{month.end},{sums}{LINE_END}"

    def _sums(self) -> Iterator[tuple[Ints, list[list[int]]]]:
        """Cells that have calls; of each its calls, duration, domestic, international, credit, and what is taxed."""
        cell, kind, credit_yen = (np.concatenate(parts) for parts in zip(*self._credits, strict=True))
        order = np.argsort(cell)
        cell, kind, credit_yen = cell[order], kind[order], credit_yen[order]
        for start in range(0, len(self._calls), _AT_ONCE):
            span = slice(start, start + _AT_ONCE)
            used = slice(*np.searchsorted(cell, (start, start + _AT_ONCE)))
            calls = self._calls[span]
            home, abroad, credit, taxed = (np.zeros(len(calls), np.int64) for _ in range(4))
            np.add.at(credit, cell[used] - start, credit_yen[used])
            for index, (international, is_taxed) in enumerate(self._kinds):
                yen = self._yen[index][span]
                (abroad if international else home)[:] += yen
                if is_taxed:
                    taxed += yen
                    mine = kind[used] == index
                    np.subtract.at(taxed, cell[used][mine] - start, credit_yen[used][mine])
            cells = np.flatnonzero(calls)
            columns = (calls, self._duration_ms[span], home, abroad, credit, taxed)
            yield cells + start, [column[cells].tolist() for column in columns]


def _calendar(month: BillingMonth) -> int:
    return month.start.year * 12 + month.start.month
