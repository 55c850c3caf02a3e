"""Paying: fees of the ways to pay, the day of a debit, the month of a bill, and what follows when nobody pays (L4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.in_force import NoRuleError, fee_on, needed
from denwa.contracts.profiles.schema import Payment, Profile

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class PaymentFee:
    """`fee_yen` for a month's payments by one method, without tax; `debit_on`: the day of the debit, if any."""

    fee_yen: int
    debit_on: date | None
    working: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeeTotal:
    """Fees without tax (`yen`) and fees that are named with it (`tax_included_yen`)."""

    yen: int
    tax_included_yen: int
    working: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspension:
    """`day`: the first on which the service can be suspended."""

    day: date
    working: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surcharge:
    """For an evaded charge: `yen` without tax, `tax_yen` on it."""

    yen: int
    tax_yen: int
    working: tuple[str, ...]


def payment_methods(profile: Profile, day: date) -> list[str]:
    """The ways to pay that the terms allow on `day`, in their order."""
    begun = (rule for rule in profile.payment if (rule.valid_from or profile.valid_from) <= day)
    return list(dict.fromkeys(rule.method for rule in begun))


def payment_fee(profile: Profile, method: str, month: CalendarMonth, payments: int = 1) -> PaymentFee:
    """The fee for `payments` made in `month`. NoRuleError when one cannot pay in this way.

    The terms name a day of the debit and no rule for the days on which banks are closed; banks then debit on their next
    business day.
    """
    rule = _payment(profile, method, month.last_day)
    times = min(payments, 1) if rule.fee_per == "month" else payments
    fee = rule.fee_yen * times
    per = "月" if rule.fee_per == "month" else "回"
    working = [f"手数料 {rule.fee_yen}円/{per} × {times} = {fee}円 (税別、{rule.article})"]
    if rule.payer_bears_bank_fee:
        working.append("金融機関の振込手数料は契約者が負担")
    debit = date(month.year, month.month, rule.debit_day) if rule.debit_day else None
    if debit:
        working.append(f"引き落とし日 {debit}")
    return PaymentFee(fee, debit, tuple(working))


def fee_total(profile: Profile, counts: Mapping[str, int], day: date) -> FeeTotal:
    """What is charged for things done once on `day`: `counts` says how often each (h555 別表 1.3.3: 合計して算定)."""
    sums = {"excluded": 0, "included": 0}
    working = []
    for name, count in counts.items():
        fee = fee_on(profile, name, day)
        if count < 1:
            raise NoRuleError(f"{fee.name}: {count} 回はありません (at least once)")
        sums[fee.tax] += fee.yen * count
        tax = "税込" if fee.tax == "included" else "税別"
        working.append(f"{fee.name} {fee.yen}円/{fee.per} × {count} = {fee.yen * count}円 ({tax}、{fee.article})")
    return FeeTotal(sums["excluded"], sums["included"], tuple(working))


def billed_in(profile: Profile, item: str, used: CalendarMonth) -> CalendarMonth:
    """The month in which something used in `used` is billed. NoRuleError for an item without a rule."""
    rules = [rule for rule in profile.billing if rule.item == item]
    if not rules:
        known = ", ".join(dict.fromkeys(rule.item for rule in profile.billing)) or "none"
        raise NoRuleError(f"{profile.name}: {item!r} の請求月の定めがありません (there are: {known})")
    return used.plus(needed(profile, rules, used.last_day, "請求月").months_after)


def suspension_after(profile: Profile, demanded: date) -> Suspension:
    """When an unpaid debt can suspend the service, after a demand on `demanded` (a day that does not count)."""
    rule = needed(profile, profile.dunning, demanded, "催告の期間")
    end = demanded + timedelta(days=rule.notice_days)
    text = f"{demanded} に催告、{rule.notice_days}日の期間は {end} まで ({rule.article})"
    return Suspension(end + timedelta(days=1), (text,))


def evasion_surcharge(profile: Profile, evaded_yen: int, tax_percent: int, day: date) -> Surcharge:
    """The surcharge on a charge of `evaded_yen` (without tax) that was evaded; the charge itself is owed besides."""
    if evaded_yen < 0 or tax_percent < 0:
        raise ValueError("charge and tax rate cannot be negative")
    rule = needed(profile, profile.evasion, day, "割増金")
    yen = evaded_yen * rule.times
    tax = yen * tax_percent // _PERCENT
    text = f"{evaded_yen}円 × {rule.times} = {yen}円、消費税 {tax_percent}% {tax}円 (円未満切り捨て、{rule.article})"
    return Surcharge(yen, tax, (text,))


def _payment(profile: Profile, method: str, day: date) -> Payment:
    rules = [rule for rule in profile.payment if rule.method == method]
    if not rules:
        known = ", ".join(payment_methods(profile, day)) or "none"
        raise NoRuleError(f"{profile.name}: 支払方法 {method!r} はありません (there are: {known})")
    return needed(profile, rules, day, f"支払方法 {method} ")
