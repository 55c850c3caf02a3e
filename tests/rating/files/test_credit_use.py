"""T4 for many contracts at once is T4 for each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.credit import CreditUse as OneUse
from denwa.rating.credit import share_credit
from denwa.rating.files.credit_use import CreditUse

GRANTED = st.lists(st.sampled_from([0, 1, 100, 100, 300, 2**40]), min_size=1, max_size=12)
USES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 9) | st.integers(0, 2**47), st.sampled_from([0, 8, 24, 96, 2**33])),
    max_size=60,
)


@given(GRANTED, USES, st.integers(1, 20), st.sampled_from([0, 3, 100]))
def test_each_contract_gets_what_a_credit_order_gives_it(
    granted: list[int], uses: list[tuple[int, int, int]], at_once: int, waiting: int
) -> None:  # T4
    calls = [(contract % len(granted), ended, yen) for contract, ended, yen in uses]
    credit = CreditUse(np.array(granted, np.int64), waiting)
    for start in range(0, len(calls), at_once):
        part = np.array(calls[start : start + at_once], np.int64)
        credit.offer(part[:, 0], part[:, 1], np.arange(start, start + len(part)), part[:, 2])
    expected: dict[int, int] = {}
    for contract, limit in enumerate(granted):
        mine = [
            OneUse(ended, f"{place:03}", place, yen)
            for place, (other, ended, yen) in enumerate(calls)
            if other == contract
        ]
        expected |= share_credit(limit, mine)
    shares = credit.shares()
    assert dict(zip(shares.place.tolist(), shares.credit_yen.tolist(), strict=True)) == expected
    assert shares.place.tolist() == sorted(expected)
    assert [calls[place][0] for place in shares.place.tolist()] == shares.contract.tolist()
