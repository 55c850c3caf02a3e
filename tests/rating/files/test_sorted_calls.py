"""Calls come out in the order of the rated file, whatever order they went in and however little memory there is."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.rating.files.call_order import again, order_of
from denwa.rating.files.call_rows import NO_RUN, RatedCall, Records, records_of
from denwa.rating.files.freed_space import give_back
from denwa.rating.files.long_call_ids import LongCallIds
from denwa.rating.files.merged_order import MergedOrder
from denwa.rating.files.rejects import Reject, Rejects
from denwa.rating.files.sorted_calls import SortedCalls, in_order

CALL_IDS = st.sampled_from(["call-", "call-2026-", "", "x" * 30]).flatmap(
    lambda beginning: st.text("0123@é", min_size=1, max_size=12).map((beginning + "{}").format)
)
CALLS = st.lists(
    st.tuples(CALL_IDS.map(str.encode), st.integers(0, 1), st.integers(0, 3)),
    max_size=80,
).map(
    lambda keys: [RatedCall(*key, line, 7, line * 3, line + 1, 0, 0) for line, key in enumerate(keys, 2)]
)  # fmt: skip


def sorted_by(calls: list[RatedCall], folder: Path, run_rows: int, fan_in: int, long_from: int) -> list[RatedCall]:
    usual, long = SortedCalls(folder, run_rows, fan_in), LongCallIds(folder, 64)
    for start in range(0, len(calls), 7):
        part = calls[start : start + 7]
        usual.add(records_of([call for call in part if len(call.call_id) < long_from]))
        for call in part:
            if len(call.call_id) >= long_from:
                long.add(call)
    order = MergedOrder(folder)
    found = []
    for records in in_order(usual, long):
        order.note(records, records["line"] % 5 == 0)
        found += rows_of(records)
    usual.rewind()
    longer = iter(long)
    once_more = []
    for sources, dropped in order:
        rows = [next(longer) for _ in sources] if sources[0] == NO_RUN else rows_of(usual.next(sources))
        assert dropped.tolist() == [row.line % 5 == 0 for row in rows]
        once_more += rows
    assert once_more == found
    return found


def rows_of(records: Records) -> list[RatedCall]:
    return [RatedCall(*(row[name].item() for name in RatedCall._fields)) for row in records]


def test_calls_that_all_begin_like_another_are_sorted_by_what_follows() -> None:
    keys = [b"call-0", b"x" * 30 + b"00", b"call-0", b"x" * 30 + b"0"]
    records = records_of([RatedCall(key, 0, 0, line, 0, 0, 0, 0, 0) for line, key in enumerate(keys)])
    assert order_of(records).tolist() == [0, 2, 3, 1]


def test_space_that_was_given_back_is_free_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    size = 1 << 20
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        file.write(b"x" * size)
        assert give_back(file.fileno(), 0, 1000) == 0  # too little to ask for it
        assert give_back(file.fileno(), 0, size - 1) == size - 4096
        os.fsync(file.fileno())
        assert os.fstat(file.fileno()).st_blocks * 512 < size // 2
        file.seek(0)
        assert file.read() == b"\0" * (size - 4096) + b"x" * 4096


@settings(max_examples=150)
@given(CALLS, st.randoms(use_true_random=False), st.sampled_from([1, 8, 1000]), st.sampled_from([15, 1000]))
def test_calls_are_sorted_by_call_id_leg_subscriber_and_line(calls, random, run_rows, long_from) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(calls, len(calls))
    with TemporaryDirectory() as folder:
        assert sorted_by(shuffled, Path(folder), run_rows, 3, long_from) == sorted(calls)


def test_the_same_call_and_leg_of_a_subscriber_is_seen_again() -> None:
    keys = [(b"a", 0, 1), (b"a", 0, 1), (b"a", 0, 2), (b"a", 1, 2), (b"b", 1, 2), (b"b", 1, 2), (b"b", 1, 2)]
    records = records_of([RatedCall(*key, line, 0, 0, 0, 0, 0) for line, key in enumerate(keys)])
    assert again(records).tolist() == [False, True, False, False, False, True, True]
    assert order_of(records[::-1]).tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_memory_does_not_grow_with_the_calls(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        calls = SortedCalls(tmp_path, run_rows=500, fan_in=8)
        chance = np.random.default_rng(1)
        tracemalloc.start()
        for start in range(0, count, 250):
            names = chance.integers(0, 1 << 60, 250).tolist()
            calls.add(
                records_of([RatedCall(b"%016x" % name, 0, 0, start + n, 0, 0, 0, 0, 0) for n, name in enumerate(names)])
            )
        assert sum(map(len, calls)) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(20_000) < 2 * peak(5_000)


@given(st.lists(st.tuples(st.integers(1, 50), st.text("ab\udcff", max_size=3), st.text(max_size=5))))
def test_rejects_come_by_line_as_often_as_wanted(rows: list[tuple[int, str, str]]) -> None:
    with TemporaryDirectory() as folder:
        rejects = Rejects(Path(folder), in_memory=4)
        for row in rows:
            rejects.add(*row)
        expected = sorted(Reject(*row) for row in rows)
        assert (len(rejects), list(rejects), list(rejects)) == (len(rows), expected, expected)
