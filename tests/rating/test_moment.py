from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.moment import MomentError, parse_moment

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T09:00:00.500+09:00",
        "2026-11-21T00:00:00.5Z",
        "2026-11-20T19:00:00.500999-05:00",
        "20261121T090000.5+0900",
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert parse_moment(text) == 1_795_219_200_500


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not ISO 8601"),
        ("now", "not ISO 8601"),
        ("2026-11-21", "not ISO 8601"),
        ("2026-11-21T24:00:01+09:00", "not ISO 8601"),
        ("2026-11-21x09:00:00+09:00", "not ISO 8601"),
        ("2026-11-21T09:00:00", "no offset"),
        ("2026-11-21T09:00:00+09:00+09:00", "no offset from UTC, or two"),
        ("2026-11-21T09:00:00Z+09:00", "no offset from UTC, or two"),
        ("1969-12-31T23:59:59Z", "out of range"),
        ("9999-12-31T23:59:59Z", "out of range"),
    ],
)
def test_what_is_no_moment_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(MomentError, match=problem):
        parse_moment(text)


@given(st.datetimes(datetime(1970, 1, 3), datetime(8999, 1, 1), timezones=ZONES))  # noqa: DTZ001
def test_every_moment_is_cut_to_its_millisecond(moment: datetime) -> None:
    assert parse_moment(moment.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


@given(st.text(max_size=40))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with suppress(MomentError):
        assert parse_moment(text) >= 0
