"""T9: the 利用料 of days that the service's own equipment failed to measure (料金表 第1表 第1 1-1 (4))."""

from __future__ import annotations

from datetime import date

from denwa.rating.arithmetic.computed import ArithmeticRefusal, Computed, computed
from denwa.rating.arithmetic.usage import Known, Usage
from denwa.rating.money import Yen
from denwa.rating.tariff import TaxClass

AFTER_DAYS = 7  # 故障等の回復後の7日間
_RULE = "料金表 第1表 第1 1-1 (4)"


def lost_metering(
    first: date, last: date, known: Known, after: Usage | None, measured: Usage | None = None
) -> Computed:
    """What is charged for the days from `first` to `last`, both included.

    * ア: all 6 billing months before are known: the lowest of their daily averages × the days.
    * イ (1): at least 2 of them are known: the lowest of theirs.
    * イ (2): fewer: the lower of the daily average of the known days before and of the 7 days `after` the recovery.

    `measured` is what the days were charged all the same: it is in the bill already, so only what the computed amount
    exceeds it by is charged. Raises ArithmeticRefusal when nothing is known, ValueError when `last` is before `first`.
    """
    if last < first:
        raise ValueError(f"the last day {last} is before the first {first}")
    days = (last - first).days + 1
    if len(known.months) >= 2:
        candidates, case = list(known.months), "ア" if known.six else "イ(1)"
    else:
        candidates, case = [usage for usage in (known.before, after) if usage is not None], "イ(2)"
    if not candidates:
        raise ArithmeticRefusal(
            f"nothing is known of the usage before {first}, or in the {AFTER_DAYS} days after {last}"
        )
    lowest = min(candidates, key=lambda usage: usage.daily)
    whole, shares = lowest.over(days)
    steps = [
        f"算定できなかった期間 {first}〜{last}: {days} 日",
        "1日平均 " + ", ".join(usage.text() for usage in candidates),
        f"最低 {lowest.yen} 円 ÷ {lowest.days} 日 × {days} 日 → {whole} 円 ({_RULE} {case})",
    ]
    if measured is not None and measured.yen:
        steps.append(f"測定済み {measured.yen} 円を差し引き → {max(0, whole - measured.yen)} 円")
        shares = _less(shares, measured)
    return computed(shares, *steps)


def _less(shares: dict[TaxClass, Yen], measured: Usage) -> dict[TaxClass, Yen]:
    """The shares without what is charged already, never below nothing in sum: taxed first, then exempt."""
    left = {
        TaxClass.TAXED: shares[TaxClass.TAXED] - measured.taxed_yen,
        TaxClass.EXEMPT: shares[TaxClass.EXEMPT] - measured.exempt_yen,
    }
    whole = max(0, sum(left.values()))
    taxed = min(max(0, left[TaxClass.TAXED]), whole)
    return {TaxClass.TAXED: taxed, TaxClass.EXEMPT: whole - taxed}
