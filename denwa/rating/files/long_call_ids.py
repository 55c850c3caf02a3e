"""Calls whose call ids are too long for records of one width: few, and sorted one by one."""

from __future__ import annotations

import heapq
import marshal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from denwa.rating.files.call_rows import RatedCall

_LONG_BYTES = 4 << 20  # of call ids in memory


class LongCallIds:
    """`add` calls in any order, then iterate over them in the order of `RatedCall`, as often as wanted."""

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
    with suppress(EOFError):
        while True:
            yield marshal.load(file)
