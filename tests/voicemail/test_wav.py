"""Recordings as files."""

from __future__ import annotations

import itertools
import os
import struct
import tempfile
import wave
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voicemail import wav


def killed(data: bytes) -> bytes:
    """A file as the recorder leaves it when it is killed: the sizes in the header are 0."""
    whole = bytearray(wav.tone(milliseconds=10)[: wav.HEADER_BYTES])
    struct.pack_into("<I", whole, 4, 0)
    struct.pack_into("<I", whole, 40, 0)
    return bytes(whole) + data


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(max_size=3000))
def test_killed_recording_becomes_a_valid_wav_of_all_its_whole_frames(data: bytes) -> None:
    """V7"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        path.write_bytes(killed(data))
        assert wav.repair(path, 60_000) == len(data) // 2 * 1000 // 8000
        with wave.open(str(path)) as sound:
            assert sound.readframes(9999) == data[: len(data) // 2 * 2]
            assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)  # V5
        assert wav.is_complete(path)
        before = path.read_bytes()
        wav.repair(path, 60_000)
        assert path.read_bytes() == before


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(max_size=43))
def test_file_killed_before_its_header_was_written_is_an_empty_wav(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        path.write_bytes(data)
        assert wav.repair(path, 60_000) == 0
        assert wav.duration_ms(path) == 0


def test_recording_is_cut_to_the_longest_message_to_the_frame(tmp_path: Path) -> None:
    """V2: 60 seconds."""
    path = tmp_path / "x.wav"
    path.write_bytes(killed(b"\1\2" * (8000 * 60 + 321)))
    assert wav.repair(path, 60_000) == 60_000
    with wave.open(str(path)) as sound:
        assert sound.getnframes() == 480_000


def test_repair_keeps_the_time_at_which_the_recording_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(killed(b"\0" * 100))
    os.utime(path, ns=(1_700_000_000_123_000_000, 1_700_000_000_123_000_000))
    wav.repair(path, 60_000)
    assert path.stat().st_mtime_ns == 1_700_000_000_123_000_000


def test_file_is_complete_only_when_its_header_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    assert not wav.is_complete(path)
    path.write_bytes(killed(b"\0" * 100))
    assert not wav.is_complete(path)


def test_tone_is_half_a_second_of_one_kilohertz(tmp_path: Path) -> None:
    """V2"""
    path = tmp_path / "tone.wav"
    path.write_bytes(wav.tone())
    assert wav.duration_ms(path) == 500
    with wave.open(str(path)) as sound:
        frames = struct.unpack("<4000h", sound.readframes(4000))
    crossings = sum(a < 0 <= b for a, b in itertools.pairwise(frames))
    assert crossings == pytest.approx(500, abs=1)
    assert max(frames) < 32767 * 0.51
