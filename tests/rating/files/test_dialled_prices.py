"""Prices of many dialled numbers at once are those that each number has alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import Reading, load_plan
from denwa.rating.files.decoding import leading_digits
from denwa.rating.files.dialled_prices import ALONE, DialledPrices
from denwa.rating.tariff import INTERNATIONAL, Price, TaxClass
from tests.rating.files.test_fields import column
from tests.rating.shipped import BOOK

CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)
BEFORE, AFTER = date(2026, 6, 30), date(2026, 7, 1)  # 060 is known from then on
TAIWAN = Price(INTERNATIONAL, 30_000, 15, TaxClass.EXEMPT)
TAIPEI = Price(INTERNATIONAL, 60_000, 20, TaxClass.EXEMPT)
TOKYO_STATION = Price("fixed", 30_000, 9, TaxClass.TAXED)
ONE_NUMBER = Price("mobile", 30_000, 3, TaxClass.TAXED)
TARIFF = BOOK.on(AFTER)
RANGED = replace(
    TARIFF,
    ranges={
        INTERNATIONAL: {"+886": TAIWAN, "+8862": TAIPEI, "+18085551234": TAIPEI},
        "fixed": {"+8133212": TOKYO_STATION},
        "mobile": {"+819012345678": ONE_NUMBER},
    },
)
BEGINNINGS = sorted(PLAN.beginnings_on(AFTER)[1])
OTHERS = [
    "0505001",
    "01081",
    "0100",
    "0601",
    "00",
    "184",
    "",
    "010886",
    "0108862",
    "0332121",
    "0101808555",
    "09012345678",
]
DIALLED = st.builds(
    lambda beginning, rest, length: (beginning + rest)[:length],
    st.sampled_from(BEGINNINGS) | st.sampled_from(OTHERS),
    st.text("0123456789", min_size=16, max_size=16),
    st.integers(9, 17),
) | st.text("0123456789-", min_size=9, max_size=17)
E164 = st.builds(
    lambda beginning, rest, length: (beginning + rest)[:length],
    st.sampled_from([f"+81{beginning[1:]}" for beginning in BEGINNINGS if beginning[0] == "0"])
    | st.sampled_from([f"+{beginning[3:]}" for beginning in BEGINNINGS if beginning.startswith("010")])
    | st.sampled_from(["+81", "+810", "+8110", "+0", "+8", "+", "+81110", "+810312345678", "+81819012345678"]),
    st.text("0123456789", min_size=16, max_size=16),
    st.integers(9, 18),
)


def price_alone(dialled: str, on: date, ranged: bool) -> Price | None:
    reading = PLAN.read(dialled, on)
    if not isinstance(reading, Reading):
        return None
    return (RANGED if ranged else TARIFF).price(reading.number_class, reading.number.e164)


@settings(max_examples=300)
@given(st.lists(DIALLED | E164, min_size=1, max_size=50), st.sampled_from([BEFORE, AFTER]), st.booleans())
def test_the_price_of_many_numbers_is_that_of_each(texts: list[str], on: date, ranged: bool) -> None:  # N4, T2
    prices: list[Price] = []
    index: dict[Price, int] = {}

    def index_of(price: Price) -> int:
        if price not in index:
            index[price] = len(prices)
            prices.append(price)
        return index[price]

    dialled = DialledPrices(PLAN, RANGED if ranged else TARIFF, on, index_of)
    numbers, lengths, ok = leading_digits(column(texts))
    found = dialled.find(np.where(ok, numbers, 0), np.where(ok, lengths, 0))
    for text, fine, place in zip(texts, ok.tolist(), found.tolist(), strict=True):
        price = price_alone(text, on, ranged)
        usual = text.isdigit() and text[0] == "0" and 10 <= len(text) <= 16
        assert fine >= usual
        if fine and place != ALONE:
            assert prices[place] == price, text
        elif usual and not ranged:  # whatever has a price and no rule of its own is found without asking
            assert price is None or text.startswith("01081"), text
        if price is not None:
            assert prices[dialled.price(text)] == price


def test_a_number_with_a_price_of_its_own_is_told_from_its_neighbour() -> None:
    prices = [ONE_NUMBER, TARIFF.price("mobile")]
    dialled = DialledPrices(PLAN, RANGED, AFTER, prices.index)
    assert [dialled.price(text) for text in ("09012345678", "090-1234-5679", "+819012345678")] == [0, 1, 0]
    numbers, _, _ = leading_digits(column(["09012345678", "09012345680"]))
    assert dialled.find(numbers, np.array([11, 11])).tolist() == [ALONE, 1]


def test_e164_is_read_at_once_too() -> None:
    texts = ["+81312345678", "+819012345678", "+886223456789", "+18085551234", "+815050010001"]
    numbers, lengths, ok = leading_digits(column(texts))
    assert ok.all()
    assert numbers.tolist() == [312345678, 901234567, 108862234, 101808555, 505001000]
    assert lengths.tolist() == [10, 11, 15, 14, 11]
