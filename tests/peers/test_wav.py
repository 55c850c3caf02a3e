"""The measure of likeness tells a voice from another one, and from silence."""

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.peers import wav


def test_a_sample_is_found_where_it_starts_in_a_longer_recording(tmp_path: Path) -> None:
    sample = wav.write_voice(tmp_path / "a.wav", 3, seed=1)
    silence, noise = np.zeros(wav.RATE), np.random.default_rng(0).normal(0, 300, 4 * wav.RATE)
    wav.write_wav(tmp_path / "rec.wav", np.concatenate([silence, wav.read_wav(sample)]) + noise)
    assert wav.contains(tmp_path / "rec.wav", sample) > 0.97
    assert wav.where(tmp_path / "rec.wav", sample) == pytest.approx(1.0, abs=0.001)
    assert wav.seconds(tmp_path / "rec.wav") == 4.0


@pytest.mark.parametrize("other", ["voice", "silence"])
def test_another_voice_or_silence_is_not_taken_for_the_sample(tmp_path: Path, other: str) -> None:
    sample = wav.write_voice(tmp_path / "a.wav", 3, seed=1)
    wav.write_voice(tmp_path / "voice.wav", 5, seed=2)
    wav.write_wav(tmp_path / "silence.wav", np.zeros(5 * wav.RATE))
    assert wav.likeness(tmp_path / f"{other}.wav", sample) < 0.5
    assert wav.contains(tmp_path / f"{other}.wav", sample) < 0.5


def test_a_sample_is_found_again_in_its_mulaw_form_and_at_another_sampling_rate(tmp_path: Path) -> None:
    sample = wav.write_voice(tmp_path / "a.wav", 2, seed=3)
    raw = wav.write_mulaw(tmp_path / "a.ul", sample).read_bytes()
    code = ~np.frombuffer(raw, np.uint8) & 0xFF
    magnitude = (((code & 0x0F) << 3).astype(int) + 132 << (code >> 4 & 7)) - 132
    wav.write_wav(tmp_path / "decoded.wav", np.where(code & 0x80, -magnitude, magnitude).astype(float))
    assert wav.likeness(tmp_path / "decoded.wav", sample) > 0.99
    doubled = np.repeat(wav.read_wav(sample), 2).astype("<i2")
    with wave.open(str(tmp_path / "16k.wav"), "wb") as out:
        out.setparams((1, 2, 2 * wav.RATE, len(doubled), "NONE", ""))
        out.writeframes(doubled.tobytes())
    assert wav.likeness(tmp_path / "16k.wav", sample) > 0.95


def test_a_voice_that_a_busy_machine_has_cut_up_is_still_told_from_another(tmp_path: Path) -> None:
    voice, other = (wav.write_voice(tmp_path / f"{seed}.wav", 4, seed) for seed in (4, 5))
    chance = np.random.default_rng(6)
    frames = list(wav.read_wav(voice).reshape(-1, 160))
    times = chance.choice([0, 1, 2], len(frames), p=[0.05, 0.9, 0.05])  # lost, heard, heard twice
    wav.write_wav(tmp_path / "heard.wav", np.concatenate([np.tile(f, n) for f, n in zip(frames, times, strict=True)]))
    assert wav.likeness(tmp_path / "heard.wav", voice) > 0.7
    assert wav.likeness(tmp_path / "heard.wav", other) < 0.5
