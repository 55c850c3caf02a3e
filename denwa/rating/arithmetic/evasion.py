"""T11: who evades payment owes what was evaded, and twice of it as 割増金 (約款 第26条)."""

from __future__ import annotations

from denwa.rating.arithmetic.computed import Computed, computed
from denwa.rating.money import Yen, whole_yen
from denwa.rating.tariff import TaxClass

TIMES = 2


def surcharge(evaded_yen: Yen) -> Computed:
    """The 割増金: twice the evaded amount (tax excluded, ≥ 0), taxed.

    The article adds 消費税相当額 to the whole of it, so also where calls abroad were evaded. ValueError for a negative
    amount.
    """
    if whole_yen(evaded_yen) < 0:
        raise ValueError(f"evaded amount of {evaded_yen} yen")
    yen = TIMES * evaded_yen
    return computed({TaxClass.TAXED: yen}, f"免れた額 {evaded_yen} 円 × {TIMES} → {yen} 円, 消費税を加算 (第26条)")


def evaded_charge(taxed_yen: Yen, exempt_yen: Yen) -> Computed:
    """What was evaded itself (免れた額), where no call in the ledger charges it. ValueError for negative amounts."""
    if whole_yen(taxed_yen) < 0 or whole_yen(exempt_yen) < 0:
        raise ValueError(f"evaded amounts of {taxed_yen} and {exempt_yen} yen")
    amounts = {TaxClass.TAXED: taxed_yen, TaxClass.EXEMPT: exempt_yen}
    return computed(amounts, f"免れた額: 課税 {taxed_yen} 円, 免税 {exempt_yen} 円 (第26条)")
