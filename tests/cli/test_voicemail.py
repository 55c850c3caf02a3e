"""`denwa voicemail`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from denwa.storage.engine import open_engine
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail import wav
from denwa.voicemail.ports import Recording
from denwa.voicemail.setup import open_sounds
from tests.cli.terminal import Terminal

NUMBER = "05050010001"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.setenv("DENWA_DATA_DIR", str(tmp_path / "data"))
    terminal = Terminal(tmp_path / "data", monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "山田", "--mail", "y@example.jp", "--number", NUMBER)
    return terminal


def deposit(terminal: Terminal, name: str, age: timedelta = timedelta(hours=1), caller: str = "+819012345678") -> int:
    sounds = open_sounds(Settings(data_dir=terminal.data_dir))
    source = terminal.data_dir / "new.wav"
    source.write_bytes(wav.tone(milliseconds=1000))
    key = f"815050010001/{name}.wav"
    sounds.put(source, key)
    recorded_at = datetime.now(UTC).replace(microsecond=0) - age
    hidden = "" if caller else "payphone"
    recording = Recording(
        *(name, "+815050010001", caller, hidden, "c@x", 486),
        *(recorded_at - timedelta(seconds=9), recorded_at, 1000, sounds.size(key), key),
    )
    engine = open_engine(f"sqlite:///{terminal.data_dir / 'denwa.db'}")
    try:
        message_id = MailboxStore(engine).deposit(recording, None, recorded_at)
    finally:
        engine.dispose()
    assert message_id is not None
    return message_id


def test_list_shows_messages_oldest_first_with_how_full_the_box_is(terminal: Terminal) -> None:
    deposit(terminal, "b", timedelta(hours=1))
    deposit(terminal, "a", timedelta(hours=2), caller="")
    lines = terminal.done("voicemail", "list", "050-5001-0001").out.splitlines()
    assert "公衆電話" in lines[0]
    assert "090-1234-5678" in lines[1]
    assert lines[2] == "2/10"


def test_list_as_json_names_numbers_in_national_digits_and_times_in_japan(terminal: Terminal) -> None:
    message_id = deposit(terminal, "a")
    [message] = terminal.done("voicemail", "list", "+81 50 5001 0001", "--json").json
    assert message["id"] == message_id
    assert message["number"] == NUMBER
    assert message["caller"] == "09012345678"
    assert message["duration_ms"] == 1000
    assert message["recorded_at"].endswith("+09:00")
    recorded, until = (datetime.fromisoformat(message[key]) for key in ("recorded_at", "kept_until"))
    assert until - recorded == timedelta(days=7)  # V4


def test_empty_box_lists_nothing(terminal: Terminal) -> None:
    assert terminal.done("voicemail", "list", NUMBER, "--json").json == []
    assert terminal.done("voicemail", "list", NUMBER).out == "0/10\n"


def test_message_past_its_seven_days_is_not_shown_even_if_no_service_ran(terminal: Terminal) -> None:
    """V4"""
    message_id = deposit(terminal, "old", timedelta(days=7, seconds=1))
    assert terminal.done("voicemail", "list", NUMBER, "--json").json == []
    assert terminal("voicemail", "get", NUMBER, str(message_id)).code == 1


def test_show_tells_everything_of_one_message(terminal: Terminal) -> None:
    message_id = deposit(terminal, "a")
    assert terminal.done("voicemail", "show", NUMBER, str(message_id), "--json").json["cause"] == 486
    assert "09012345678" in terminal.done("voicemail", "show", NUMBER, str(message_id)).out


def test_get_writes_the_wav(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = deposit(terminal, "a")
    out = tmp_path / "message.wav"
    terminal.done("voicemail", "get", NUMBER, str(message_id), "--out", str(out))
    assert out.read_bytes() == wav.tone(milliseconds=1000)
    monkeypatch.chdir(tmp_path)
    assert terminal.done("voicemail", "get", NUMBER, str(message_id)).out == f"voicemail-{message_id}.wav\n"
    assert wav.duration_ms(tmp_path / f"voicemail-{message_id}.wav") == 1000


def test_get_into_a_folder_that_is_not_there_says_so(terminal: Terminal, tmp_path: Path) -> None:
    message_id = deposit(terminal, "a")
    ended = terminal("voicemail", "get", NUMBER, str(message_id), "--out", str(tmp_path / "no" / "x.wav"))
    assert ended.code == 1
    assert "x.wav" in ended.err


def test_delete_removes_sound_and_metadata_for_good(terminal: Terminal) -> None:
    """V4"""
    message_id = deposit(terminal, "a")
    terminal.done("voicemail", "delete", NUMBER, str(message_id))
    assert terminal.done("voicemail", "list", NUMBER, "--json").json == []
    assert open_sounds(Settings(data_dir=terminal.data_dir)).keys() == set()
    assert terminal("voicemail", "delete", NUMBER, str(message_id)).code == 1


def test_message_of_another_subscriber_is_not_reached(terminal: Terminal) -> None:
    message_id = deposit(terminal, "a")
    other = "05050010002"
    terminal.done("subscriber", "add", "--name", "B", "--mail", "b@example.jp", "--number", other)
    ended = terminal("voicemail", "get", other, str(message_id))
    assert (ended.code, "no message" in ended.err) == (1, True)


def test_number_without_subscriber_is_exit_code_1_and_no_number_is_2(terminal: Terminal) -> None:
    assert terminal("voicemail", "list", "05050010009").code == 1
    assert terminal("voicemail", "list", "abc").code == 2
    assert terminal("voicemail", "get", NUMBER, "abc").code == 2
