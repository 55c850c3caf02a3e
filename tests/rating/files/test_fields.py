"""Fields of many rows at once: what is taken is read as single fields are; everything else is left to be read alone."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.rating.files.fields import WORD, Fields, equal, short_numbers, words_of
from denwa.rating.files.moments import Moments
from denwa.rating.moment import MomentError, parse_moment

MARGIN = 2 * WORD


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
    return Fields(text, words_of(text), np.array(starts, np.int64), np.array(ends, np.int64))


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
