"""A contract's 利用料 over a stretch of days, and its average per day (料金表 第1表 第1 1-1 (4); 第29条 2).

利用料 is what calls cost after the new subscriber's credit, tax excluded: within the credit it "does not apply"
(料金表 第1表 第1 1-1 (1) イ (イ)).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from denwa.rating.billing_month import BillingMonth, billing_month_of, tokyo_day
from denwa.rating.money import Yen, cut_fraction
from denwa.rating.tariff import TaxClass

MONTHS = 6  # 前6料金月
_DAY = timedelta(days=1)


class Usage(NamedTuple):
    """What was used from `first` to `last`, both included; amounts by tax class."""

    first: date
    last: date
    taxed_yen: Yen = 0
    exempt_yen: Yen = 0

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def yen(self) -> Yen:
        return self.taxed_yen + self.exempt_yen

    @property
    def daily(self) -> Fraction:
        """The average per day, exactly; only for comparing, money is cut to whole yen at the very end."""
        return Fraction(self.yen, self.days)

    def over(self, days: int) -> tuple[Yen, dict[TaxClass, Yen]]:
        """The daily average times `days`, the fraction cut off once (通則 5), and its share of each tax class.

        The shares sum to the whole: the yen that rounding could put on either side goes to the untaxed one.
        """
        whole = cut_fraction(self.yen * days, self.days)
        taxed = cut_fraction(self.taxed_yen * days, self.days)
        return whole, {TaxClass.TAXED: taxed, TaxClass.EXEMPT: whole - taxed}

    def text(self) -> str:
        """`2026-05-01〜2026-05-31 620 円 ÷ 31 日`."""
        return f"{self.first}〜{self.last} {self.yen} 円 ÷ {self.days} 日"


class UsedCall(NamedTuple):
    """A rated call with all its corrections."""

    record_id: int
    call_id: str
    answered_ms: int
    tax: TaxClass
    payable_yen: Yen  # after credit (T4), tax excluded

    @property
    def day(self) -> date:
        """The calendar day (Asia/Tokyo) on which it was answered."""
        return tokyo_day(self.answered_ms)


class Known(NamedTuple):
    """What can be known of a contract's usage before a day: 実績を把握することができる."""

    months: tuple[Usage, ...]  # whole billing months among the 6 before, oldest first
    before: Usage | None  # every day that is known, without a gap up to the day before

    @property
    def six(self) -> bool:
        """All 6 billing months before are known."""
        return len(self.months) == MONTHS


def months_before(day: date, bill_day: int, count: int = MONTHS) -> list[BillingMonth]:
    """The `count` billing months before the one that holds `day`, oldest first."""
    found: list[BillingMonth] = []
    month = billing_month_of(day, bill_day)
    for _ in range(count):
        month = billing_month_of(month.start - _DAY, bill_day)
        found.append(month)
    return found[::-1]


def usage_between(first: date, last: date, used: Iterable[UsedCall]) -> Usage:
    """What was used in the days from `first` to `last`."""
    mine = [call for call in used if first <= call.day <= last]
    taxed = sum(call.payable_yen for call in mine if call.tax is TaxClass.TAXED)
    return Usage(first, last, taxed, sum(call.payable_yen for call in mine) - taxed)


def known_before(
    day: date,
    bill_day: int,
    service_start: date,
    months: Mapping[date, Mapping[TaxClass, Yen]],
    used: Sequence[UsedCall],
    unknown: Collection[date] = (),
) -> Known:
    """What is known before `day` of a contract that started on `service_start`.

    `months`: first day of a billing month → its 利用料; `used`: the calls of the last 6 billing months and of the one
    that holds `day`. `unknown`: first days of billing months whose records are not to be relied on (an earlier fault).
    A month in which the contract began is not known as a whole; its days are.
    """
    before = months_before(day, bill_day)
    whole = tuple(
        Usage(month.start, month.end, amounts.get(TaxClass.TAXED, 0), amounts.get(TaxClass.EXEMPT, 0))
        for month in before
        if month.start >= service_start and month.start not in unknown
        for amounts in [months.get(month.start, {})]
    )
    gaps = [month.end + _DAY for month in before if month.start in unknown]
    first = max(service_start, before[0].start, *gaps)
    current = billing_month_of(day, bill_day)
    if current.start in unknown or first >= day:
        return Known(whole, None)
    return Known(whole, usage_between(first, day - _DAY, used))
