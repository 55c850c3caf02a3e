"""Sorts more rated calls than fit into memory: sorted runs in a file, which are then merged block by block.

What is kept in memory does not grow with the calls; the file, which nobody sees, is gone when the process is.
"""

from __future__ import annotations

import heapq
import marshal
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from denwa.rating.files.call_order import joined, order_of, picked
from denwa.rating.files.call_rows import RatedCall, Records, record_type, records_of

RUN_ROWS = 96 << 10  # sorted at once; there is more room while calls are read than later
_MERGE_ROWS = 40 << 10  # of all runs, in memory while they are merged
_FAN_IN = 256  # runs merged at once
_LEAST_BLOCK = 128
_LONG_BYTES = 4 << 20  # of long call ids in memory
_LONG_ROWS = 32  # of them given out at once: a field of a CSV file has up to 128 KiB
_Key = tuple[bytes, int, int, int]


class _Run(NamedTuple):
    """Sorted records in the file."""

    offset: int
    rows: int
    width: int  # of the call id
    last: _Key


class SortedCalls:
    """`add` calls in any order, then iterate once over all of them, block by block, in the order of `RatedCall`."""

    def __init__(self, folder: Path, run_rows: int = RUN_ROWS, fan_in: int = _FAN_IN) -> None:
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._end = 0
        self._run_rows = run_rows
        self._fan_in = fan_in
        self._runs: list[_Run] = []
        self._waiting: list[Records] = []
        self._waiting_rows = 0

    def add(self, records: Records) -> None:
        """Records of any width."""
        self._waiting.append(records)
        self._waiting_rows += len(records)
        if self._waiting_rows >= self._run_rows:
            self._spill()

    def __iter__(self) -> Iterator[Records]:
        self._spill()
        while len(self._runs) > self._fan_in:
            merged = self._merged(self._runs[: self._fan_in])
            del self._runs[: self._fan_in]
            self._write(next(merged), goes_on=False)
            for block in merged:
                self._write(block, goes_on=True)
        yield from self._merged(self._runs)
        self._file.close()

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

    def _merged(self, runs: list[_Run]) -> Iterator[Records]:
        """The records of all runs in order."""
        rows = max(_LEAST_BLOCK, min(self._run_rows // 2, _MERGE_ROWS) // max(1, len(runs)))
        sources = [_Source(self._file.fileno(), run) for run in runs]
        while sources:
            for source in sources:
                source.fill(rows)
            # What is behind the end of any block may have to wait for the next block of that run.
            bound = min((source.last for source in sources if source.unread), default=None)
            yield _in_order([source.take(bound) for source in sources if bound is None or source.first <= bound])
            sources = [source for source in sources if len(source.block) or source.unread]


class _Source:
    """A run that is being read."""

    def __init__(self, file: int, run: _Run) -> None:
        self._file = file
        self._type = record_type(run.width)
        self._offset = run.offset
        self.unread = run.rows
        self.block: Records = np.empty(0, self._type)
        self.first: _Key
        self.last: _Key

    def fill(self, rows: int) -> None:
        """Have at least `rows` records, or all that are left."""
        wanted = min(rows - len(self.block), self.unread)
        if wanted > 0:
            # In bytes: numpy joins structures field by field, and asks anew each time whether they fit.
            size, rest = self._type.itemsize, memoryview(self.block.data).cast("B") if len(self.block) else b""
            joint = bytearray(len(rest) + wanted * size)
            joint[: len(rest)] = rest
            os.preadv(self._file, [memoryview(joint)[len(rest) :]], self._offset)
            self._offset += wanted * size
            self.unread -= wanted
            self.block = np.frombuffer(joint, self._type)
            self.last = _key(self.block[-1])
        self.first = _key(self.block[0])

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


class LongCallIds:
    """The same for the few calls whose call ids are too long for records of one width: one by one."""

    def __init__(self, folder: Path, in_memory: int = _LONG_BYTES) -> None:
        """`in_memory`: bytes of call ids."""
        self._folder = folder
        self._in_memory = in_memory
        self._waiting: list[tuple[Any, ...]] = []
        self._size = 0
        self._runs: list[BinaryIO] = []

    def add(self, call: RatedCall) -> None:
        self._waiting.append(tuple(call))
        self._size += len(call.call_id)
        if self._size > self._in_memory:
            self._runs.append(TemporaryFile(dir=self._folder))  # noqa: SIM115
            for row in sorted(self._waiting):
                marshal.dump(row, self._runs[-1])
            self._waiting, self._size = [], 0

    def __iter__(self) -> Iterator[RatedCall]:
        rows = heapq.merge(sorted(self._waiting), *map(_marshalled, self._runs))
        return map(RatedCall._make, rows)


def _marshalled(file: BinaryIO) -> Iterator[tuple[Any, ...]]:
    file.seek(0)
    with file, suppress(EOFError):
        while True:
            yield marshal.load(file)


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
