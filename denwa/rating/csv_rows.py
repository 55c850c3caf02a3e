"""Reads and writes CSV files (RFC 4180, UTF-8, header line) row by row, with the line of each row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

LINE_END = "\r\n"


class CsvFault(Exception):
    """The file cannot be used at all; the text names file and line."""


class CsvRows:
    """Rows of a file by column name. Iterating gives the wanted columns; a row with a wrong shape goes to `reject`."""

    def __init__(self, file: Path, columns: Sequence[str], reject: Callable[[int, str], None]) -> None:
        """Opens nothing yet. `reject(line, problem)` is called for rows that have not the header's columns."""
        self._file = file
        self._columns = columns
        self._reject = reject
        self._reader: Any = None
        self._row: list[str] = []

    @property
    def line(self) -> int:
        """Line (from 1) on which the current row begins."""
        return int(self._reader.line_num) - sum(field.count("\n") for field in self._row)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        # Bytes that are no UTF-8 stay visible as lone surrogates, so that one bad row does not hide the others.
        with self._file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = self._reader = csv.reader(stream)
            header = self._header(reader)
            width = len(header)
            pick = itemgetter(*(header.index(column) for column in self._columns))
            while True:
                try:
                    for row in reader:
                        self._row = row
                        if len(row) == width:
                            yield pick(row)
                        elif row:
                            self._reject(self.line, f"{width} columns expected, found {len(row)}")
                    return
                except csv.Error as fault:
                    self._reject(reader.line_num, f"not CSV: {fault}")

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        header: list[str] = []
        with suppress(StopIteration, csv.Error):
            header = [name.strip() for name in next(reader)]
        missing = [column for column in self._columns if column not in header]
        if missing:
            raise CsvFault(f"{self._file}:1: the header has no column {', '.join(missing)}")
        return header


def quoted(field: str) -> str:
    """A field as RFC 4180 writes it: in quotes only when it must be."""
    if "," in field or '"' in field or "\n" in field or "\r" in field:
        return '"' + field.replace('"', '""') + '"'
    return field


def csv_line(fields: Sequence[object]) -> str:
    """One line, with its end."""
    return ",".join(quoted(str(field)) for field in fields) + LINE_END


def is_text(field: str) -> bool:
    """Whether the bytes that were read were UTF-8."""
    return field.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in field)
