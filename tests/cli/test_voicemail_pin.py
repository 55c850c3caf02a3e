"""`denwa voicemail pin`, `denwa dial` of the box's numbers, and the access number that nobody is given."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.cli.terminal import Ended, Terminal, open_terminal

NUMBER = "05050010001"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """The first number of the range is the access number."""
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DENWA_VOICEMAIL__ACCESS_NUMBER", "050-5001-0000")
    return terminal


def add(terminal: Terminal, *more: str) -> Ended:
    return terminal("subscriber", "add", "--name", "山田", "--mail", "y@example.jp", *more)


def test_a_pin_is_set_shown_and_cleared_and_never_printed(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(terminal)  # V6
    monkeypatch.setattr("sys.stdin", io.StringIO("271828\n"))
    assert "271828" not in terminal.done("voicemail", "pin", "set", NUMBER, "--pin", "-").out
    shown = terminal.done("voicemail", "pin", "show", NUMBER, "--json").json
    assert shown == {"number": NUMBER, "pin": True, "locked_until": None}
    terminal.done("voicemail", "pin", "unlock", NUMBER)
    terminal.done("voicemail", "pin", "clear", NUMBER)
    assert "no PIN" in terminal.done("voicemail", "pin", "show", NUMBER).out
    assert terminal("voicemail", "pin", "clear", NUMBER).code == 1


@pytest.mark.parametrize("pin", ["123", "1234", "10001", "abcd"])
def test_what_is_no_pin_is_refused_with_the_reason(terminal: Terminal, pin: str) -> None:
    add(terminal)
    ended = terminal("voicemail", "pin", "set", NUMBER, "--pin", pin)
    assert ended.code == 1
    assert "denwa:" in ended.err
    assert terminal("voicemail", "pin", "set", "05050019998", "--pin", "2718").code == 1


def test_the_access_number_is_given_to_nobody(terminal: Terminal) -> None:  # N1 V6
    assert add(terminal, "--number", "05050010000").code == 1
    assert "050-5001-0001" in add(terminal).out
    assert "050-5001-0002" in add(terminal).out


def test_dial_tells_the_numbers_of_the_box(terminal: Terminal) -> None:  # V6
    for dialled in ("1417", "１４１７", "184-1417"):
        told = terminal.done("dial", dialled, "--json").json
        assert (told["allowed"], told["service"], told["pin"], told["yen_per_unit"]) == (
            True,
            "voicemail-box",
            False,
            0,
        )
    assert "留守番電話" in terminal.done("dial", "1417").out
    assert terminal.done("dial", "05050010000", "--json").json["pin"] is True
    assert terminal("dial", "1418").code == 1


def test_a_box_number_that_is_not_set_is_barred_like_every_service(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENWA_VOICEMAIL__BOX_NUMBER", "")
    assert terminal("dial", "1417").code == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOX_NUMBER", "110"),
        ("BOX_NUMBER", "1190"),
        ("BOX_NUMBER", "1841"),
        ("BOX_NUMBER", "2417"),
        ("ACCESS_NUMBER", "0312345678"),
        ("ACCESS_NUMBER", "05050"),
        ("ACCESS_NUMBER", "05020000000"),  # another carrier's
    ],
)
def test_numbers_that_cannot_be_the_boxs_are_refused_when_checked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DENWA_VOICEMAIL__{name}", value)
    ended = terminal("config", "check")
    assert ended.code == 2
    assert name.lower() in ended.err
