"""What the box says of counts, callers and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voicemail.box_prompts import JAPAN, Entry, counts, header, in_order, moment, needed


def entry(number: int = 1, *, caller: str = "", hidden: str = "", at_ms: int = 0, heard: bool = False) -> Entry:
    return Entry(number, caller, hidden, at_ms, heard)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=JAPAN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("2026-11-22T15:05:59", ("month-11", "day-22", "time-pm", "hour-3", "minute-5")),
        ("2026-01-01T00:00:00", ("month-1", "day-1", "time-am", "hour-0")),
        ("2026-12-31T12:59:00", ("month-12", "day-31", "time-pm", "hour-0", "minute-59")),
    ],
)
def test_times_are_said_as_in_japan(text: str, prompts: tuple[str, ...]) -> None:
    assert moment(at(text)) == prompts


def test_a_call_late_in_the_utc_evening_was_the_next_morning_in_japan() -> None:
    millis = int(datetime(2026, 11, 21, 23, 30, tzinfo=UTC).timestamp() * 1000)
    assert moment(millis) == ("month-11", "day-22", "time-am", "hour-8", "minute-30")


def test_callers_are_said_digit_by_digit_or_why_there_is_no_number() -> None:  # B4
    assert header(entry(caller="0312345678"))[:11] == ("call-from", *(f"digit-{d}" for d in "0312345678"))
    reasons = {
        "anonymous": "hidden-number",
        "payphone": "caller-payphone",
        "interaction": "caller-unknown",
        "": "caller-unknown",
    }
    for hidden, prompt in reasons.items():
        assert header(entry(hidden=hidden))[0] == prompt


@pytest.mark.parametrize(
    ("new", "heard", "prompts"),
    [
        (0, 0, ("box-empty",)),
        (1, 0, ("box-new", "count-1")),
        (0, 10, ("box-stored", "count-10")),
        (3, 11, ("box-new", "count-3", "box-stored", "count-more")),
    ],
)
def test_counts_tell_new_and_stored_ones_apart(new: int, heard: int, prompts: tuple[str, ...]) -> None:
    assert counts([entry()] * new + [entry(heard=True)] * heard) == prompts


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans())))
def test_new_ones_come_first_and_each_kind_in_the_order_of_calls(drawn: list[tuple[int, bool]]) -> None:
    entries = in_order(entry(i, at_ms=at_ms, heard=heard) for i, (at_ms, heard) in enumerate(drawn))
    assert [e.heard for e in entries] == sorted(heard for _, heard in drawn)
    for kind in (True, False):
        times = [e.called_at_ms for e in entries if e.heard is kind]
        assert times == sorted(times)


@given(st.integers(0, 4_000_000_000_000), st.text("0123456789", min_size=1, max_size=18), st.booleans())
def test_every_prompt_that_is_asked_for_is_in_the_list_of_those_needed(millis: int, caller: str, heard: bool) -> None:
    one = entry(caller=caller, at_ms=millis, heard=heard)
    assert {*header(one), *counts([one]), *header(entry(at_ms=millis))} <= needed()


def test_times_of_a_whole_day_differ_minute_by_minute() -> None:
    start = at("2026-11-22T00:00:00")
    minute = timedelta(minutes=1) // timedelta(milliseconds=1)
    assert len({moment(start + n * minute) for n in range(1440)}) == 1440
