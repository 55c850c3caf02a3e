"""What is kept of a recording: words, made audible; no silence, no tones, no notice of a second where nobody speaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import DATA
from denwa.voicemail.sound.message import HEADROOM, TARGET, bent, treat
from denwa.voicemail.sound.resampling import resampled
from denwa.voicemail.sound.samples import Samples, Sound, level, ratio
from denwa.voicemail.sound.spectra import spectra
from denwa.voicemail.sound.speech import find_speech
from denwa.voicemail.sound.tones import tonal
from denwa.voicemail.sound.wav_files import read_wav

RATE = 8000
PROMPTS = sorted((DATA / "prompts").glob("*.wav"))


def spoken(name: str, rate: int = RATE) -> Samples:
    return resampled(read_wav((DATA / "prompts" / f"{name}.wav").read_bytes()), rate).samples


def silence(seconds: float, rate: int = RATE) -> Samples:
    return np.zeros(int(seconds * rate), np.float32)


def tone(seconds: float, *hertz: float, decibel: float = -15) -> Samples:
    at = np.arange(int(seconds * RATE)) / RATE
    waves = sum(np.sin(2 * np.pi * h * at) for h in hertz)
    return (ratio(decibel) * np.sqrt(2 / len(hertz)) * waves).astype(np.float32)


def noise(seconds: float, decibel: float, seed: int = 1) -> Samples:
    return (ratio(decibel) * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def on_and_off(seconds: float, on: float, off: float, *hertz: float) -> Samples:
    return np.tile(np.concatenate([tone(on, *hertz), silence(off)]), int(seconds / (on + off)))


def joined(*parts: Samples) -> Sound:
    return Sound(np.concatenate(parts), RATE)


def kept(*parts: Samples) -> Sound:
    sound = treat(joined(*parts), wide=False).sound
    assert sound is not None
    return sound


def overlap(one: Samples, other: Samples) -> float:
    """The highest correlation at any shift of one within the other (of the length of the shorter)."""
    size = 1 << (len(one) + len(other)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return float(cross.max() / np.sqrt(np.square(one).sum() * np.square(other).sum()))


GREETING = spoken("voicemail-greeting")  # 6.5 s


def test_silence_around_the_words_is_cut_and_the_words_are_whole() -> None:
    """V5"""
    found = kept(silence(2), GREETING, silence(8))
    assert found.rate == RATE
    assert len(GREETING) / RATE - 0.1 < found.seconds < len(GREETING) / RATE + 0.65
    assert overlap(found.samples, GREETING) > 0.99


def test_pauses_between_words_stay() -> None:
    assert kept(GREETING, silence(4), GREETING).seconds == pytest.approx(2 * len(GREETING) / RATE + 4, abs=0.7)


@pytest.mark.parametrize("quieter", [0, 10, 20, 30])
def test_quiet_callers_are_as_loud_as_others(quieter: float) -> None:
    found = find_speech(kept(GREETING * ratio(-quieter)))
    assert found.level == pytest.approx(TARGET, abs=1.5)


def test_nothing_is_clipped_however_loud_it_came() -> None:
    clipped = np.clip(GREETING * 20, -1, 1)
    assert np.abs(kept(clipped).samples).max() < 1
    with_crack = np.concatenate([GREETING * ratio(-20), [1.0, -1.0], GREETING * ratio(-20)]).astype(np.float32)
    found = kept(with_crack)
    assert np.abs(found.samples).max() < 1
    assert find_speech(found).level == pytest.approx(TARGET, abs=2)  # a crack does not keep the words quiet


def test_noise_of_the_line_is_not_made_loud() -> None:
    loud = kept(silence(1), GREETING * ratio(-25), silence(1)).samples
    noisy = kept(
        np.concatenate([silence(1), GREETING * ratio(-25), silence(1)]) + noise(8.6, -52)[: len(GREETING) + 16000]
    )
    assert level(loud) > level(noisy.samples) + 6
    assert find_speech(noisy).noise < -42


@pytest.mark.parametrize("decibel", [-30, -40, -50])
def test_words_are_found_in_noise_and_the_noise_around_them_is_cut(decibel: float) -> None:
    parts = np.concatenate([silence(3), GREETING, silence(4)])
    found = kept(parts + noise(14, decibel)[: len(parts)])
    assert len(GREETING) / RATE - 0.2 < found.seconds < len(GREETING) / RATE + 1.0


NOBODY = {
    "nothing": silence(0),
    "silence": silence(8),
    "noise": noise(5, -35),
    "loud noise": noise(5, -18),
    "a crack": np.concatenate([silence(1), np.full(30, 0.9, np.float32), silence(3)]),
    "half a second of speech": np.concatenate([silence(1), spoken("digit-1"), silence(3)]),
    "busy": on_and_off(20, 0.5, 0.5, 400),
    "busy in noise": on_and_off(20, 0.5, 0.5, 400) + noise(20, -45),
    "busy abroad": on_and_off(20, 0.5, 0.5, 480, 620),
    "busy in Europe": on_and_off(20, 0.48, 0.48, 425),
    "congestion": on_and_off(10, 0.25, 0.25, 400),
    "dial tone": tone(10, 400),
    "dial tone abroad": tone(10, 350, 440),
    "fax": on_and_off(14, 0.5, 3.0, 1100),
    "number not in use": np.concatenate([tone(0.33, 950), tone(0.33, 1400), tone(0.33, 1800), silence(1)]),
    "a key": np.concatenate([silence(1), tone(0.2, 941, 1477), silence(0.1)]),
}


@pytest.mark.parametrize("what", NOBODY)
def test_where_nobody_speaks_for_a_second_there_is_no_message(what: str) -> None:
    """V2, M2: less than a second of speech is a call notice; busy tones are not recorded."""
    assert treat(Sound(NOBODY[what], RATE), wide=False).sound is None


def test_ringing_tone_is_a_tone_though_it_is_modulated() -> None:
    at = np.arange(RATE) / RATE
    ringing = tone(1, 400) * (0.6 + 0.4 * np.cos(2 * np.pi * 16 * at)).astype(np.float32)
    assert treat(joined(*[ringing, silence(2)] * 4), wide=False).sound is None


@pytest.mark.parametrize("gap", [0, 0.5])
@pytest.mark.parametrize("hertz", [(400,), (480, 620)])
def test_busy_tone_after_the_words_is_cut(gap: float, hertz: tuple[float, ...]) -> None:
    """V5: the caller's gateway hung up and its tone came over."""
    found = kept(GREETING, silence(gap), on_and_off(20, 0.5, 0.5, *hertz))
    assert found.seconds < len(GREETING) / RATE + min(gap, 0.3) + 0.1
    assert overlap(found.samples, GREETING) > 0.99


