"""`denwa voicemail store`, and what `denwa db check` says of sounds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from denwa.voicemail import wav
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.sound_store.sealed import SealedSounds
from tests.cli.terminal import Terminal
from tests.cli.test_voicemail import NUMBER, deposit

SOUND = wav.tone(milliseconds=1000)
KEY = "815050010001/a.wav"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.setenv("DENWA_DATA_DIR", str(tmp_path / "data"))
    terminal = Terminal(tmp_path / "data", monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "山田", "--mail", "y@example.jp", "--number", NUMBER)
    return terminal


def sounds(terminal: Terminal) -> SealedSounds:
    return open_sounds(Settings(data_dir=terminal.data_dir))


def age(path: Path, seconds: float) -> None:
    os.utime(path, times=(time.time() - seconds,) * 2)


def test_new_store_is_sound_and_a_look_at_it_makes_nothing(terminal: Terminal) -> None:
    assert terminal.done("voicemail", "store", "check").out == "0 sounds, not opened; keys, newest first: none yet\n"
    assert not (terminal.data_dir / "voicemail.key").exists()
    assert not (terminal.data_dir / "voicemail").exists()


def test_key_is_changed_while_messages_stay_readable_and_the_old_one_goes_last(terminal: Terminal) -> None:
    message = str(deposit(terminal, "a"))
    first = sounds(terminal).key_file.keys()[0]
    terminal.done("voicemail", "store", "rekey")
    assert first.id not in sounds(terminal).objects.get(KEY)[:16]
    early = terminal("voicemail", "store", "forget-keys")
    assert (early.code, "not 10 minutes old" in early.err) == (1, True)
    age(terminal.data_dir / "voicemail.key", 601)
    assert terminal.done("voicemail", "store", "forget-keys").out == "1 keys removed\n"
    assert first.secret.hex() not in (terminal.data_dir / "voicemail.key").read_text()
    out = terminal.data_dir / "out.wav"
    terminal.done("voicemail", "get", NUMBER, message, "--out", str(out))
    assert out.read_bytes() == SOUND
    assert "1 sounds, all open" in terminal.done("voicemail", "store", "check", "--open").out


def test_interrupted_change_of_key_is_finished_without_another_key(terminal: Terminal) -> None:
    deposit(terminal, "a")
    sounds(terminal).key_file.add()
    assert "1 sounds sealed" in terminal.done("voicemail", "store", "rekey", "--continue").out
    assert len(sounds(terminal).key_file.keys()) == 2
    assert "0 sounds sealed" in terminal.done("voicemail", "store", "rekey", "--continue").out


def test_old_key_stays_while_a_sound_cannot_be_opened_with_the_newest(terminal: Terminal) -> None:
    deposit(terminal, "a")
    deposit(terminal, "b")
    store = sounds(terminal)
    sealed = store.objects.get(KEY)
    store.objects.put(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    ended = terminal("voicemail", "store", "rekey")
    assert ended.code == 1
    assert f"sound {KEY}: it was changed" in ended.err
    age(terminal.data_dir / "voicemail.key", 601)
    assert "1 sounds cannot be opened" in terminal("voicemail", "store", "forget-keys").err
    assert len(store.key_file.keys()) == 2
    assert len(store.keys()) == 2  # nothing is deleted


def test_sound_that_was_changed_is_named_and_stays(terminal: Terminal) -> None:
    message = str(deposit(terminal, "a"))
    store = sounds(terminal)
    sealed = store.objects.get(KEY)
    store.objects.put(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    for command in (("store", "check", "--open"), ("get", NUMBER, message)):
        ended = terminal("voicemail", *command)
        assert (ended.code, f"sound {KEY}: it was changed, or belongs to another message" in ended.err) == (1, True)
    assert terminal.done("voicemail", "list", NUMBER, "--json").json
    assert store.keys() == {KEY}


def test_lost_key_is_told_by_every_command_that_needs_it(terminal: Terminal) -> None:
    message = str(deposit(terminal, "a"))
    (terminal.data_dir / "voicemail.key").unlink()
    commands = [("store", "check"), ("store", "rekey"), ("get", NUMBER, message)]
    for ended in [terminal("voicemail", *command) for command in commands] + [terminal("db", "check")]:
        assert (ended.code, "voicemail.key is missing" in ended.err) == (1, True)
    terminal.done("voicemail", "delete", NUMBER, message)  # what its owner may still do


def test_messages_without_sound_and_sounds_without_message_are_named(terminal: Terminal) -> None:
    deposit(terminal, "a")
    deposit(terminal, "b")
    store = sounds(terminal)
    store.delete(KEY)
    store.objects.put("815050010001/lonely.wav", SOUND)
    (terminal.data_dir / "voicemail" / "spool").mkdir()
    (terminal.data_dir / "voicemail" / "spool" / "stray.wav").write_bytes(SOUND)
    texts = [
        f"1 messages or greetings without sound, for instance {KEY}",
        "1 recordings in the spool whose call is unknown, for instance stray.wav",
    ]
    lonely = "1 sounds without message, for instance 815050010001/lonely.wav"
    for command in (("db", "check"), ("voicemail", "store", "check")):
        ended = terminal(*command)
        assert ended.code == 1
        assert all(text in ended.err for text in texts)
        assert lonely not in ended.err  # it may be on its way into a mailbox
    age(terminal.data_dir / "voicemail" / "messages" / "815050010001" / "lonely.wav", 3601)
    assert lonely in terminal("db", "check").err
    assert len(terminal.done("voicemail", "list", NUMBER, "--json").json) == 2  # shown to its owner until its time ends


def test_store_that_is_away_is_told_without_a_traceback(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    message = str(deposit(terminal, "a"))
    for name, value in {"STORE": "s3", "ENDPOINT": "http://127.0.0.1:1", "BUCKET": "denwa", "TIMEOUT": "0.2"}.items():
        monkeypatch.setenv(f"DENWA_SOUNDS__{name}", value)
    monkeypatch.setenv("DENWA_SOUNDS__ACCESS_KEY", "key")
    monkeypatch.setenv("DENWA_SOUNDS__SECRET_KEY", "opensesame")
    for command in (
        ("voicemail", "store", "check"),
        ("voicemail", "get", NUMBER, message),
        ("voicemail", "delete", NUMBER, message),
        ("db", "check"),
    ):
        ended = terminal(*command)
        assert (ended.code, "nobody listens there" in ended.err, "opensesame" in ended.err) == (1, True, False)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("BUCKET", "", "is no name of a bucket"),
        ("ACCESS_KEY", "", "needs it"),
        ("SECRET_KEY", "", "needs it"),
        ("ENDPOINT", "https://user:hunter2@store.example", "write https://host"),
        ("ENDPOINT", "store.example:9000", "write https://host"),
        ("PREFIX", "/voice/", "write it like denwa/voicemail"),
        ("CA_FILE", "/no/ca.pem", "/no/ca.pem: No such file"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    good = {"STORE": "s3", "BUCKET": "denwa", "ACCESS_KEY": "key", "SECRET_KEY": "opensesame"}
    for name, text in (good | {setting: value}).items():
        monkeypatch.setenv(f"DENWA_SOUNDS__{name}", text)
    ended = terminal("config", "check")
    assert ended.code == 2
    assert setting in ended.err.upper()  # the variable, or sounds.…
    assert words in ended.err
    assert "hunter2" not in ended.err
