"""Leaving: the last day that a notice of withdrawal brings, and what leaving before the end of a term costs (L4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.in_force import NoRuleError, in_force, needed, of_plan
from denwa.contracts.profiles.schema import Profile, Term, Withdrawal

_MONTHS = {"this-month": 0, "next-month": 1}
_NAMES = {"this-month": "当月末", "next-month": "翌月末"}


@dataclass(frozen=True, slots=True)
class LastDay:
    """The contract ends when `day` ends; the month of `day` is the last that is charged, whole."""

    day: date
    working: tuple[str, ...]

    @property
    def last_month(self) -> CalendarMonth:
        return CalendarMonth.of(self.day)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`charge_yen`: the charge for leaving before the term ends or outside the renewal month, without tax."""

    last_day: date
    charge_yen: int
    working: tuple[str, ...]


def last_day(profile: Profile, notice: date, plan: str = "") -> LastDay:
    """The last day of a contract whose notice of withdrawal was received, without a defect, on `notice`.

    NoRuleError when the terms do not say, and for a day before or after them.
    """
    rule = needed(profile, of_plan(profile, profile.withdrawal, plan), notice, "退会・解約の締め日")
    which = _which(rule, notice)
    day = CalendarMonth.of(notice).plus(_MONTHS[which]).last_day
    working = [f"受理日 {notice}: {_condition(rule, which, notice)}→ {_NAMES[which]} {day} に解約 ({rule.article})"]
    if profile.ends and day > profile.ends:
        day = profile.ends
        working.append(f"サービス終了日 {day} に解約 (終了の告知)")
    return LastDay(day, tuple(working))


def cancellation(
    profile: Profile,
    begun: date,
    notice: date,
    plan: str = "",
    *,
    months: int | None = None,
    charge_yen: int | None = None,
    monthly_yen: int | None = None,
) -> Cancellation:
    """What leaving costs for a contract that began on `begun`.

    `months` (of the term), `charge_yen` (for leaving outside the renewal month) and `monthly_yen` (basic fee): the
    figures of the contract where the provider's document leaves them to the plan; NoRuleError when one is missing.
    The month of the notice decides whether it is a renewal month, not the month of the last day.
    """
    if notice < begun:
        raise NoRuleError(f"受理日 {notice} が契約日 {begun} より前です (notice before the contract)")
    last = last_day(profile, notice, plan)
    term = in_force(profile, of_plan(profile, profile.term, plan), begun)
    if term is None:
        return Cancellation(last.day, 0, (*last.working, "最低利用期間の定めなし → 契約解除料 0円"))
    length = term.months or months
    if length is None:
        raise NoRuleError(f"{profile.name}: 契約期間の月数はプランによります (the months of the term are needed)")
    first = CalendarMonth.of(begun)
    final = first.plus(length - 1)
    span = f"最低利用期間 {length}か月: {first} から {final} まで ({term.article})"
    if term.charge == "remaining-months":
        yen, text = _for_remaining_months(profile, final, last, monthly_yen)
    else:
        yen, text = _outside_renewal_month(profile, term, length, first, notice, charge_yen)
    return Cancellation(last.day, yen, (*last.working, span, text))


def _for_remaining_months(
    profile: Profile, final: CalendarMonth, last: LastDay, monthly_yen: int | None
) -> tuple[int, str]:
    left = max(0, final.since(last.last_month))
    if not left:
        return 0, f"{last.day} の解約では残りの月なし → 契約解除料 0円"
    if monthly_yen is None:
        raise NoRuleError(f"{profile.name}: 月額基本料金は書類にありません (the monthly fee is needed)")
    return left * monthly_yen, f"残り {left}か月 × {monthly_yen}円 = 契約解除料 {left * monthly_yen}円"


def _outside_renewal_month(
    profile: Profile, term: Term, length: int, first: CalendarMonth, notice: date, charge_yen: int | None
) -> tuple[int, str]:
    elapsed = CalendarMonth.of(notice).since(first)
    free = elapsed and elapsed % length == 0 if term.renews == "same-term" else elapsed >= length
    if free:
        why = "更新月" if term.renews == "same-term" else "最低利用期間の経過後"
        return 0, f"申請月 {CalendarMonth.of(notice)} は{why} → 契約解除料 0円"
    if charge_yen is None:
        raise NoRuleError(f"{profile.name}: 契約解除料はプランによります (the cancellation charge is needed)")
    renewal = first.plus((elapsed // length + 1) * length)
    return charge_yen, f"申請月は更新月ではない (次の更新月 {renewal}) → 契約解除料 {charge_yen}円"


def _which(rule: Withdrawal, notice: date) -> str:
    late = rule.cut_off_day is not None and notice.day > rule.cut_off_day
    return rule.ends_after or rule.ends if late else rule.ends


def _condition(rule: Withdrawal, which: str, notice: date) -> str:
    if rule.cut_off_day is None:
        return ""
    late = notice.day > rule.cut_off_day
    return f"{rule.cut_off_day + 1}日以降 " if late else f"{rule.cut_off_day}日まで "
