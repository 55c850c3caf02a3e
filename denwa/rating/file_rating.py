"""Rates call records from files: `denwa rate`, with the tariff, charge, credit and months of live rating."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from denwa.numbering import NumberFault, NumberingPlan, PhoneNumber, Refusal
from denwa.rating.billing_month import BillingMonth, billing_month_of, midnight_ms, tokyo_day
from denwa.rating.charge import units_of
from denwa.rating.credit import CreditOrder
from denwa.rating.csv_rows import csv_line, is_text, quoted
from denwa.rating.moment import MomentError, parse_moment
from denwa.rating.money import Yen
from denwa.rating.ports import CHARGED_LEGS
from denwa.rating.tariff import INTERNATIONAL, NoPriceError, Price, TariffBook, TaxClass
from denwa.rating.tax import TaxRates

SUBSCRIBER_COLUMNS = ("number", "service_start", "bill_day")
CALL_COLUMNS = ("call_id", "subscriber", "dialed", "leg", "answered_at", "duration_ms", "end_cause")
RATED_COLUMNS = ("call_id", "class", "units", "charge_yen", "credit_yen", "payable_yen", "period_start")
MONTH_COLUMNS = (
    "subscriber", "period_start", "period_end", "calls", "duration_ms",
    "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen",
)  # fmt: skip
REJECT_COLUMNS = ("line", "call_id", "problem")
_LONGEST_MS = 10**11  # three years: a longer call is a fault of whoever wrote the file
_DAY_MS = 86_400_000
_TOKYO_MS = 9 * 3_600_000
_KEY = "\0"  # sorts before every letter, so keys sort as their call ids do


class RowFault(Exception):
    """A row that cannot be rated; the text is the problem for the rejects file."""


class _Sums:
    """One contract's billing month."""

    __slots__ = (
        "calls", "credit", "domestic", "duration", "first_day", "international", "last_day", "month", "period", "taxed"
    )  # fmt: skip

    def __init__(self, month: BillingMonth) -> None:
        self.month = month
        self.period = month.start.isoformat()
        self.first_day = month.start_ms // _DAY_MS + 1  # days since 1970 in Tokyo
        self.last_day = month.end_ms // _DAY_MS
        self.calls = self.duration = 0
        self.domestic: Yen = 0
        self.international: Yen = 0
        self.credit: Yen = 0
        self.taxed: Yen = 0  # after credit


class _Contract:
    __slots__ = ("bill_day", "credit", "current", "months", "national", "start_ms")

    def __init__(self, national: str, start: date, bill_day: int, credit: CreditOrder) -> None:
        self.national = national
        self.start_ms = midnight_ms(start)
        self.bill_day = bill_day
        self.credit = credit
        self.months: dict[date, _Sums] = {}
        self.current = self.turn_to(start)  # calls of one month mostly follow one another

    def turn_to(self, day: date) -> _Sums:
        """The sums of the month that `day` is in, made when they are the first call's."""
        month = billing_month_of(day, self.bill_day)
        self.current = self.months.get(month.start) or self.months.setdefault(month.start, _Sums(month))
        return self.current


class _Rated(NamedTuple):
    """What thousands of calls have in common: class, units, charge and month, ready to be written."""

    number_class: str
    units: int
    yen: Yen
    month_start: date
    taxed: bool
    line: str  # everything after the call id

    def with_credit(self, credit: Yen) -> _Rated:
        fields = (self.number_class, self.units, self.yen, credit, self.yen - credit, self.month_start)
        return self._replace(line="," + csv_line(fields))


class _Day(NamedTuple):
    day: date
    prices: dict[str, Price]


