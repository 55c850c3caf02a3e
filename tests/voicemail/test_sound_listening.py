"""What a worker hears while it records: silence after speech, and busy tones."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voicemail.sound.listening import Heard, Listener

TURN = 0.01
Part = tuple[Iterable[int], float]  # levels, repeated for seconds

SPEECH = (22, 30, 28, 14, 4, 19, 31, 26, 9, 2, 1, 24, 27, 12)


def listened(*parts: Part, silence_seconds: float = 8, turn: float = TURN) -> tuple[Heard | None, float, Listener]:
    """What was heard first, after how many seconds."""
    now = 100.0
    listener = Listener(silence_seconds, now)
    for levels, seconds in parts:
        values = itertools.cycle(level for level in levels for _ in range(max(1, round(0.02 / turn))))
        until = now + seconds
        while now < until - turn / 2:
            now += turn
            if heard := listener.hear(next(values), now):
                return heard, now - 100, listener
    return None, now - 100, listener


def tone(on: float, off: float, seconds: float, level: int = 33, floor: int = 0) -> list[Part]:
    return [part for _ in range(int(seconds / (on + off))) for part in (((level,), on), ((floor,), off))]


def test_silence_is_told_when_nobody_has_spoken_for_so_long() -> None:
    """V2"""
    heard, after, listener = listened((SPEECH, 3), ((0,), 20))
    assert heard is Heard.SILENCE
    assert after == pytest.approx(11, abs=0.6)
    assert listener.spoke


def test_silence_of_one_who_never_speaks_is_told_too() -> None:
    heard, after, listener = listened(((0,), 20))
    assert (heard, listener.spoke) == (Heard.SILENCE, False)
    assert after == pytest.approx(8, abs=0.1)


def test_noise_of_a_line_is_silence() -> None:
    heard, _, listener = listened(((10, 11, 10, 12), 20))
    assert (heard, listener.spoke) == (Heard.SILENCE, False)


def test_speech_over_a_noisy_line_goes_on() -> None:
    noisy = tuple(max(12, level) for level in SPEECH)
    assert listened((noisy, 30))[0] is None
    heard, after, _ = listened((noisy, 5), ((12, 11), 20))
    assert (heard, round(after)) == (Heard.SILENCE, 13)


def test_pauses_of_a_speaker_are_no_end() -> None:
    assert listened(*[(SPEECH, 2), ((0,), 6)] * 4)[0] is None


def test_click_in_silence_does_not_begin_it_anew() -> None:
    heard, after, _ = listened((SPEECH, 2), ((0,), 4), ((30,), 0.02), ((0,), 20))
    assert (heard, round(after)) == (Heard.SILENCE, 10)


def test_zero_means_never() -> None:
    assert listened(((0,), 100), silence_seconds=0)[0] is None


@pytest.mark.parametrize(("on", "off"), [(0.5, 0.5), (0.25, 0.25), (0.48, 0.48), (0.35, 0.22), (1.0, 1.0)])
@pytest.mark.parametrize("turn", [0.01, 0.02])
def test_busy_tone_is_told_after_four_bursts(on: float, off: float, turn: float) -> None:
    """Japan's busy tone is 400 Hz, half a second on and off."""
    heard, after, _ = listened((SPEECH, 3), *tone(on, off, 20), turn=turn)
    assert heard is Heard.BUSY
    assert after < 3 + 6 * (on + off)


def test_busy_tone_over_a_noisy_line_is_told() -> None:
    assert listened(*tone(0.5, 0.5, 20, floor=9))[0] is Heard.BUSY


def test_four_equal_words_are_no_busy_tone() -> None:
    """Somebody who counts: bursts of one length, but the level within a word is never the same."""
    word = ((22, 27, 31, 29, 24, 18, 25, 30, 22, 15), 0.5)
    assert listened(*[word, ((0,), 0.5)] * 10)[0] is None


def test_less_than_a_second_of_speech_is_none() -> None:
    assert not listened((SPEECH, 0.5), ((0,), 3))[2].spoke
    assert listened((SPEECH, 2.5), ((0,), 1))[2].spoke


def test_speech_counts_at_once_not_at_the_end_of_a_block() -> None:
    """`#` right after the last word"""
    assert listened((SPEECH, 1.9))[2].spoke


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(st.integers(0, 127), st.floats(0, 0.5)), max_size=300), st.floats(0, 20))
def test_any_levels_at_any_times_are_taken(moments: list[tuple[int, float]], silence_seconds: float) -> None:
    listener, now, quiet = Listener(silence_seconds, 0.0), 0.0, 0.0
    for level, pause in moments:
        now += pause
        if listener.hear(level, now) is Heard.SILENCE:
            assert silence_seconds > 0
        quiet = listener.quiet
    assert 0 <= quiet <= now + 1e-6
    assert 0 <= listener.spoken <= now + 1e-6
