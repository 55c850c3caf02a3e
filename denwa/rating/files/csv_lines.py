"""Lines of a piece of a CSV file, and the fields of those that need no CSV reader: found in all lines at once."""

from __future__ import annotations

import csv
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from denwa.rating.files.fields import WORD, Flags, Ints

MARGIN = 20 * WORD  # characters that belong to no line, before the first and after the last: room to look ahead
_LF, _CR, _QUOTE, _COMMA = b'\n\r",'
_PLAIN, ODD, WRONG_WIDTH, EMPTY = range(4)
Kinds: TypeAlias = npt.NDArray[np.uint8]


class Lines:
    """`data`, cut into lines (LF, CR LF, or CR alone).

    Each line is of one kind: plain (its fields are found), ODD (only a CSV reader can tell), WRONG_WIDTH or EMPTY.
    """

    def __init__(self, data: bytes, width: int) -> None:
        """`width`: columns of the file; `data` ends with a line end."""
        self.text = bytearray(MARGIN) + data + bytearray(MARGIN)
        self._letters = letters = np.frombuffer(self.text, np.uint8)
        self._width = width
        ends = np.flatnonzero(letters == _LF)
        returns = np.count_nonzero(letters == _CR)
        if returns and returns != np.count_nonzero(letters[ends - 1] == _CR):
            ends = np.flatnonzero((letters[:-1] == _LF) | ((letters[:-1] == _CR) & (letters[1:] != _LF)))
        self._breaks: Ints = ends + 1
        self._starts: Ints = np.concatenate(([MARGIN], self._breaks))[:-1]
        self._ends: Ints = ends - ((letters[ends - 1] == _CR) & (letters[ends] == _LF) & (ends > self._starts))
        self.kinds = np.full(len(ends), _PLAIN, np.uint8)
        self.commas: Ints = ends  # in each line
        self._set_kinds(data)
        self._find_fields()
        if b'"' in data:
            self._unquote()

    def __len__(self) -> int:
        return len(self.kinds)

    def start_of(self, line: int) -> int:
        """Where a line starts in `data`; for the number of lines, where the last one ends."""
        return int(self._breaks[line - 1]) - MARGIN if line else 0

    def line(self, index: int) -> str:
        """One line with its end; bytes that are no UTF-8 as lone surrogates."""
        return self.text[self._starts[index] : self._breaks[index]].decode("utf-8", "surrogateescape")

    def plain(self, before: int) -> tuple[Ints, Ints, Ints]:
        """(lines, starts, ends) of the plain lines before a line, the latter two with one row for each column."""
        wanted = self.kinds[self._rows] == _PLAIN
        wanted &= self._rows < before
        if wanted.all():
            return self._rows, self._field_starts, self._field_ends
        return self._rows[wanted], self._field_starts[:, wanted], self._field_ends[:, wanted]

    def _set_kinds(self, data: bytes) -> None:
        lengths = self._ends - self._starts
        self._places = np.flatnonzero(self._letters == _COMMA)
        self.commas = np.diff(np.searchsorted(self._places, self._breaks), prepend=0)
        self.kinds[self.commas != self._width - 1] = WRONG_WIDTH
        self.kinds[lengths == 0] = EMPTY
        self.kinds[lengths > csv.field_size_limit()] = ODD
        if not data.isascii() or b"\0" in data:
            strange = (self._letters == 0) | (self._letters > 127)
            strange[:MARGIN] = strange[-MARGIN:] = False
            self.kinds[self._lines_of(strange)] = ODD

    def _find_fields(self) -> None:
        rows = np.flatnonzero(self.kinds == _PLAIN)
        if len(rows) * (self._width - 1) == len(self._places):
            inner = self._places
        else:
            inner = self._places[np.repeat(self.kinds == _PLAIN, self.commas)]
        commas = inner.reshape(len(rows), self._width - 1).T
        self._rows: Ints = rows
        self._field_starts: Ints = np.vstack((self._starts[rows], commas + 1))
        self._field_ends: Ints = np.vstack((commas, self._ends[rows]))

    def _unquote(self) -> None:
        """Take off quotes around whole fields. Lines with any other quote are odd."""
        quotes = np.bincount(self._lines_of(self._letters == _QUOTE), minlength=len(self))
        starts, ends = self._field_starts, self._field_ends
        around = (self._letters[starts] == _QUOTE) & (self._letters[ends - 1] == _QUOTE) & (ends - starts >= 2)
        regular = around.sum(axis=0) * 2 == quotes[self._rows]
        self.kinds[quotes > 0] = ODD
        self._rows = self._rows[regular]
        self.kinds[self._rows] = _PLAIN
        self._field_starts = (starts + around)[:, regular]
        self._field_ends = (ends - around)[:, regular]

    def _lines_of(self, letters: Flags) -> Ints:
        """The line of each letter that is flagged."""
        return np.searchsorted(self._breaks, np.flatnonzero(letters), "right")