class FileRating:
    """One run: `add_subscriber` for each contract, `add_call` for each call, then the sorted results."""

    def __init__(self, tariffs: TariffBook, tax: TaxRates, plan: NumberingPlan) -> None:
        self._tariffs = tariffs
        self._tax = tax
        self._plan = plan
        self._contracts: dict[str, _Contract] = {}  # by national number
        self._spelled: dict[str, _Contract] = {}  # by the number as the calls file spells it
        self._faulty: dict[str, int] = {}  # number -> line of a subscriber row that cannot be used
        self._days: dict[int, _Day] = {}
        self._calls: dict[str, _Rated] = {}
        self._kinds: dict[tuple[str, int, Yen, str], _Rated] = {}

    def add_subscriber(self, line: int, number: str, service_start: str, bill_day: str) -> None:
        """A row of the subscribers file. Raises RowFault; calls of a faulty row are rejected later."""
        try:
            national = PhoneNumber.parse(number).national()
        except NumberFault as fault:
            raise RowFault(f"number {number!r}: {fault}") from None
        try:
            if national in self._contracts or national in self._faulty:
                raise RowFault(f"{national} comes twice")
            start = date.fromisoformat(service_start)
            if not (bill_day.isascii() and bill_day.isdigit() and 1 <= int(bill_day) <= 28):
                raise RowFault(f"bill_day {bill_day!r} is not 1–28")
        except ValueError:
            self._faulty[national] = line
            raise RowFault(f"service_start {service_start!r} is no ISO date") from None
        except RowFault:
            self._faulty.setdefault(national, line)
            self._contracts.pop(national, None)  # which of the two is meant is not guessed
            raise
        credit = CreditOrder(self._tariffs.credit_at_start(start))
        self._contracts[national] = _Contract(national, start, int(bill_day), credit)

    def add_call(self, row: tuple[str, ...]) -> None:
        """A row of the calls file (CALL_COLUMNS). Raises RowFault and then has changed nothing."""
        call_id, subscriber, dialed, leg, answered_at, duration, end_cause = row
        contract = self._spelled.get(subscriber) or self._find(subscriber)
        if leg not in CHARGED_LEGS:
            raise RowFault(f"leg {leg!r} is not outgoing or forwarded")
        if not (duration.isascii() and duration.isdigit() and (duration_ms := int(duration)) <= _LONGEST_MS):
            raise RowFault(f"duration_ms {duration!r} is not a whole number from 0 to {_LONGEST_MS}")
        if not end_cause:
            raise RowFault("end_cause is empty")
        key = f"{call_id}{_KEY}{leg}{_KEY}{contract.national}"
        if not call_id or _KEY in call_id or not (call_id.isascii() or is_text(call_id)):
            raise RowFault("call_id is empty or no text")
        try:
            answered_ms = parse_moment(answered_at)
        except MomentError as fault:
            raise RowFault(f"answered_at: {fault}") from None
        if answered_ms < contract.start_ms:
            raise RowFault(f"answered before the contract started ({tokyo_day(contract.start_ms)})")
        day_number = (answered_ms + _TOKYO_MS) // _DAY_MS
        day = self._days.get(day_number) or self._day(day_number, answered_ms)
        number_class = self._plan.class_of(dialed, day.day)
        if isinstance(number_class, Refusal):
            raise RowFault(f"dialed {dialed!r}: {number_class.text}")
        price = day.prices[number_class]
        units = units_of(duration_ms, price.unit_ms, end_cause)
        sums = contract.current
        if not sums.first_day <= day_number <= sums.last_day:
            sums = contract.turn_to(day.day)
        self._book(sums, key, price, units)
        sums.duration += duration_ms
        ended_ms = answered_ms + duration_ms
        if ended_ms <= contract.credit.until_ms:
            contract.credit.add(ended_ms, call_id, key, units * price.yen_per_unit)

    def _book(self, sums: _Sums, key: str, price: Price, units: int) -> None:
        yen = units * price.yen_per_unit
        kind = (price.number_class, units, yen, sums.period)
        calls = self._calls
        before = len(calls)
        calls.setdefault(key, self._kinds.get(kind) or self._kind(kind, price, sums))
        if len(calls) == before:
            raise RowFault("the same call and leg as in an earlier row")
        sums.calls += 1
        if price.number_class == INTERNATIONAL:
            sums.international += yen
        else:
            sums.domestic += yen
        if price.tax is TaxClass.TAXED:
            sums.taxed += yen

    def results(self) -> tuple[Iterator[str], Iterator[str]]:
        """Lines of the rated and of the months file, headers first, sorted as they must be. To be called once."""
        self._share_credit()
        return self._rated_lines(), self._month_lines()

    def _share_credit(self) -> None:
        for contract in self._contracts.values():
            for key, yen in contract.credit.shares().items():
                rated = self._calls[key]
                sums = contract.months[rated.month_start]
                sums.credit += yen
                sums.taxed -= yen * rated.taxed
                self._calls[key] = rated.with_credit(yen)

    def _rated_lines(self) -> Iterator[str]:
        yield csv_line(RATED_COLUMNS)
        calls = self._calls
        for key in sorted(calls):
            call_id, _, _ = key.partition(_KEY)
            yield (call_id if call_id.isalnum() else quoted(call_id)) + calls[key].line

    def _month_lines(self) -> Iterator[str]:
        yield csv_line(MONTH_COLUMNS)
        for number in sorted(self._contracts):
            for _, sums in sorted(self._contracts[number].months.items()):
                if not sums.calls:
                    continue
                tax = self._tax.tax_on(sums.taxed, sums.month.start)
                total = sums.domestic + sums.international - sums.credit + tax
                amounts = (sums.domestic, sums.international, sums.credit, tax, total)
                yield csv_line((number, *sums.month, sums.calls, sums.duration, *amounts))

    def _find(self, subscriber: str) -> _Contract:
        try:
            national = PhoneNumber.parse(subscriber).national()
        except NumberFault as fault:
            raise RowFault(f"subscriber {subscriber!r}: {fault}") from None
        if national in self._faulty:
            raise RowFault(f"the row of subscriber {national} (line {self._faulty[national]}) cannot be used")
        if national not in self._contracts:
            raise RowFault(f"subscriber {national} is not in the subscribers file")
        self._spelled[subscriber] = self._contracts[national]
        return self._contracts[national]

    def _day(self, day_number: int, moment_ms: int) -> _Day:
        day = tokyo_day(moment_ms)
        try:
            made = self._days[day_number] = _Day(day, dict(self._tariffs.on(day).prices))
        except NoPriceError as fault:
            raise RowFault(str(fault)) from None
        return made

    def _kind(self, kind: tuple[str, int, Yen, str], price: Price, sums: _Sums) -> _Rated:
        number_class, units, yen, _ = kind
        plain = _Rated(str(number_class), units, yen, sums.month.start, price.tax is TaxClass.TAXED, "")
        made = plain.with_credit(0)
        self._kinds[kind] = made
        return made


def add_rows(
    rows: Iterable[tuple[str, ...]], add: Callable[[tuple[str, ...]], None], reject: Callable[[str, str], None]
) -> None:
    """Feed every row to `add`; `reject(first column, problem)` for those it refuses."""
    for row in rows:
        try:
            add(row)
        except RowFault as fault:
            reject(row[0], str(fault))
