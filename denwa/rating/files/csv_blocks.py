"""Reads a CSV file of any size (RFC 4180, UTF-8, header line) in blocks of many rows, with the line of each row.

Most rows stay bytes: a block says where their fields are. A row that only a CSV reader can understand is read by
Python's. What is no row is told with its line, and the lines after it are read on their own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from denwa.rating.csv_rows import CsvFault
from denwa.rating.files.csv_lines import EMPTY, ODD, WRONG_WIDTH, Lines
from denwa.rating.files.fields import Fields, Ints, words_of

_CHUNK = 1 << 20
_LONGEST = 4 << 20  # bytes of one row; a longer one is reported, and not kept in memory
_BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Some rows of the file. Lines are counted from 1."""

    lines: Ints  # of the rows in `columns`
    columns: tuple[Fields, ...]  # the wanted ones
    single: list[tuple[int, tuple[str, ...]]]  # (line, wanted fields) of rows that a CSV reader read
    broken: list[tuple[int, str]]  # (line, problem) of what is no row
    size: int  # bytes of the file that were read for this block

    def row(self, index: int) -> tuple[str, ...]:
        """The wanted fields of a row of `columns`."""
        return tuple(column.text[column.starts[index] : column.ends[index]].decode() for column in self.columns)


class CsvBlocks:
    """Iterating reads the file. Raises CsvFault when the header lacks one of `columns`, and OSError."""

    def __init__(self, file: Path, columns: Sequence[str], chunk: int = _CHUNK) -> None:
        self._file = file
        self._columns = columns
        self._chunk = chunk

    def __iter__(self) -> Iterator[Block]:
        header, size, line = self._header()
        picked = [header.index(column) for column in self._columns]
        with self._file.open("rb", buffering=0) as stream:
            stream.seek(size)
            rest = b""
            while True:
                chunk = stream.read(self._chunk)
                data = rest + chunk
                if not chunk and not data:
                    return
                whole, rest = _cut(data, at_end=not chunk)
                size += len(chunk)
                if not whole:
                    continue
                lines = Lines(whole, len(header))
                done, single, broken = _read_odd(lines, len(header), at_end=not chunk or len(data) > _LONGEST)
                rest = whole[lines.start_of(done) :] + rest
                rows, starts, ends = lines.plain(done)
                words = words_of(lines.text)
                yield Block(
                    rows + line,
                    tuple(Fields(lines.text, words, starts[column], ends[column]) for column in picked),
                    [(line + index, tuple(row[column] for column in picked)) for index, row in single],
                    [(line + index, problem) for index, problem in broken],
                    size,
                )
                line += done
                size = 0

    def _header(self) -> tuple[list[str], int, int]:
        """(names, length in bytes, line after it)."""
        with self._file.open("rb") as stream:
            size = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
            stream.seek(size)
            taken = _Taken(stream)
            header: list[str] = []
            with suppress(StopIteration, csv.Error):
                header = [name.strip() for name in next(csv.reader(taken))]
        missing = [column for column in self._columns if column not in header]
        if missing:
            raise CsvFault(f"{self._file}:1: the header has no column {', '.join(missing)}")
        return header, size + taken.size, 1 + taken.lines


class _Taken:
    """Lines of a file for a CSV reader, counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = self.lines = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._stream.readline(_LONGEST):
            if b"\r" in line[:-1]:
                ended = line.splitlines(keepends=True)[0]
                self._stream.seek(len(ended) - len(line), 1)
                line = ended
            self.size += len(line)
            self.lines += 1
            yield line.decode("utf-8", "surrogateescape")


class _Feed:
    """Lines for a CSV reader, from any line on."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.next = 0
        self.starved = False  # the reader wanted more than there is: a field goes on behind the last line

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.next >= len(self._lines):
            self.starved = True
            raise StopIteration
        self.next += 1
        return self._lines.line(self.next - 1)


def _cut(data: bytes, at_end: bool) -> tuple[bytes, bytes]:
    """(whole lines, the begin of one more)."""
    if at_end:
        return (data if data.endswith((b"\n", b"\r")) else data + b"\n"), b""
    end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
    if not end and len(data) > _LONGEST:
        return b"", data[: _LONGEST // 2]
    return data[:end], data[end:]


def _read_odd(lines: Lines, width: int, at_end: bool) -> tuple[int, list[tuple[int, list[str]]], list[tuple[int, str]]]:
    """(lines done, rows that begin on odd lines, what is no row). `at_end`: nothing can follow the last line."""
    single: list[tuple[int, list[str]]] = []
    broken: list[tuple[int, str]] = []
    feed = _Feed(lines)
    reader = csv.reader(feed)
    after = 0
    done = len(lines)
    for line in np.flatnonzero(lines.kinds == ODD).tolist():
        if line < after:
            continue
        feed.next, feed.starved = line, False
        try:
            row, after = next(reader), feed.next
            problem = "" if len(row) == width else _columns(width, len(row))
        except csv.Error as fault:
            problem = f"not CSV: {fault}"
        if feed.starved:
            if not at_end:
                done = line
                break
            problem = "not CSV: a quoted field does not end"
        if problem:
            broken.append((line, problem))
            after = line + 1
        else:
            single.append((line, row))
            lines.kinds[line:after] = EMPTY
    for line in np.flatnonzero(lines.kinds[:done] == WRONG_WIDTH).tolist():
        broken.append((line, _columns(width, int(lines.commas[line]) + 1)))
    return done, single, broken


def _columns(expected: int, found: int) -> str:
    return f"{expected} columns expected, found {found}"
