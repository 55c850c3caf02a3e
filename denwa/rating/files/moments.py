"""Times of many rows at once, in the spellings that files have; every other is for `parse_moment` alone.

The days are read by `parse_moment`, once for each day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from denwa.rating.billing_month import EARLIEST_MS, LATEST_MS
from denwa.rating.files.fields import Fields, Flags, Ints, Words, separated_digits
from denwa.rating.moment import MomentError, parse_moment

_FIRST_YEAR, _YEARS = 1970, 130
_UNKNOWN, _WRONG = -1, -2
_DAY_MS = 86_400_000


class _Spelling(NamedTuple):
    """Where in a time of one length a word with the seconds stands, and one that is only checked."""

    seconds_at: int
    seconds: str
    second_unit: int  # what a second counts in the word's number
    millis: bool = False  # milliseconds are the 5th to 7th digit of the word
    zone: bool = True  # it ends with one, else with Z
    check_at: int = 0
    check: str = ""


# By length. A time begins with `2026-11-21T10:00`; `?` is what is looked at elsewhere.
_SPELLINGS = {
    20: _Spelling(12, " :  :  Z", 10, zone=False),
    24: _Spelling(16, ":  .   Z", 100_000, millis=True, zone=False),
    25: _Spelling(14, "  :  ???", 1000),
    27: _Spelling(16, ":  .    ", 100_000, millis=True, zone=False, check_at=19, check=".      Z"),
    29: _Spelling(16, ":  .   ?", 100_000, millis=True),
    32: _Spelling(16, ":  .    ", 100_000, millis=True, check_at=18, check=" .      "),
}
_MONTH, _CLOCK, _ZONE = "    -  -", "  T  :  ", "???  :  "


class Moments:
    """Reads times, and remembers the days it has met."""

    def __init__(self) -> None:
        self._days = np.full(_YEARS * 12 * 31, _UNKNOWN, np.int32)

    def read(self, column: Fields) -> tuple[Ints, Flags]:
        """(ms since 1970 UTC, ok)."""
        lengths = column.lengths
        if len(lengths) and (lengths == lengths[0]).all():
            return self._read(column, int(lengths[0]))
        value = np.zeros(len(lengths), np.int64)
        ok = np.zeros(len(lengths), np.bool_)
        for length in _SPELLINGS:
            rows = np.flatnonzero(lengths == length)
            if len(rows):
                value[rows], ok[rows] = self._read(column.at(rows), length)
        return value, ok

    def _read(self, column: Fields, length: int) -> tuple[Ints, Flags]:
        spelling = _SPELLINGS.get(length)
        if spelling is None:
            return np.zeros(len(column.starts), np.int64), np.zeros(len(column.starts), np.bool_)
        month, ok = _alike(column.word(0), _MONTH)
        clock, fine = separated_digits(column.word(8), _CLOCK)
        ok &= fine
        rest, fine = separated_digits(column.word(spelling.seconds_at), spelling.seconds)
        ok &= fine
        hours, minutes, seconds = clock // 1000 % 1000, clock % 1000, rest // spelling.second_unit % 100
        ok &= (hours < 24) & (minutes < 60) & (seconds < 60)
        value = self._day(month, clock // 1_000_000, ok) * _DAY_MS + (hours * 60 + minutes) * 60_000 + seconds * 1000
        if spelling.millis:
            value += rest // 10 % 1000
        if spelling.check:
            ok &= separated_digits(column.word(spelling.check_at), spelling.check)[1]
        if spelling.zone:
            offset, fine = _zone(column.last_word())
            value -= offset
            ok &= fine
        return value, ok & (value >= EARLIEST_MS) & (value < LATEST_MS)

    def _day(self, month: Ints, day: Ints, ok: Flags) -> Ints:
        """Days since 1970; takes `ok` away where there is no such day. `month`: the number read from `2026-11-`."""
        years, months = month // 10_000 - _FIRST_YEAR, month // 10 % 1000
        ok &= (years >= 0) & (years < _YEARS) & (months >= 1) & (months <= 12) & (day >= 1) & (day <= 31)
        keys = np.where(ok, (years * 12 + months - 1) * 31 + day - 1, 0)
        days = self._days[keys]
        unknown = np.unique(keys[(days == _UNKNOWN) & ok])
        if len(unknown):
            for key in unknown.tolist():
                self._days[key] = _day_number(key)
            days = self._days[keys]
        ok &= days >= 0
        return days.astype(np.int64)


def _day_number(key: int) -> int:
    months, day = divmod(key, 31)
    year, month = divmod(months, 12)
    try:
        return parse_moment(f"{_FIRST_YEAR + year}-{month + 1:02}-{day + 1:02}T00:00:00Z") // _DAY_MS
    except MomentError:
        return _WRONG


def _zone(words: Words) -> tuple[Ints, Flags]:
    """What to take from a local time that ends so, in ms."""
    words = words & ~np.uint64(0xFFFF)  # two characters in front of the sign
    zone, ok = _alike(words, _ZONE)
    hours, minutes = zone // 1000, zone % 1000
    sign = words >> 16 & 0xFF
    ok &= (hours < 24) & (minutes < 60) & ((sign == ord("+")) | (sign == ord("-")))
    offset = (hours * 60 + minutes) * 60_000
    return np.where(sign == ord("+"), offset, -offset), ok


def _alike(words: Words, separators: str) -> tuple[Ints, Flags]:
    """`separated_digits` of words that are mostly all the same: month and zone of calls that follow one another."""
    if len(words) and (words == words[0]).all():
        value, ok = separated_digits(words[:1], separators)
        return np.full(len(words), value[0]), np.full(len(words), ok[0])
    return separated_digits(words, separators)
