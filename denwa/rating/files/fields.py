"""Fields of many rows at once: eight characters are one machine word, and digits are read by arithmetic on words.

What these functions do not take, they say so for (`ok` is false); such a row is then read one by one.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

WORD = 8  # characters in a word, the first in the lowest byte
_ZEROS = int.from_bytes(b"0" * WORD, "little")
_SIXES = 0x0606060606060606
_LOW = 0x0F0F0F0F0F0F0F0F
_HIGH = 0xF0F0F0F0F0F0F0F0
_DIGITS = 0x3333333333333333


class Fields(NamedTuple):
    """One column of many rows: where in `text` each field starts and ends. `words` has the word at every place.

    `text` goes on for at least two words before the first and after the last field.
    """

    text: bytearray
    words: Words
    starts: Ints
    ends: Ints

    @property
    def lengths(self) -> Ints:
        return self.ends - self.starts

    def word(self, offset: int) -> Words:
        """The word `offset` characters behind the start of each field."""
        return self.words[self.starts + offset]

    def last_word(self) -> Words:
        """The last eight characters of each field, and what is in front of it when it is shorter."""
        return self.words[self.ends - WORD]

    def at(self, rows: Ints) -> Fields:
        return Fields(self.text, self.words, self.starts[rows], self.ends[rows])


def words_of(text: bytearray) -> Words:
    """The word at every place of `text`; writes to `text` show."""
    return np.ndarray((len(text) - WORD + 1,), "<u8", text, 0, (1,))


def digits(words: Words) -> tuple[Ints, Flags]:
    """(number, ok) of words of eight digits."""
    ok: Flags = ((words & _HIGH) | (((words + _SIXES) & _HIGH) >> 4)) == _DIGITS
    value = ((words & _LOW) * 2561) >> 8
    value = ((value & 0x00FF00FF00FF00FF) * 6553601) >> 16
    value = ((value & 0x0000FFFF0000FFFF) * 42949672960001) >> 32
    return value.view(np.int64), ok


_KEPT = np.array([0] + [(1 << 64) - (1 << 8 * (WORD - n)) for n in range(1, WORD + 1)], np.uint64)  # the last n


def short_numbers(column: Fields) -> tuple[Ints, Flags]:
    """(number, ok) of fields of one to eight digits."""
    lengths = column.lengths
    fits = (lengths > 0) & (lengths <= WORD)
    kept: Words = _KEPT[np.where(fits, lengths, 0)]
    value, ok = digits((column.last_word() & kept) | (~kept & np.uint64(_ZEROS)))
    return value, ok & fits


def equal(column: Fields, text: str) -> Flags:
    """Which fields are `text`, of 8 to 16 characters."""
    wanted = text.encode("ascii")
    first, last = (int.from_bytes(part, "little") for part in (wanted[:WORD], wanted[-WORD:]))
    same: Flags = column.lengths == len(wanted)
    rows = np.flatnonzero(same)  # mostly all of them, or few
    some = column if len(rows) == len(same) else column.at(rows)
    same[rows] = (some.word(0) == first) & (some.last_word() == last)
    return same


def separated_digits(words: Words, separators: str) -> tuple[Ints, Flags]:
    """(number, ok) of words like `:00.000+`: digits where `separators` has blanks, read as 0 where it has a sign.

    `separators` is eight characters; `?` stands for one that is not looked at.
    """
    looked_at = wanted = places = 0
    for place, sign in enumerate(separators):
        if sign != " ":
            places |= 0xFF << 8 * place
        if sign not in " ?":
            looked_at |= 0xFF << 8 * place
            wanted |= ord(sign) << 8 * place
    value, ok = digits((words & ~np.uint64(places)) | np.uint64(_ZEROS & places))
    return value, ok & ((words & looked_at) == wanted)
