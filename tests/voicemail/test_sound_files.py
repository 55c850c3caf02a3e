"""WAV files as people have them, another rate, and greetings made of them."""

from __future__ import annotations

import io
import re
import struct
import wave
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import DATA
from denwa.voicemail.sound.faults import SoundFault
from denwa.voicemail.sound.greeting import prepared
from denwa.voicemail.sound.resampling import resampled
from denwa.voicemail.sound.samples import Sound, ratio
from denwa.voicemail.sound.speech import find_speech
from denwa.voicemail.sound.wav_files import read_wav, wav_bytes

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SPEECH = (DATA / "prompts" / "barred.wav").read_bytes()  # 16 kHz, 4.5 s


def file(
    data: bytes, kind: int, channels: int, rate: int, bits: int, *, extra: bytes = b"", before: bytes = b""
) -> bytes:
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits) + extra
    chunks = before + b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def sine(rate: int, seconds: float = 0.1) -> Any:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)


def encoded(values: Any, kind: int, bits: int) -> bytes:
    if kind == FLOAT:
        return values.astype(f"<f{bits // 8}").tobytes()
    whole = np.rint(values * (2 ** (bits - 1) - 1)).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return b"".join(int(value).to_bytes(bits // 8, "little", signed=True) for value in whole)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize(("kind", "bits"), [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)])
def test_common_forms_hold_the_same_sound(rate: int, kind: int, bits: int) -> None:
    values = sine(rate)
    sound = read_wav(file(encoded(values, kind, bits), kind, 1, rate, bits))
    assert sound.rate == rate
    assert np.abs(sound.samples - values).max() < 0.02 if bits == 8 else 1e-4


def test_stereo_is_mixed() -> None:
    values = np.stack([sine(16000), np.zeros(1600)], axis=1).ravel()
    sound = read_wav(file(encoded(values, PCM, 16), PCM, 2, 16000, 16))
    assert np.abs(sound.samples - sine(16000) / 2).max() < 1e-3


def test_extensible_form_and_other_chunks_are_read() -> None:
    extra = struct.pack("<HHIH14s", 22, 24, 4, PCM, b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71")
    data = file(encoded(sine(48000), PCM, 24), EXTENSIBLE, 1, 48000, 24, extra=extra, before=b"LIST\3\0\0\0abc\0")
    assert np.abs(read_wav(data).samples - sine(48000)).max() < 1e-4


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a WAV file"),
        (b"ID3\3" + b"\0" * 100, "not a WAV file"),
        (b"RIFF\0\0\0\0WAVE", "the part with the sound is missing"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "does not say what its sound is"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "cut off"),
        (file(b"", PCM, 1, 8000, 16), "no sound"),
        (file(b"\0" * 64, 7, 1, 8000, 8), "compressed (μ-law)"),
        (file(b"\0" * 64, 0x55, 1, 8000, 8), "compressed (MP3)"),
        (file(b"\0" * 64, PCM, 6, 48000, 16), "6 channels"),
        (file(b"\0" * 64, PCM, 1, 96000, 16), "96000 Hz"),
        (file(b"\0" * 64, PCM, 1, 4000, 16), "4000 Hz"),
        (file(b"\0" * 64, PCM, 1, 8000, 12), "12-bit PCM"),
        (file(b"\0" * 64, FLOAT, 1, 8000, 16), "16-bit float"),
    ],
)
def test_other_files_are_refused_with_what_is_wrong_with_them(data: bytes, why: str) -> None:
    with pytest.raises(SoundFault, match=re.escape(why)):
        read_wav(data)


@settings(deadline=None)  # a busy machine is no fault
@given(st.data())
def test_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(SPEECH[:400])
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    try:
        sound = read_wav(bytes(whole[: data.draw(st.integers(0, 400))]))
    except SoundFault:
        return
    assert len(sound.samples) > 0
    assert np.abs(sound.samples).max() <= 1


def test_file_of_a_recorder_that_was_killed_is_read_to_its_end() -> None:
    whole = bytearray(file(encoded(sine(8000), PCM, 16), PCM, 1, 8000, 16))
    whole[40:44] = b"\0\0\0\0"
    assert len(read_wav(bytes(whole)).samples) == 800


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(1, 5000), st.sampled_from([8000, 16000]))
def test_what_is_written_is_a_wav_of_the_same_samples(length: int, rate: int) -> None:
    """V5: 16-bit, mono"""
    samples = (np.random.default_rng(length).uniform(-1.2, 1.2, length)).astype(np.float32)
    data = wav_bytes(Sound(samples, rate))
    with wave.open(io.BytesIO(data)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 2, rate)
        assert opened.getnframes() == length
    assert np.abs(read_wav(data).samples - np.clip(samples, -1, 1)).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("wanted", [8000, 16000])
def test_another_rate_keeps_pitch_level_and_place(rate: int, wanted: int) -> None:
    at = np.arange(rate) / rate
    sound = Sound((0.5 * np.sin(2 * np.pi * 700 * at) * np.hanning(rate)).astype(np.float32), rate)
    found = resampled(sound, wanted)
    assert len(found.samples) == wanted
    there = np.arange(wanted) / wanted
    expected = 0.5 * np.sin(2 * np.pi * 700 * there) * np.interp(there, at, np.hanning(rate))
    assert np.abs(found.samples - expected).max() < 0.01


def test_what_the_lower_rate_cannot_carry_is_left_out() -> None:
    high = Sound((0.5 * np.sin(2 * np.pi * 6000 * np.arange(16000) / 16000)).astype(np.float32), 16000)
    assert np.abs(resampled(high, 8000).samples[800:-800]).max() < 1e-3


@pytest.mark.parametrize("quieter", [0, 25])
def test_greeting_is_as_loud_as_a_prompt_and_begins_at_once(quieter: float) -> None:
    given_file = read_wav(SPEECH)
    around = np.zeros(32000, np.float32)
    samples = np.concatenate([around, given_file.samples * np.float32(ratio(-quieter)), around])
    greeting = prepared(wav_bytes(Sound(samples, 16000)))
    assert greeting.rate == 16000
    assert greeting.seconds == pytest.approx(given_file.seconds, abs=0.7)
    assert find_speech(greeting).level == pytest.approx(-20, abs=1.5)


def test_key_that_ended_a_greeting_recorded_by_telephone_is_not_in_it() -> None:
    said = read_wav(SPEECH)
    at = np.arange(3200) / 16000
    key = (0.2 * (np.sin(2 * np.pi * 941 * at) + np.sin(2 * np.pi * 1477 * at))).astype(np.float32)
    recorded = np.concatenate([said.samples, np.zeros(4800, np.float32), key])
    greeting = prepared(wav_bytes(Sound(recorded, 16000)))
    assert np.abs(greeting.samples[-2000:]).max() < 0.01
    assert greeting.seconds > said.seconds - 0.3


@pytest.mark.parametrize(
    ("samples", "why"),
    [(np.zeros(16000), "nobody is heard"), (np.zeros(61 * 8000), "61.0 s long; at most 60 s")],
)
def test_greeting_that_says_nothing_or_is_too_long_is_refused(samples: Any, why: str) -> None:
    with pytest.raises(SoundFault, match=why):
        prepared(wav_bytes(Sound(samples.astype(np.float32), 8000)))
