"""Credit for an outage (h555 第36条, AND market 第46条), and the sharing out of a limited compensation (第36条 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.in_force import needed
from denwa.contracts.profiles.schema import Profile

_DAY_HOURS = 24
_SEN = 100
_RAISED_FROM_SEN = 60


@dataclass(frozen=True, slots=True)
class OutageCredit:
    """`days`: whole days of 24 h that count; `yen`: the credit, at most what the subscriber lost."""

    days: int
    yen: int
    working: tuple[str, ...]


def outage_credit(profile: Profile, hours: int, monthly_yen: int, began: date) -> OutageCredit:
    """Credit for `hours` (whole, completed) in a row without any service, counted from when the provider knew.

    `monthly_yen`: the basic fee of the month of `began`. ValueError when either is negative; NoRuleError when the terms
    say nothing.
    """
    if hours < 0 or monthly_yen < 0:
        raise ValueError("hours and fee cannot be negative")
    rule = needed(profile, profile.outage, began, "利用不能のときの賠償")
    if hours < rule.least_hours:
        return OutageCredit(0, 0, (f"{hours}時間は {rule.least_hours}時間未満 → 0円 ({rule.article})",))
    days = hours // _DAY_HOURS
    share = 30 if rule.day_share == "thirtieth" else CalendarMonth.of(began).days
    yen, rounding = (
        (monthly_yen * days // share, "円未満切り捨て")
        if rule.fraction == "cut"
        else (_by_sixty_sen(monthly_yen * days, share), "60銭未満切り捨て、60銭以上切り上げ")
    )
    working = [
        f"{hours}時間 → {days}日 ({rule.article})",
        f"{monthly_yen}円 / {share} × {days}日 → {yen}円 ({rounding})",
    ]
    if rule.at_most_month and yen > monthly_yen:
        yen = monthly_yen
        working.append(f"月の利用料金 {monthly_yen}円 を上限とする")
    return OutageCredit(days, yen, tuple(working))


def shares(losses: Sequence[int], received_yen: int) -> list[int]:
    """What each loss (yen) is given out of a compensation that a third party paid, in proportion, fractions cut off.

    h555 第36条 5, AND market 第50条 2: all of every loss when it suffices, so the sum never exceeds `received_yen`.
    """
    total = sum(losses)
    if total <= received_yen:
        return list(losses)
    return [loss * received_yen // total for loss in losses]


def _by_sixty_sen(numerator: int, denominator: int) -> int:
    yen, rest = divmod(numerator, denominator)
    return yen + (rest * _SEN >= _RAISED_FROM_SEN * denominator)
