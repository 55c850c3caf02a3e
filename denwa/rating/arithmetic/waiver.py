"""T12: charges waived in a disaster, wholly or in part (料金表 通則 8 料金等の臨時減免)."""

from __future__ import annotations

from collections.abc import Iterable

from denwa.rating.arithmetic.computed import Computed, computed
from denwa.rating.arithmetic.usage import UsedCall
from denwa.rating.money import cut_fraction
from denwa.rating.tariff import TaxClass


def calls_in(first_ms: int, end_ms: int, calls: Iterable[UsedCall]) -> list[UsedCall]:
    """The calls answered in the half-open interval: a call belongs to the moment it was answered, as in T5."""
    return [call for call in calls if first_ms <= call.answered_ms < end_ms]


def waiver(calls: Iterable[UsedCall], percent: int = 100) -> Computed:
    """What is taken back of the `calls`: `percent` (1–100) of what is payable for each tax class.

    What remains to be paid is cut to whole yen (通則 5). Credit that the calls used stays used. ValueError for another
    percentage.
    """
    if not 1 <= percent <= 100:
        raise ValueError(f"{percent} % cannot be waived")
    waived = list(calls)
    payable = {tax: sum(call.payable_yen for call in waived if call.tax is tax) for tax in TaxClass}
    amounts = {tax: cut_fraction(yen * (100 - percent), 100) - yen for tax, yen in payable.items()}
    whole = sum(payable.values())
    step = f"対象の通話 {len(waived)} 件 {whole} 円 の {percent}% を減免 → {sum(amounts.values())} 円 (料金表 通則 8)"
    return computed(amounts, step)
