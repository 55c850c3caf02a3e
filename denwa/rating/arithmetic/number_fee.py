"""T7: the fee for giving one payment card a further number (料金表 第1表 第4; 第9条 2 (1))."""

from __future__ import annotations

from typing import NamedTuple

from denwa.rating.arithmetic.computed import ArithmeticRefusal, Computed, computed
from denwa.rating.money import Yen
from denwa.rating.tariff import TaxClass


class NumberFeeTerms(NamedTuple):
    """What a carrier asks for further numbers on one card. Defaults: the 約款's."""

    yen: Yen = 500
    free_numbers: int = 1
    most_numbers: int = 5


def number_fee(on_card: int, terms: NumberFeeTerms = NumberFeeTerms()) -> Computed:  # noqa: B008 (immutable)
    """The fee, taxed, of one more number on a card that had `on_card` (≥ 0) before, cancelled ones counted.

    Raises ArithmeticRefusal when the card has as many as it may, ValueError for a negative count.
    """
    if on_card < 0:
        raise ValueError(f"{on_card} numbers on a card")
    nth = on_card + 1
    if nth > terms.most_numbers:
        raise ArithmeticRefusal(
            f"この支払カードの番号は解約済みを含めて {on_card} 個で、{nth} 個目は付与できません (第9条 2 (1)); "
            f"the card has had {on_card} numbers, cancelled ones counted: no more than {terms.most_numbers} are given"
        )
    yen = terms.yen if nth > terms.free_numbers else 0
    step = f"同一の支払カードで {nth} 個目の番号 (解約を含む) → {yen} 円 (料金表 第1表 第4)"
    return computed({TaxClass.TAXED: yen}, step)
