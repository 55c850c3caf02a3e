"""The order of gateways (RFC 2782)."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.gateways.selection import in_order


class Entry(NamedTuple):
    name: int
    priority: int
    weight: int


_ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), max_size=8).map(
    lambda pairs: [Entry(i, *pair) for i, pair in enumerate(pairs)]
)


@given(_ENTRIES, st.integers())
def test_every_entry_is_tried_once_and_priorities_never_mix(entries: list[Entry], seed: int) -> None:
    chance = random.Random(seed)
    ordered = in_order(entries, lambda most: chance.randint(0, most))
    assert sorted(ordered) == sorted(entries)
    assert [entry.priority for entry in ordered] == sorted(entry.priority for entry in entries)


def test_without_weights_the_order_given_stays() -> None:
    entries = [Entry(name, 1, 0) for name in (3, 1, 2)]
    assert in_order(entries, lambda most: most) == entries


def test_weights_share_the_first_place_in_their_proportion() -> None:
    chance = random.Random(4)
    entries = [Entry(1, 0, 60), Entry(2, 0, 30), Entry(3, 0, 10)]
    first = Counter(in_order(entries, lambda most: chance.randint(0, most))[0].name for _ in range(5000))
    assert 0.55 < first[1] / 5000 < 0.65
    assert 0.25 < first[2] / 5000 < 0.35
    assert 0.07 < first[3] / 5000 < 0.13


def test_an_entry_of_weight_0_is_seldom_the_first_one() -> None:
    chance = random.Random(4)
    entries = [Entry(1, 0, 50), Entry(2, 0, 0)]
    first = Counter(in_order(entries, lambda most: chance.randint(0, most))[0].name for _ in range(2000))
    assert 0 < first[2] < 100
