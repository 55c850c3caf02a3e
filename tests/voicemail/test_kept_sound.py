"""From the recording to the file that is kept, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.voicemail import wav
from denwa.voicemail.kept_sound import keep
from denwa.voicemail.sound import message
from tests.voicemail.voices import voice


def test_recording_stays_and_what_is_kept_is_for_the_service_only(tmp_path: Path) -> None:
    """V7: it can be done again"""
    recording, draft = tmp_path / "a.wav", tmp_path / "a.wav.tmp"
    recording.write_bytes(voice(2000))
    assert keep(recording, draft, wide=False) == 2000
    assert recording.read_bytes() == voice(2000)
    assert draft.stat().st_mode & 0o777 == 0o600
    assert wav.duration_ms(draft) == 2000
    first = draft.read_bytes()
    assert keep(recording, draft, wide=False) == 2000
    assert draft.read_bytes() == first


def test_nothing_is_written_when_nobody_speaks(tmp_path: Path) -> None:
    recording, draft = tmp_path / "a.wav", tmp_path / "a.wav.tmp"
    for data in (b"", voice(0), voice(500)):
        recording.write_bytes(data)
        assert keep(recording, draft, wide=False) is None
    assert not draft.exists()


def test_words_are_not_lost_when_they_cannot_be_treated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """V7"""

    def broken(*_: object, **__: object) -> None:
        raise FloatingPointError("no such number")

    monkeypatch.setattr(message, "find_speech", broken)
    recording, draft = tmp_path / "a.wav", tmp_path / "a.wav.tmp"
    recording.write_bytes(voice(2000))
    assert keep(recording, draft, wide=False) == 2000
    assert draft.read_bytes() == voice(2000)
    assert "kept as it was recorded" in caplog.text
