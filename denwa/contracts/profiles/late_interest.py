"""Interest on what is paid late (h555 第27条, AND market 第42条, IP-Phone SMART 第27条): exact, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from denwa.contracts.profiles.in_force import NoRuleError, needed
from denwa.contracts.profiles.schema import LateInterest, Profile

_WHOLE = 10_000  # basis points in the whole
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Interest:
    """`days` that count; `yen` of interest, not taxed, the fraction of a yen cut off."""

    days: int
    yen: int
    working: tuple[str, ...]


def late_interest(profile: Profile, owed_yen: int, due: date, paid: date, debt: str = "service") -> Interest:
    """Interest on `owed_yen` that was due on `due` and is paid on `paid`. NoRuleError when there is no rule for `debt`.

    ValueError for a negative debt.
    """
    if owed_yen < 0:
        raise ValueError(f"a debt cannot be {owed_yen} yen")
    rules = [rule for rule in profile.late_interest if rule.debt == debt]
    if not rules:
        known = ", ".join(dict.fromkeys(rule.debt for rule in profile.late_interest)) or "none"
        raise NoRuleError(f"{profile.name}: 延滞利息 {debt!r} の定めがありません (there are: {known})")
    rule = needed(profile, rules, due, "延滞利息")
    after = (paid - due).days
    if after <= 0:
        return Interest(0, 0, (f"支払期日 {due} までに支払い → 延滞利息 0円",))
    if after <= rule.grace_days:
        text = f"支払期日の翌日から {rule.grace_days}日以内 ({paid}) に支払い → 延滞利息 0円 ({rule.article})"
        return Interest(0, 0, (text,))
    days = after if rule.through == "payment-day" else after - 1
    yen = owed_yen * rule.basis_points * days // (_WHOLE * rule.year_days)
    return Interest(days, yen, _working(rule, owed_yen, due, paid, days, yen))


def _working(rule: LateInterest, owed_yen: int, due: date, paid: date, days: int, yen: int) -> tuple[str, ...]:
    rate = f"{rule.basis_points / 100:g}%"
    to = paid if rule.through == "payment-day" else paid - _ONE_DAY
    span = f"{due + _ONE_DAY} から {to} まで {days}日" if days else f"{due + _ONE_DAY} に支払い: 0日"
    return (
        f"{span} ({rule.article})",
        f"{owed_yen}円 × 年{rate} × {days}日 / {rule.year_days}日 → {yen}円 (円未満切り捨て)",
    )
