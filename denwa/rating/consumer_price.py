"""Prices as consumers must see them: tax included (消費税法 第63条; K3)."""

from __future__ import annotations

from denwa.rating.money import Yen


def yen_with_tax(yen: Yen, percent: int) -> str:
    """`yen` (tax excluded) with tax of `percent`, exactly, without needless zeros: 8 at 10 % → `8.8`, 500 → `550`."""
    whole, hundredths = divmod(abs(yen) * (100 + percent), 100)
    sign = "-" if yen < 0 else ""
    return f"{sign}{whole}" + (f".{hundredths:02d}".rstrip("0") if hundredths else "")