@pytest.mark.parametrize("milliseconds", [60, 120, 300])
def test_key_that_ended_the_message_is_not_in_it(milliseconds: int) -> None:
    """V5: `#` in the sound itself"""
    hash_key = tone(milliseconds / 1000, 941, 1477, decibel=-10)
    found = kept(GREETING, silence(0.2), hash_key)
    assert level(found.samples[-1200:]) < -45
    assert overlap(found.samples, GREETING) > 0.99


def test_no_word_is_taken_for_a_tone_or_cut() -> None:
    """Speech of many kinds: every sentence and word of the prompts. Whatever is cut of it is silent."""
    for path in PROMPTS:
        loud = spoken(path.stem)
        for quieter in (0, 20) if len(loud) > RATE else (0,):
            said = loud * np.float32(ratio(-quieter))
            found = find_speech(Sound(said, RATE))
            assert found.seconds > (0.6 if len(said) > RATE else 0.3) * len(said) / RATE, path
            for lost in (said[: found.first], said[found.last :]):
                assert level(lost) < -45 - quieter, path
            assert not tonal(spectra(Sound(said, RATE)), -60).any(), path


def test_sixteen_kilohertz_stay_if_wanted_and_if_there_is_something_in_them() -> None:
    """V5: 8 kHz unless the operator chose otherwise and the call was wide-band."""
    wide = Sound(spoken("barred", 16000), 16000)
    narrow = resampled(Sound(spoken("barred"), RATE), 16000)
    for recording, wanted, rate in ((wide, True, 16000), (narrow, True, RATE), (wide, False, RATE)):
        found = treat(recording, wide=wanted).sound
        assert found is not None
        assert found.rate == rate
        assert found.seconds == pytest.approx(wide.seconds, abs=0.1)


def test_treating_again_changes_next_to_nothing() -> None:
    """V7: a kill in between has it done twice."""
    once = kept(silence(2), GREETING * ratio(-20), silence(3))
    twice = treat(once, wide=False).sound
    assert twice is not None
    assert twice.seconds == pytest.approx(once.seconds, abs=0.05)
    assert level(twice.samples) == pytest.approx(level(once.samples), abs=0.5)


@settings(deadline=None, max_examples=40)  # a busy machine is no fault
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["silence", "noise", "tone", "speech", "square"]), st.floats(0, 1.5), st.floats(-60, 6)
        ),
        max_size=6,
    ),
    st.sampled_from([8000, 16000]),
)
def test_whatever_was_recorded_the_outcome_is_shorter_unclipped_and_finite(
    parts: list[tuple[str, float, float]], rate: int
) -> None:
    made = {
        "silence": lambda s: silence(s),
        "noise": lambda s: noise(s, 0),
        "tone": lambda s: tone(s, 400),
        "speech": lambda s: GREETING[: int(s * RATE)],
        "square": lambda s: np.sign(tone(s, 333)),
    }
    samples = [np.clip(made[kind](seconds) * ratio(decibel), -1, 1) for kind, seconds, decibel in parts]
    recording = Sound(np.concatenate([silence(0), *samples]).astype(np.float32), rate)
    found = treat(recording, wide=True).sound
    if found is not None:
        assert found.seconds <= recording.seconds + 0.001
        assert np.isfinite(found.samples).all()
        assert np.abs(found.samples).max() < 1


def test_bending_is_none_below_the_knee_and_never_reaches_full_scale() -> None:
    ramp = np.linspace(-4, 4, 2001).astype(np.float32)
    out = bent(ramp)
    assert np.array_equal(out[np.abs(ramp) < 0.8], ramp[np.abs(ramp) < 0.8])
    assert np.abs(out).max() < 1
    assert (np.diff(out) >= 0).all()
    assert HEADROOM < 1
