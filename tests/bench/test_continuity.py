"""The measure of missing sound finds what was taken away, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.continuity import FRAME, FRAME_SECONDS, RATE, Heard, Samples, Spoken, read_samples
from tests.peers import wav


def heard(recording: Samples, sent: Samples) -> Heard | None:
    return Spoken(sent).heard(recording)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    path = wav.write_voice(tmp_path_factory.mktemp("voice") / "voice.wav", 12, seed=70)
    return read_samples(path)


def _through_the_telephone(voice: np.ndarray, tmp_path: Path) -> np.ndarray:
    """As it is after µ-law."""
    wav.write_wav(tmp_path / "in.wav", voice)
    code = ~np.frombuffer(wav.write_mulaw(tmp_path / "in.ul", tmp_path / "in.wav").read_bytes(), np.uint8)
    magnitude = (((code & 0x0F).astype(int) << 3) + 132 << (code >> 4 & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32)


def test_a_whole_recording_misses_nothing(voice: np.ndarray, tmp_path: Path) -> None:
    found = heard(_through_the_telephone(voice, tmp_path)[2 * RATE + 37 : 9 * RATE] * 0.5, voice)
    assert found is not None
    assert found.missing == found.longest_gap == 0
    assert found.first == pytest.approx(2, abs=2 * FRAME_SECONDS)
    assert found.last == pytest.approx(9, abs=2 * FRAME_SECONDS)


def test_packets_that_were_lost_are_missed_though_the_recording_has_its_length(voice: np.ndarray) -> None:
    recording = voice[RATE : 8 * RATE].copy()
    for first, count in ((50, 3), (200, 10)):
        recording[first * FRAME : (first + count) * FRAME] = 0
    found = heard(recording, voice)
    assert found is not None
    assert found.missing == pytest.approx(13 * FRAME_SECONDS, abs=3 * FRAME_SECONDS)
    assert found.longest_gap == pytest.approx(10 * FRAME_SECONDS, abs=2 * FRAME_SECONDS)


def test_packets_that_were_left_out_are_missed_and_those_put_in_twice_are_not_counted(voice: np.ndarray) -> None:
    frames = voice[: 6 * RATE].reshape(-1, FRAME)
    kept = np.concatenate([frames[:100], frames[98:100], frames[125:]])
    found = heard(kept.reshape(-1), voice)
    assert found is not None
    assert found.missing == pytest.approx(25 * FRAME_SECONDS, abs=4 * FRAME_SECONDS)
    assert found.sound == pytest.approx(5.5, abs=0.1)


def test_another_voice_and_silence_are_not_heard(voice: np.ndarray, tmp_path: Path) -> None:
    other = read_samples(wav.write_voice(tmp_path / "other.wav", 4, seed=71))
    assert (found := heard(other, voice)) is None or found.sound < 0.5
    assert heard(np.zeros(RATE, dtype=np.float32), voice) is None


def test_a_recording_that_was_pulled_together_by_less_than_a_packet_has_all_its_sound(voice: np.ndarray) -> None:
    kept = np.concatenate([voice[: 2 * RATE], voice[2 * RATE + 37 : 6 * RATE], voice[6 * RATE + 90 : 9 * RATE]])
    found = heard(kept, voice)
    assert found is not None
    assert found.missing <= 4 * FRAME_SECONDS
    assert found.longest_gap <= 2 * FRAME_SECONDS
    assert found.sound == pytest.approx(9, abs=0.1)
