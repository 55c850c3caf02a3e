"""Fees month by month or by the year: plans and options, from their first month to their last (L4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.in_force import NoRuleError, option_on, plan_on
from denwa.contracts.profiles.schema import Option, Profile, Recurring

_YEAR = 12


class Use(NamedTuple):
    """From the day it began to the day on which its end was asked for; `ended` None: it goes on."""

    begun: date
    ended: date | None = None


class MonthCharge(NamedTuple):
    """What is charged for one calendar month, and why."""

    month: CalendarMonth
    yen: int
    why: str


class YearCharge(NamedTuple):
    """What is paid ahead in `first` for the twelve months through `last`."""

    first: CalendarMonth
    last: CalendarMonth
    yen: int


@dataclass(frozen=True, slots=True)
class OptionBill:
    """`charges` by month; `ends`: the last day of each use, None when it goes on."""

    charges: list[MonthCharge]
    ends: list[date | None]

    @property
    def total_yen(self) -> int:
        return sum(charge.yen for charge in self.charges)


def plan_charges(
    profile: Profile, plan: str, use: Use, through: CalendarMonth, monthly_yen: int | None = None
) -> list[MonthCharge]:
    """The monthly fees of a plan up to the month `through`; `ended` of the use is the contract's last day.

    `monthly_yen` where the document does not give the fee. NoRuleError for an unknown plan or a missing fee.
    """
    return _month_by_month(partial(plan_on, profile, plan), use, _capped(profile, through), monthly_yen)


def year_charges(profile: Profile, item: str, use: Use, through: CalendarMonth) -> list[YearCharge]:
    """The yearly fees of a plan or option, paid ahead from the month after the beginning, up to the month `through`.

    What was paid is not given back when the contract ends within the year (h555 第24条 1).
    """
    find = plan_on if any(plan.id == item for plan in profile.plan) else option_on
    first = CalendarMonth.of(use.begun).plus(1)
    charges = []
    for month in first.through(_last_month(use, _capped(profile, through))):
        if month.since(first) % _YEAR == 0:
            fee = find(profile, item, month.first_day)
            if fee.yearly_yen is None:
                raise NoRuleError(f"{fee.name}に年間契約はありません (no yearly contract)")
            charges.append(YearCharge(month, month.plus(_YEAR - 1), fee.yearly_yen))
    return charges


def option_charges(
    profile: Profile, option: str, uses: Sequence[Use], through: CalendarMonth, units: int = 1
) -> OptionBill:
    """The fees of an option over every time that it was subscribed to, in order, up to the month `through`.

    NoRuleError for an unknown option, for more units than there can be, and when it is subscribed to while it goes on.
    """
    find = partial(option_on, profile, option)
    through = _capped(profile, through)
    charges: list[MonthCharge] = []
    ends: list[date | None] = []
    before: Use | None = None
    for use in uses:
        rule = find(use.begun)
        if before and (before.ended is None or use.begun < before.ended):
            raise NoRuleError(f"{rule.name}は {use.begun} に契約中です (subscribed to already)")
        if not 1 <= units <= rule.most:
            raise NoRuleError(f"{rule.name}の数は 1 から {rule.most} までです (1 to {rule.most} units)")
        if before and rule.again_yen and CalendarMonth.of(use.begun) <= through:
            charges.append(MonthCharge(CalendarMonth.of(use.begun), rule.again_yen, "再申し込みの事務手数料"))
        for charge in _month_by_month(find, use, through, None):
            charges.append(charge._replace(yen=charge.yen * units))
        ends.append(_option_end(rule, use.ended))
        before = use
    charges.sort(key=lambda charge: charge.month)
    return OptionBill(charges, ends)


def benefit_from(profile: Profile, option: str, begun: date) -> date:
    """The first day on which something can be claimed: after the exclusion period (免責期間), if there is one."""
    rule = option_on(profile, option, begun)
    return max(begun, CalendarMonth.of(begun).plus(rule.exclusion_months).first_day)


def _month_by_month(
    find: Callable[[date], Recurring], use: Use, through: CalendarMonth, given_yen: int | None
) -> list[MonthCharge]:
    """The price is that of the month's first day (the beginning's, in the first month)."""
    if use.ended and use.ended < use.begun:
        raise NoRuleError(f"{use.ended} は開始日 {use.begun} より前です (ended before it began)")
    rule = find(use.begun)
    first = CalendarMonth.of(use.begun)
    charges = []
    for month in first.through(_last_month(use, through)):
        price = find(max(month.first_day, use.begun)).monthly_yen
        full = given_yen if price is None else price
        if full is None:
            raise NoRuleError(f"{rule.name}の月額は書類にありません (the monthly fee is needed)")
        charges.append(_month_charge(rule, use, month, full))
    return charges


def _month_charge(rule: Recurring, use: Use, month: CalendarMonth, full: int) -> MonthCharge:
    index = month.since(CalendarMonth.of(use.begun))
    ends = use.ended is not None and month == CalendarMonth.of(use.ended)
    if index < rule.free_months and not (ends and rule.ended_while_free == "charged"):
        return MonthCharge(month, 0, "開始月から無料の期間")
    if index == 0 and rule.prorated:
        days = month.days - use.begun.day + 1
        text = f"日割り {full}円 × {days}日 / {month.days}日 (円未満切り捨て)"
        return MonthCharge(month, full * days // month.days, text)
    return MonthCharge(month, full, "解約月、1か月分" if ends else "1か月分")


def _capped(profile: Profile, through: CalendarMonth) -> CalendarMonth:
    """Nothing is charged after the whole service has ended."""
    return min(through, CalendarMonth.of(profile.ends)) if profile.ends else through


def _last_month(use: Use, through: CalendarMonth) -> CalendarMonth:
    return min(through, CalendarMonth.of(use.ended)) if use.ended else through


def _option_end(rule: Option, asked: date | None) -> date | None:
    return asked if asked is None or rule.ends == "acceptance-day" else CalendarMonth.of(asked).last_day
