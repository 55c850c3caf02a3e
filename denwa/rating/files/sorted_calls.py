"""Sorts more rated calls than fit into memory: sorted runs in a file, which are then merged block by block.

What is kept in memory does not grow with the calls; the file, which nobody sees, is gone when the process is. It is
read twice: once to find the order, and, when that is known, once to the last.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from denwa.rating.files.call_order import joined, order_of, picked
from denwa.rating.files.call_rows import NO_RUN, RatedCall, Records, record_type, records_of
from denwa.rating.files.freed_space import give_back

RUN_ROWS = 192 << 10  # sorted at once; there is more room while calls are read than later
_MERGE_ROWS = 56 << 10  # of all runs, in memory while they are merged
_FAN_IN = NO_RUN  # runs merged at once, at most
_LEAST_BLOCK = 128
_LONG_ROWS = 32  # of them given out at once: a field of a CSV file has up to 128 KiB
_Key = tuple[bytes, int, int, int]


class _Run(NamedTuple):
    """Sorted records in the file."""

    offset: int
    rows: int
    width: int  # of the call id
    last: _Key


class SortedCalls:
    """`add` calls in any order, then iterate over all of them once, block by block, in the order of `RatedCall`; then
    `rewind`, and take them in that order with `next`."""

    def __init__(self, folder: Path, run_rows: int = RUN_ROWS, fan_in: int = _FAN_IN) -> None:
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._end = 0
        self._run_rows = run_rows
        self._fan_in = fan_in
        self._runs: list[_Run] = []
        self._waiting: list[Records] = []
        self._waiting_rows = 0
        self._left: list[_Source] = []

    def add(self, records: Records) -> None:
        """Records of any width."""
        self._waiting.append(records)
        self._waiting_rows += len(records)
        if self._waiting_rows >= self._run_rows:
            self._spill()

    def __iter__(self) -> Iterator[Records]:
        self._spill()
        while len(self._runs) > self._fan_in:
            merged = self._merged(self._sources(self._runs[: self._fan_in], last=True))
            del self._runs[: self._fan_in]
            self._write(next(merged), goes_on=False)
            for block in merged:
                self._write(block, goes_on=True)
        yield from self._merged(self._sources(self._runs, last=False))

    def rewind(self) -> None:
        """To take all calls out once more, and for the last time, with `next`."""
        self._left = self._sources(self._runs, last=True)

    def next(self, sources: npt.NDArray[np.uint8]) -> Records:
        """The next calls in the order of the first time; `sources`: the `source` that each of them had then."""
        counts = np.bincount(sources).tolist()
        whole = joined([run.next(count) for run, count in zip(self._left, counts, strict=False) if count])
        places = np.empty(len(sources), np.int64)
        places[np.argsort(sources, kind="stable")] = np.arange(len(sources))
        return picked(whole, places)

    def _spill(self) -> None:
        if self._waiting_rows:
            self._write(_in_order(self._waiting), goes_on=True)
        self._waiting_rows = 0

    def _write(self, block: Records, goes_on: bool) -> None:
        """Append sorted records: to the last run if they may and can go on where it ends, else as a new one."""
        run = _Run(self._end, len(block), block.dtype["call_id"].itemsize, _key(block[-1]))
        before = self._runs[-1] if self._runs and goes_on else None
        if before and before.width == run.width and before.last < _key(block[0]):
            self._runs[-1] = run._replace(offset=before.offset, rows=before.rows + run.rows)
        else:
            self._runs.append(run)
        left = memoryview(block.data).cast("B")
        while left:
            left = left[self._file.write(left) :]
        self._end += block.nbytes

    def _sources(self, runs: list[_Run], *, last: bool) -> list[_Source]:
        rows = max(_LEAST_BLOCK, min(self._run_rows // 2, _MERGE_ROWS) // max(1, len(runs)))
        return [_Source(self._file.fileno(), run, index, rows, last) for index, run in enumerate(runs)]

    def _merged(self, sources: list[_Source]) -> Iterator[Records]:
        """The records of all runs in order."""
        while sources:
            for source in sources:
                source.fill()
            # What is behind the end of any block may have to wait for the next block of that run.
            bound = min((source.last for source in sources if source.unread), default=None)
            yield _in_order([source.take(bound) for source in sources if bound is None or source.first <= bound])
            sources = [source for source in sources if len(source.block) or source.unread]


class _Source:
    """A run that is being read, for the last time or not, `rows` at once."""

    def __init__(self, file: int, run: _Run, index: int, rows: int, last: bool) -> None:
        self._file = file
        self._index = index
        self._rows = rows
        self._type = record_type(run.width)
        self._offset = run.offset
        self._given_back = run.offset if last else None
        self.unread = run.rows
        self.block: Records = np.empty(0, self._type)
        self.first: _Key
        self.last: _Key

    def fill(self) -> None:
        """Have as many records as are read at once, or all that are left."""
        wanted = min(self._rows - len(self.block), self.unread)
        if wanted > 0:
            self._read(wanted)
            self.last = _key(self.block[-1])
        self.first = _key(self.block[0])

    def _read(self, wanted: int) -> None:
        # In bytes: numpy joins structures field by field, and asks anew each time whether they fit.
        size, rest = self._type.itemsize, memoryview(self.block.data).cast("B") if len(self.block) else b""
        joint = bytearray(len(rest) + wanted * size)
        joint[: len(rest)] = rest
        os.preadv(self._file, [memoryview(joint)[len(rest) :]], self._offset)
        self._offset += wanted * size
        self.unread -= wanted
        self.block = np.frombuffer(joint, self._type)
        self.block["source"] = self._index
        if self._given_back is not None:
            self._given_back = give_back(self._file, self._given_back, self._offset)

    def next(self, count: int) -> Records:
        """Take out `count` records."""
        if len(self.block) < count:
            self._read(min(max(count, self._rows) - len(self.block), self.unread))
        taken, self.block = self.block[:count], self.block[count:]
        return taken

    def take(self, bound: _Key | None) -> Records:
        """Take out the records up to `bound` (all for None)."""
        count = len(self.block)
        if bound is not None and self.last > bound:
            call_ids = self.block["call_id"]
            first, end = (int(call_ids.searchsorted(bound[0], side)) for side in ("left", "right"))
            same = self.block[first:end]  # the same call id: one call, or a few
            count = first + bisect_right(range(len(same)), bound, key=lambda index: _key(same[index]))
        taken, self.block = self.block[:count], self.block[count:]
        return taken


def _in_order(parts: list[Records]) -> Records:
    """All records, sorted. Empties `parts`, to have them in memory twice at most."""
    whole = joined(parts)
    parts.clear()
    return picked(whole, order_of(whole))


def in_order(usual: Iterable[Records], long: Iterable[RatedCall]) -> Iterator[Records]:
    """Both kinds together."""
    waiting = iter(long)
    call = next(waiting, None)
    for block in usual:
        rest = block
        while call is not None and tuple(call[:4]) < _key(block[-1]):
            place = bisect_right(range(len(rest)), tuple(call[:4]), key=lambda index: _key(rest[index]))
            if place:
                yield rest[:place]
            rest = rest[place:]
            yield records_of([call])
            call = next(waiting, None)
        if len(rest):
            yield rest
    if call is not None:
        yield records_of([call])
    while calls := list(islice(waiting, _LONG_ROWS)):
        yield records_of(calls)


def _key(record: Any) -> _Key:
    call_id, leg, _, _, _, contract, _, line, *_ = record.item()
    return call_id, leg, contract, line
