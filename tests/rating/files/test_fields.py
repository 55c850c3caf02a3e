"""Fields of many rows at once: what is taken is read as single fields are; everything else is left to be read alone."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import NumberClass, load_plan
from denwa.rating.files.days import Days
from denwa.rating.files.fields import WORD, Fields, equal, short_numbers, words_of
from denwa.rating.files.moments import Moments
from denwa.rating.files.number_classes import leading_digits
from denwa.rating.moment import MomentError, parse_moment
from denwa.rating.tariff import PRICED_CLASSES
from tests.rating.shipped import BOOK

MARGIN = 2 * WORD
CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)


def column(texts: list[str]) -> Fields:
    """The texts as a column, with commas between them as in a file."""
    text = bytearray(b"9" * MARGIN)
    starts, ends = [], []
    for field in texts:
        starts.append(len(text))
        text += field.encode()
        ends.append(len(text))
        text += b","
    text += b"9" * MARGIN
    return Fields(words_of(text), np.array(starts, np.int64), np.array(ends, np.int64))


DIGITS = st.text("0123456789", max_size=12)


@given(st.lists(DIGITS | st.text("0123456789/:.-+ a", max_size=12), min_size=1))
def test_short_numbers_are_those_of_one_to_eight_digits(texts: list[str]) -> None:
    values, ok = short_numbers(column(texts))
    assert ok.tolist() == [text.isdigit() and len(text) <= 8 for text in texts]
    assert [value for value, fine in zip(values.tolist(), ok.tolist(), strict=True) if fine] == [
        int(text) for text in texts if text.isdigit() and len(text) <= 8
    ]


@given(st.lists(st.sampled_from(["network_fault", "network-fault", "network_faults", "network_", "callee", ""])))
def test_a_word_is_found_whole_only(texts: list[str]) -> None:
    assert equal(column(texts), "network_fault").tolist() == [text == "network_fault" for text in texts]


def two(low: int, high: int) -> st.SearchStrategy[str]:
    """Two digits, mostly in their range."""
    return st.integers(low, high).map("{:02}".format)


YEARS = st.integers(1968, 2102).map(str)
TIMES = st.tuples(
    YEARS, st.just("-"), two(0, 13), st.just("-"), two(0, 32), st.sampled_from("TTTTT t"), two(0, 24), st.just(":"),
    two(0, 60), st.just(":"), two(0, 60), st.sampled_from(["", ".5", ".000", ".999", ".123456", ",250"]),
    st.sampled_from(["Z", "z", "+09:00", "-05:30", "+00:00", "+23:59", "+24:00", "+09:75", "+0900", "*09:00", ""]),
).map("".join)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(TIMES | st.text("0123456789-T:.+Z", min_size=18, max_size=33), min_size=1, max_size=30))
def test_moments_are_read_as_one_by_one_or_left(texts: list[str]) -> None:
    values, ok = Moments().read(column(texts))
    for text, value, fine in zip(texts, values.tolist(), ok.tolist(), strict=True):
        if fine:
            assert value == parse_moment(text), text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:00:00Z", "2026-11-21T10:00:00.123Z", "2026-11-21T10:00:00+09:00", "2024-02-29T23:59:59.999999Z",
        "2026-11-21T10:00:00.123+09:00", "2026-11-21T10:00:00.123456-03:30", "2099-12-31T23:59:59.999-12:00",
    ],
)  # fmt: skip
def test_the_usual_spellings_of_a_moment_are_not_left(text: str) -> None:
    values, ok = Moments().read(column([text]))
    assert (values.tolist(), ok.tolist()) == ([parse_moment(text)], [True])


def test_a_moment_outside_of_time_is_left() -> None:
    texts = ["1970-01-01T00:00:00+09:00", "2023-02-29T00:00:00.000+09:00", "2026-11-21T10:00:00.123+09:00"]
    assert Moments().read(column(texts))[1].tolist() == [False, False, True]
    with suppress(MomentError):
        assert not parse_moment(texts[0])


BEGINNINGS = sorted(PLAN.beginnings_on(BOOK.tariffs[-1].valid_from)[1])
DIALLED = st.builds(
    lambda beginning, rest, length: (beginning + rest)[:length],
    st.sampled_from(BEGINNINGS) | st.sampled_from(["0505001", "0501000", "01081", "0100", "0601", "00", "184", ""]),
    st.text("0123456789", min_size=16, max_size=16),
    st.integers(9, 17),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(DIALLED | st.text("0123456789-", min_size=9, max_size=17), min_size=1, max_size=50), st.booleans())
def test_classes_are_those_of_the_number_plan(texts: list[str], later: bool) -> None:  # N4: 060 from 2026-07-01
    days = Days(BOOK, PLAN)
    day = days.index_of(20_700 if later else 20_600)
    numbers, ok = leading_digits(column(texts))
    found = days.number_plans[days.plan_of[day]].find(
        np.where(ok, numbers, 0), np.where(ok, [len(text) for text in texts], 0)
    )
    for text, fine, index in zip(texts, ok.tolist(), found.tolist(), strict=True):
        number_class = PLAN.class_of(text, days.days[day])
        if fine and index >= 0:
            assert PRICED_CLASSES[index] == number_class, text
        elif isinstance(number_class, NumberClass):  # left to be asked for alone
            assert not text.isdigit() or not 10 <= len(text) <= 16 or text.startswith("01081") or text[0] != "0", text
