"""Fields of the calls file as numbers, for all rows of a block at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from denwa.rating.charge import NETWORK_FAULT
from denwa.rating.files.csv_blocks import Block
from denwa.rating.files.fields import WORD, Fields, Flags, Ints, digits, equal, short_numbers
from denwa.rating.files.moments import Moments
from denwa.rating.ports import CHARGED_LEGS

CALL_COLUMNS = ("call_id", "subscriber", "dialed", "leg", "answered_at", "duration_ms", "end_cause")
LEGS = sorted(CHARGED_LEGS)  # legs of one call are sorted by name
LONGEST_KEY = 128  # bytes of a call id that is sorted with millions of others
DIALLED_DIGITS = 10  # leading digits of a dialled number that are decoded
LONGEST_DIALLED = 2 * WORD
_NUMBER_DIGITS = 11  # of a subscriber's number: 050 and eight more


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
        dialled, fine = leading_digits(dialed)
        ok &= fine
        answered_ms, fine = self._moments.read(answered_at)
        ok &= fine
        duration_ms, fine = short_numbers(duration)
        ok &= fine
        legs, fine = _legs(leg)
        ok &= fine & (end_cause.lengths > 0) & (call_id.lengths > 0) & (call_id.lengths <= LONGEST_KEY)
        fault = equal(end_cause, NETWORK_FAULT)
        return Decoded(ok, block.lines, call_id, caller, dialled, dialed.lengths, legs, answered_ms, duration_ms, fault)


def leading_digits(column: Fields) -> tuple[Ints, Flags]:
    """(the first ten digits, ok) of fields of 10 to 16 digits that begin with 0."""
    lengths = column.lengths
    fits = (lengths >= DIALLED_DIGITS) & (lengths <= LONGEST_DIALLED)
    first, ok = digits(column.word(0))
    more, fine = digits(column.word(DIALLED_DIGITS - WORD))
    last = digits(column.last_word())[1]
    return first * 100 + more % 100, ok & fine & last & fits & (first < 10 ** (WORD - 1))


def _subscriber_numbers(column: Fields) -> tuple[Ints, Flags]:
    first, ok = digits(column.word(0))
    last, fine = digits(column.last_word())
    return first * 1000 + last % 1000, ok & fine & (column.lengths == _NUMBER_DIGITS) & (first < 10 ** (WORD - 1))


def _legs(column: Fields) -> tuple[Ints, Flags]:
    values = np.zeros(len(column.starts), np.int64)
    ok = np.zeros(len(column.starts), np.bool_)
    for value, leg in enumerate(LEGS):
        rows = equal(column, leg)
        ok |= rows
        values[rows] = value
    return values, ok
