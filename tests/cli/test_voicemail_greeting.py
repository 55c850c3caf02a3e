"""`denwa voicemail greeting`."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import pytest

from denwa.config.settings import DATA
from tests.cli.terminal import Terminal, open_terminal

NUMBER = "05050010001"
SPEECH = DATA / "prompts" / "suspended.wav"  # 3.1 s


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "山田", "--mail", "y@example.jp", "--number", NUMBER)
    return terminal


def refusal(terminal: Terminal, *arguments: str) -> str:
    ended = terminal(*arguments)
    assert ended.code == 1
    return ended.err


def test_own_greeting_is_set_shown_saved_and_cleared(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.done("voicemail", "greeting", "show", NUMBER).out == "050-5001-0001: the service's greeting\n"
    said = terminal.done("voicemail", "greeting", "set", "050-5001-0001", str(SPEECH)).out
    assert said == "050-5001-0001: own greeting, 0:03\n"
    shown = json.loads(terminal.done("voicemail", "greeting", "show", NUMBER, "--json").out)
    assert shown["number"] == NUMBER
    assert shown["own"]["source"] == "file"
    assert shown["own"]["made_by"].startswith("cli:")
    assert shown["own"]["made_at"].endswith("+09:00")
    assert "by file since" in terminal.done("voicemail", "greeting", "show", NUMBER).out
    copy = tmp_path / "copy.wav"
    terminal.done("voicemail", "greeting", "show", NUMBER, "--out", str(copy))
    with wave.open(io.BytesIO(copy.read_bytes())) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(3.1, abs=0.1)
    assert terminal.done("voicemail", "greeting", "clear", NUMBER).out == "050-5001-0001: the service's greeting\n"
    assert "has no own greeting" in refusal(terminal, "voicemail", "greeting", "clear", NUMBER)
    assert "has no own greeting" in refusal(terminal, "voicemail", "greeting", "show", NUMBER, "--out", "x")


def test_wrong_file_is_named_with_what_is_wrong_with_it(terminal: Terminal, tmp_path: Path) -> None:
    text = tmp_path / "greeting.wav"
    text.write_text("こんにちは")
    fault = refusal(terminal, "voicemail", "greeting", "set", NUMBER, str(text))
    assert f"{text}: not a WAV file" in fault
    fault = refusal(terminal, "voicemail", "greeting", "set", NUMBER, str(tmp_path / "none.wav"))
    assert "No such file" in fault
    fault = refusal(terminal, "voicemail", "greeting", "set", "05050019999", str(SPEECH))
    assert "is not the number of a subscriber" in fault
