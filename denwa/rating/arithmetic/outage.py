"""T10: what is credited when the service could not be used at all for 24 hours or more (約款 第29条)."""

from __future__ import annotations

from denwa.rating.arithmetic.computed import Computed, computed
from denwa.rating.arithmetic.usage import MONTHS, Known, Usage
from denwa.rating.billing_month import tokyo_day
from denwa.rating.tariff import TaxClass

DAY_MS = 86_400_000


def outage_days(known_ms: int, restored_ms: int) -> int:
    """Whole multiples of 24 hours between the moment the carrier knew and the restoration (ms UTC)."""
    return max(0, restored_ms - known_ms) // DAY_MS


def outage_credit(known_ms: int, restored_ms: int, known: Known) -> Computed:
    """The credit (negative, out of scope of consumption tax: it is 損害賠償) for an outage; nothing under 24 hours.

    `known` is the usage before the day on which the outage began, which may be earlier than the moment the carrier knew
    of it. The average per day is that of the 6 billing months before together; if they are not all known, that of the
    days before that are known (第29条 2 注), and a contract without any gets nothing.
    """
    days = outage_days(known_ms, restored_ms)
    hours, rest = divmod(max(0, restored_ms - known_ms), 3_600_000)
    since = f"{tokyo_day(known_ms)} から {hours} 時間 {rest // 60_000} 分 → 24時間 × {days}"
    if not days:
        return computed({}, f"{since}: 24時間に満たないため賠償なし (第29条 1)")
    usage, basis = (_together(known.months), f"前{MONTHS}料金月") if known.six else (known.before, "実績のある期間")
    if usage is None:
        return computed({}, since, "前の実績なし → 0 円 (第29条 2)")
    yen, _ = usage.over(days)
    step = f"{basis} {usage.text()} × {days} 日 → {yen} 円 (第29条 2)"
    return computed({TaxClass.OUT_OF_SCOPE: -yen}, since, step)


def _together(months: tuple[Usage, ...]) -> Usage:
    """Consecutive months as one stretch of days."""
    return Usage(
        months[0].first,
        months[-1].last,
        sum(month.taxed_yen for month in months),
        sum(month.exempt_yen for month in months),
    )
