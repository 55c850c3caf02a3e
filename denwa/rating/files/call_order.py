"""The order of rated calls: call id, leg, subscriber; of the same call and leg, the row that came first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from denwa.rating.files.call_rows import Records, record_type
from denwa.rating.files.fields import WORD, Flags, Ints, Words


def order_of(records: Records) -> Ints:
    """The order of `records` as indices."""
    count = len(records)
    letters = _letters(records)
    at = _common_beginning(letters) if count else 0
    order: Ints = np.arange(count)
    tied: Ints = np.arange(count)  # places in `order` whose calls are not told apart yet
    groups: Ints = np.zeros(count, np.int64)  # of those places: equal until here; 0 is all of them
    while at < letters.shape[1] and len(tied):
        untouched = not groups.any()  # all are one group still, as they came
        words = _words(letters[:, at : at + WORD] if untouched else letters[order[tied], at : at + WORD])
        if untouched:
            inner = np.arange(len(tied)) if (words[1:] >= words[:-1]).all() else np.argsort(words)
        else:
            inner = np.lexsort((words, groups))
        order[tied] = order[tied][inner]
        tied, groups = _ties(tied, groups[inner], words[inner])
        at += WORD
    if len(tied):
        rows = picked(records, order[tied])
        inner = np.lexsort((rows["line"], rows["contract"], rows["leg"], groups))
        order[tied] = order[tied][inner]
    return order


def _ties(tied: Ints, groups: Ints, words: Words) -> tuple[Ints, Ints]:
    """Of sorted places: those that are equal to a neighbour, and which with which."""
    new = np.ones(len(tied) + 1, np.bool_)
    new[1:-1] = (groups[1:] != groups[:-1]) | (words[1:] != words[:-1])
    among: Flags = ~(new[1:] & new[:-1])
    return tied[among], np.cumsum(new[:-1], dtype=np.int64)[among]


def _common_beginning(letters: npt.NDArray[np.uint8]) -> int:
    """How many letters all call ids have in common at their beginning: they tell nothing."""
    some = letters[:: max(1, len(letters) // 16)]  # mostly these differ early, and the others need not be looked at
    return _alike(letters[:, : _alike(some)])


def _alike(letters: npt.NDArray[np.uint8]) -> int:
    differs = (letters != letters[:1]).any(axis=0)
    return int(np.argmax(differs)) if differs.any() else len(differs)


def _letters(records: Records) -> npt.NDArray[np.uint8]:
    keys = np.ascontiguousarray(records["call_id"])
    return keys.view(np.uint8).reshape(len(keys), keys.itemsize)


def _words(letters: npt.NDArray[np.uint8]) -> Words:
    """Up to eight letters of each call id as a number that is ordered as they are."""
    part = np.zeros((len(letters), WORD), np.uint8)
    part[:, : letters.shape[1]] = letters
    return part.view(">u8")[:, 0].astype(np.uint64)


def picked(records: Records, rows: Ints) -> Records:
    """`records[rows]`, many times faster: numpy copies structures field by field, and these are rows of words."""
    taken: Records = _words_of(records).take(rows, axis=0).view(records.dtype)[:, 0]
    return taken


def joined(parts: list[Records]) -> Records:
    """All records in one array that is wide enough for each."""
    width = max((part.dtype["call_id"].itemsize for part in parts), default=WORD)
    whole = np.empty(sum(map(len, parts)), record_type(width))
    words = _words_of(whole)
    at = 0
    for part in parts:
        narrow = part.dtype["call_id"].itemsize // WORD
        rows = words[at : at + len(part)]
        rows[:, :narrow] = _words_of(part)[:, :narrow]
        rows[:, narrow : width // WORD] = 0
        rows[:, width // WORD :] = _words_of(part)[:, narrow:]
        at += len(part)
    return whole


def _words_of(records: Records) -> Words:
    return np.ascontiguousarray(records).view(np.uint64).reshape(len(records), records.dtype.itemsize // WORD)


def again(records: Records) -> Flags:
    """Of records in order: which ones are the same call and leg as the one before (the first is not)."""
    result = np.zeros(len(records), np.bool_)
    if len(records) > 1:
        new, old = records[1:], records[:-1]
        result[1:] = (
            (new["leg"] == old["leg"]) & (new["contract"] == old["contract"]) & (new["call_id"] == old["call_id"])
        )
    return result
