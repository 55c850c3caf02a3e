"""Classes of many dialled numbers at once (N4).

The number plan decides by beginnings. Between two neighbouring beginnings all numbers of one length have one class,
which `NumberingPlan.class_of` is asked for once.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date

import numpy as np

from denwa.numbering import NumberingPlan, Refusal
from denwa.rating.files.fields import WORD, Fields, Flags, Ints, digits
from denwa.rating.tariff import PRICED_CLASSES

_KNOWN_BY = 10  # leading digits that are looked at
_LONGEST = 2 * WORD
_UNKNOWN, NO_CLASS = -1, -2
_JAPAN_ABROAD = "01081"


class NumberClasses:
    """The classes by one state of the number plan."""

    def __init__(self, plan: NumberingPlan, on: date, beginnings: frozenset[str]) -> None:
        """`beginnings`: NumberingPlan.beginnings_on(on)."""
        self._plan = plan
        self._on = on
        starts = {0, 10**_KNOWN_BY}
        for beginning in beginnings | {_JAPAN_ABROAD}:
            if beginning.isdigit():
                first = int(beginning[:_KNOWN_BY].ljust(_KNOWN_BY, "0"))
                starts |= {first, first + 10 ** max(0, _KNOWN_BY - len(beginning))}
        self._starts = np.array(sorted(starts), np.int64)
        self._classes = np.full((len(starts), _LONGEST + 1), _UNKNOWN, np.int16)
        # Where more than the first digits decides, each number is asked for.
        for long in [beginning for beginning in beginnings if len(beginning) > _KNOWN_BY]:
            self._classes[bisect_left(self._starts, int(long[:_KNOWN_BY]))] = NO_CLASS
        japan = int(_JAPAN_ABROAD.ljust(_KNOWN_BY, "0"))
        inside = (self._starts >= japan) & (self._starts < japan + 10 ** (_KNOWN_BY - len(_JAPAN_ABROAD)))
        self._classes[inside] = NO_CLASS

    def find(self, numbers: Ints, lengths: Ints) -> Ints:
        """Index in PRICED_CLASSES by the first ten digits and the length, or NO_CLASS: to be asked for alone."""
        places = np.searchsorted(self._starts, numbers, "right") - 1
        found = self._classes[places, lengths]
        unknown = np.flatnonzero(found == _UNKNOWN)
        if len(unknown):
            for place, length in set(zip(places[unknown].tolist(), lengths[unknown].tolist(), strict=True)):
                self._classes[place, length] = self._ask(int(self._starts[place]), length)
            found = self._classes[places, lengths]
        return found.astype(np.int64)

    def _ask(self, number: int, length: int) -> int:
        """The class of one number stands for all between two beginnings."""
        number_class = self._plan.class_of(f"{number:0{_KNOWN_BY}}".ljust(length, "0"), self._on)
        return NO_CLASS if isinstance(number_class, Refusal) else PRICED_CLASSES.index(number_class)


def leading_digits(column: Fields) -> tuple[Ints, Flags]:
    """(the first ten digits, ok) of fields of 10 to 16 digits that begin with 0."""
    lengths = column.lengths
    fits = (lengths >= _KNOWN_BY) & (lengths <= _LONGEST)
    first, ok = digits(column.word(0))
    more, fine = digits(column.word(_KNOWN_BY - WORD))
    last = digits(column.last_word())[1]
    return first * 100 + more % 100, ok & fine & last & fits & (first < 10 ** (WORD - 1))
