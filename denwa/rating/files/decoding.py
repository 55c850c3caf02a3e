"""Fields of the calls file as numbers, for all rows of a block at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from denwa.rating.charge import NETWORK_FAULT
from denwa.rating.files.csv_blocks import Block
from denwa.rating.files.fields import WORD, Fields, Flags, Ints, Words, digits, equal, short_numbers
from denwa.rating.files.moments import Moments
from denwa.rating.ports import CHARGED_LEGS

CALL_COLUMNS = ("call_id", "subscriber", "dialed", "leg", "answered_at", "duration_ms", "end_cause")
LEGS = sorted(CHARGED_LEGS)  # legs of one call are sorted by name
LONGEST_KEY = 128  # bytes of a call id that is sorted with millions of others
DIALLED_DIGITS = 10  # leading digits of a dialled number that are decoded
LONGEST_DIALLED = 2 * WORD
_NUMBER_DIGITS = 11  # of a subscriber's number: 050 and eight more
_JAPAN = 81
_PLUS_JAPAN = int.from_bytes(b"+81", "little")


class Decoded(NamedTuple):
    """Rows whose fields are all spelled as usual (`ok`); of the others nothing is known but that."""

    ok: Flags
    lines: Ints
    call_id: Fields
    subscriber: Ints  # the number without its leading 0
    dialled: Ints  # the first ten digits
    dialled_length: Ints
    leg: Ints  # index in LEGS
    answered_ms: Ints
    duration_ms: Ints
    network_fault: Flags


class Decoder:
    """Decodes blocks of CALL_COLUMNS."""

    def __init__(self) -> None:
        self._moments = Moments()

    def decode(self, block: Block) -> Decoded:
        """Every row of `block.columns`."""
        call_id, subscriber, dialed, leg, answered_at, duration, end_cause = block.columns
        caller, ok = _subscriber_numbers(subscriber)
        dialled, dialled_length, fine = leading_digits(dialed)
        ok &= fine
        answered_ms, fine = self._moments.read(answered_at)
        ok &= fine
        duration_ms, fine = short_numbers(duration)
        ok &= fine
        legs, fine = _legs(leg)
        ok &= fine & (end_cause.lengths > 0) & (call_id.lengths > 0) & (call_id.lengths <= LONGEST_KEY)
        fault = equal(end_cause, NETWORK_FAULT)
        return Decoded(ok, block.lines, call_id, caller, dialled, dialled_length, legs, answered_ms, duration_ms, fault)


def leading_digits(column: Fields) -> tuple[Ints, Ints, Flags]:
    """(the first ten digits, length, ok) as dialled in Japan, of 10 to 16 digits.

    Of fields that are plain digits with 0 in front, or E.164: `+81312345678` is dialled 0312345678, `+8862…` 0108862….
    """
    start = column.word(0)
    first, ok = digits(start)
    more, fine = digits(column.word(DIALLED_DIGITS - WORD))
    number, length = first * 100 + more % 100, column.lengths
    ok &= fine & (first < 10 ** (WORD - 1))
    rows = _with_plus(start)
    if len(rows):
        number[rows], length[rows], ok[rows] = _e164(column.at(rows))
    ok &= digits(column.last_word())[1] & (length >= DIALLED_DIGITS) & (length <= LONGEST_DIALLED)
    return number, length, ok & (column.lengths <= LONGEST_DIALLED)


def _e164(column: Fields) -> tuple[Ints, Ints, Flags]:
    """The same, of fields with + in front and at least nine digits."""
    first, ok = digits(column.word(1))
    country, lengths = first // 10**6, column.lengths
    home, fine = _home_digits(column)
    number = np.where(country == _JAPAN, home, 10**8 + first // 10)  # 010 and seven digits
    ok &= np.where(country == _JAPAN, fine, country >= 10)
    return number, np.where(country == _JAPAN, lengths - 2, lengths + 2), ok & (lengths > WORD + 1)


def _home_digits(column: Fields) -> tuple[Ints, Flags]:
    """(nine digits behind +81, ok): neither 0 nor 10 follows it, which has another meaning or none."""
    first, ok = digits(column.word(3))
    more, fine = digits(column.word(4))
    return first * 10 + more % 10, ok & fine & (first >= 10 ** (WORD - 1)) & (first // 10 ** (WORD - 2) != 10)


def _with_plus(starts: Words) -> Ints:
    return np.flatnonzero((starts & 0xFF) == ord("+"))


def _subscriber_numbers(column: Fields) -> tuple[Ints, Flags]:
    """(number, ok) of eleven digits without the leading 0, dialled or E.164."""
    start = column.word(0)
    first, ok = digits(start)
    last, fine = digits(column.last_word())
    number = first * 1000 + last % 1000
    ok &= (column.lengths == _NUMBER_DIGITS) & (first < 10 ** (WORD - 1))
    rows = _with_plus(start)
    if len(rows):
        some = column.at(rows)
        home, ok[rows] = _home_digits(some)
        number[rows] = home * 10 + last[rows] % 10
        ok[rows] &= (some.lengths == _NUMBER_DIGITS + 2) & ((some.word(0) & 0xFFFFFF) == _PLUS_JAPAN)
    return number, ok & fine


def _legs(column: Fields) -> tuple[Ints, Flags]:
    values = np.zeros(len(column.starts), np.int64)
    ok = np.zeros(len(column.starts), np.bool_)
    for value, leg in enumerate(LEGS):
        rows = equal(column, leg)
        ok |= rows
        values[rows] = value
    return values, ok
