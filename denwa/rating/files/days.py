"""What a calendar day decides: prices (T8), the state of the number plan (N4), billing months (T5).

Each is asked for once a day, of the functions that live rating asks; calls then look it up by their day's index.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from denwa.numbering import NumberingPlan
from denwa.rating.billing_month import BillingMonth, billing_month_of, midnight_ms
from denwa.rating.files.faults import RowFault
from denwa.rating.files.fields import Ints
from denwa.rating.files.number_classes import NumberClasses
from denwa.rating.tariff import PRICED_CLASSES, NoPriceError, Price, TariffBook

DAY_MS = 86_400_000
NO_PRICE = -1
_EPOCH_DAY = date(1970, 1, 1)
TOKYO_MS = -midnight_ms(_EPOCH_DAY)  # what a clock in Tokyo is ahead of UTC
_LAST_BILL_DAY = 28
_TABLED = 365 * 150  # days since 1970 that are found by a table; others are met one by one
_NOT_MET = -1
_MANY = 64


class Days:
    """The days that calls were answered on, by an index in the order in which they were met."""

    def __init__(self, tariffs: TariffBook, plan: NumberingPlan) -> None:
        self._tariffs = tariffs
        self._plan = plan
        self.prices: list[Price] = []
        self.months: list[BillingMonth] = []
        self.number_plans: list[NumberClasses] = []  # one for each state of the number plan
        self.days: list[date] = []
        self._price_index: dict[Price, int] = {}
        self._month_index: dict[BillingMonth, int] = {}
        self._plan_index: dict[date, int] = {}
        self._index: dict[int, int] = {}  # by day since 1970
        self._table = np.full(_TABLED, _NOT_MET, np.int32)
        # By index, with room to grow.
        self.plan_of: Ints = np.zeros(_MANY, np.int64)
        self.price_of: Ints = np.full((_MANY, len(PRICED_CLASSES)), NO_PRICE, np.int64)
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

    def check_tariff(self, index: int) -> None:
        """Raises RowFault when no tariff is in force on a day."""
        try:
            self._tariffs.on(self.days[index])
        except NoPriceError as fault:
            raise RowFault(str(fault)) from None

    def price(self, index: int, number_class: str) -> int:
        """The index of the price of a class on a day. Raises RowFault when there is none."""
        price = int(self.price_of[index, PRICED_CLASSES.index(number_class)])
        if price == NO_PRICE:
            raise RowFault(f"tariff {self._tariffs.name} has no price for {number_class} on {self.days[index]}")
        return price

    def _add(self, day_number: int) -> int:
        day = _EPOCH_DAY + timedelta(days=day_number)
        index = self._index[day_number] = len(self.days)
        if day_number < _TABLED:
            self._table[day_number] = index
        self.days.append(day)
        if index == len(self.plan_of):
            self.plan_of, self.price_of, self.month_of = (
                np.concatenate((column, column)) for column in (self.plan_of, self.price_of, self.month_of)
            )
        self.plan_of[index] = self._plan_on(day)
        self.price_of[index] = self._prices_on(day)
        for bill_day in range(1, _LAST_BILL_DAY + 1):
            month = billing_month_of(day, bill_day)
            self.month_of[index, bill_day] = known = self._month_index.setdefault(month, len(self.months))
            if known == len(self.months):
                self.months.append(month)
        return index

    def _plan_on(self, day: date) -> int:
        since, beginnings = self._plan.beginnings_on(day)
        if since not in self._plan_index:
            self._plan_index[since] = len(self.number_plans)
            self.number_plans.append(NumberClasses(self._plan, day, beginnings))
        return self._plan_index[since]

    def _prices_on(self, day: date) -> list[int]:
        try:
            prices = self._tariffs.on(day).prices
        except NoPriceError:
            return [NO_PRICE] * len(PRICED_CLASSES)
        return [self._price(prices[name]) if name in prices else NO_PRICE for name in PRICED_CLASSES]

    def _price(self, price: Price) -> int:
        index = self._price_index.setdefault(price, len(self.prices))
        if index == len(self.prices):
            self.prices.append(price)
        return index
