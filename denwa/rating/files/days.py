"""What a calendar day decides: prices (T8), the state of the number plan (N4), billing months (T5).

Each is asked for once a day, of the functions that live rating asks; calls then look it up by their day's index.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from denwa.numbering import NumberingPlan
from denwa.rating.billing_month import BillingMonth, billing_month_of, midnight_ms
from denwa.rating.files.dialled_prices import DialledPrices
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Ints
from denwa.rating.tariff import NoPriceError, Price, TariffBook

DAY_MS = 86_400_000
NO_TARIFF = -1
_EPOCH_DAY = date(1970, 1, 1)
TOKYO_MS = -midnight_ms(_EPOCH_DAY)  # what a clock in Tokyo is ahead of UTC
_LAST_BILL_DAY = 28
_TABLED = 365 * 150  # days since 1970 that are found by a table; others are met one by one
_NOT_MET = -1
_MANY = 64
_MOST_PRICES = 1 << 16  # that two bytes number
_LEAST_UNIT_MS = 24  # of which the longest call has as many as four bytes count


class Days:
    """The days that calls were answered on, by an index in the order in which they were met."""

    def __init__(self, tariffs: TariffBook, plan: NumberingPlan) -> None:
        self._tariffs = tariffs
        self._plan = plan
        self.prices: list[Price] = []
        self.months: list[BillingMonth] = []
        self.dialled: list[DialledPrices] = []  # one for each state of number plan and tariff
        self.days: list[date] = []
        self._price_index: dict[Price, int] = {}
        self._month_index: dict[BillingMonth, int] = {}
        self._dialled_index: dict[tuple[date, date], int] = {}
        self._index: dict[int, int] = {}  # by day since 1970
        self._table = np.full(_TABLED, _NOT_MET, np.int32)
        # By index, with room to grow.
        self.dialled_of: Ints = np.zeros(_MANY, np.int64)  # index in `dialled`, or NO_TARIFF
        self.month_of: Ints = np.zeros((_MANY, _LAST_BILL_DAY + 1), np.int64)

    def index_of(self, day_number: int) -> int:
        """The index of a day in Tokyo, counted from 1970-01-01."""
        known = self._index.get(day_number)
        return self._add(day_number) if known is None else known

    def find(self, day_numbers: Ints) -> Ints:
        """The same for many days, all of them within the 150 years of the table."""
        found = self._table[day_numbers]
        unknown = day_numbers[found == _NOT_MET]
        if len(unknown):
            for day_number in np.unique(unknown).tolist():
                self._add(day_number)
            found = self._table[day_numbers]
        return found.astype(np.int64)

    def dialled_on(self, index: int) -> DialledPrices:
        """Prices of dialled numbers on a day. Raises RowFault when no tariff is in force."""
        where = int(self.dialled_of[index])
        if where == NO_TARIFF:
            try:
                self._tariffs.on(self.days[index])
            except NoPriceError as fault:
                raise RowFault(str(fault)) from None
        return self.dialled[where]

    def _add(self, day_number: int) -> int:
        day = _EPOCH_DAY + timedelta(days=day_number)
        index = self._index[day_number] = len(self.days)
        if day_number < _TABLED:
            self._table[day_number] = index
        self.days.append(day)
        if index == len(self.dialled_of):
            self.dialled_of = np.concatenate((self.dialled_of, self.dialled_of))
            self.month_of = np.concatenate((self.month_of, self.month_of))
        self.dialled_of[index] = self._dialled_on(day)
        for bill_day in range(1, _LAST_BILL_DAY + 1):
            month = billing_month_of(day, bill_day)
            self.month_of[index, bill_day] = known = self._month_index.setdefault(month, len(self.months))
            if known == len(self.months):
                self.months.append(month)
        return index

    def _dialled_on(self, day: date) -> int:
        try:
            tariff = self._tariffs.on(day)
        except NoPriceError:
            return NO_TARIFF
        state = (self._plan.beginnings_on(day)[0], tariff.valid_from)
        index = self._dialled_index.setdefault(state, len(self.dialled))
        if index == len(self.dialled):
            self.dialled.append(DialledPrices(self._plan, tariff, day, self._price))
        return index

    def _price(self, price: Price) -> int:
        if price.unit_ms < _LEAST_UNIT_MS:
            raise RowFault(f"a unit of {price.unit_ms} ms is too short")
        index = self._price_index.setdefault(price, len(self.prices))
        if index == len(self.prices):
            if index == _MOST_PRICES:
                raise RowFault(f"more than {_MOST_PRICES} prices")
            self.prices.append(price)
        return index
