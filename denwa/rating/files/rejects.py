"""Rows that cannot be rated, told in the order of their lines however many there are."""

from __future__ import annotations

import heapq
import marshal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

REJECT_COLUMNS = ("line", "call_id", "problem")
_IN_MEMORY = 50_000


class Reject(NamedTuple):
    """`line` of the file from 1; what was no UTF-8 in `call_id` and `problem` is in it as lone surrogates."""

    line: int
    call_id: str
    problem: str


class Rejects:
    """`add` in any order; iterating gives them by line, as often as wanted."""

    def __init__(self, folder: Path, in_memory: int = _IN_MEMORY) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._waiting: list[Reject] = []
        self._runs: list[BinaryIO] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: int, call_id: str, problem: str) -> None:
        self._waiting.append(Reject(line, call_id, problem))
        self._count += 1
        if len(self._waiting) >= self._in_memory:
            run = TemporaryFile(dir=self._folder)  # noqa: SIM115
            for reject in sorted(self._waiting):
                marshal.dump(tuple(reject), run)
            run.flush()
            self._runs.append(run)
            self._waiting = []

    def __iter__(self) -> Iterator[Reject]:
        return heapq.merge(sorted(self._waiting), *map(_rejects_in, self._runs))


def _rejects_in(run: BinaryIO) -> Iterator[Reject]:
    run.seek(0)
    with suppress(EOFError):
        while True:
            yield Reject(*marshal.load(run))
