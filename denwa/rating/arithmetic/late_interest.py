"""T11: interest on a debt that is paid late (約款 第27条)."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from denwa.rating.money import Yen, cut_fraction, whole_yen

PER_MILLE = 145  # 年14.5%
GRACE_DAYS = 10  # 支払期日の翌日から起算して10日以内に支払いがあった場合は、この限りでありません
YEAR_DAYS = 365  # in leap years too: decision 0005


class LateInterest(NamedTuple):
    """Interest with its working. `days` is 0 when the payment was in time or within the days of grace."""

    principal_yen: Yen
    due: date
    paid: date
    days: int
    per_mille: int
    yen: Yen

    def text(self) -> str:
        """`12000 円 × 14.5% × 30 日 ÷ 365 日 → 143 円 (2026-11-01〜2026-11-30, 第27条)`."""
        if not self.days:
            return f"支払期日 {self.due}, 支払い {self.paid}: 延滞利息なし (第27条)"
        first, last = self.due.toordinal() + 1, self.paid.toordinal() - 1
        whole, tenth = divmod(self.per_mille, 10)
        return (
            f"{self.principal_yen} 円 × {whole}.{tenth}% × {self.days} 日 ÷ {YEAR_DAYS} 日 → {self.yen} 円 "
            f"({date.fromordinal(first)}〜{date.fromordinal(last)}, 第27条)"
        )


def late_interest(
    principal_yen: Yen, due: date, paid: date, *, per_mille: int = PER_MILLE, grace_days: int = GRACE_DAYS
) -> LateInterest:
    """Interest on `principal_yen` (tax included, itself without interest) that was due on `due` and paid on `paid`.

    From the day after the due day to the day before the payment, the fraction of a yen cut off (料金表 通則 5); none if
    paid by the `grace_days`-th day after the due day. Days are calendar days in Asia/Tokyo. Raises ValueError for a
    negative principal, rate or grace, TypeError for money that is no int.
    """
    if whole_yen(principal_yen) < 0 or per_mille < 0 or grace_days < 0:
        raise ValueError(f"interest on {principal_yen} yen at {per_mille} per mille after {grace_days} days")
    late = (paid - due).days
    days = 0 if late <= grace_days else late - 1
    yen = cut_fraction(principal_yen * per_mille * days, 1000 * YEAR_DAYS)
    return LateInterest(principal_yen, due, paid, max(0, days), per_mille, yen)
