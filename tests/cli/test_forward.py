"""`denwa forward` (F5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, open_terminal

ALICE, BOB = "05050010001", "05050010002"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    for number, mail in ((ALICE, "a@example.jp"), (BOB, "b@example.jp")):
        made.done("subscriber", "add", "--name", "山田", "--mail", mail, "--number", number)
    made.done("subscriber", "set", ALICE, "forward=always:0312345678")
    return made


def failed(terminal: Terminal, code: int, *arguments: str) -> str:
    """The command must end with this exit code; what it says."""
    ended = terminal(*arguments)
    assert ended.code == code, ended
    return ended.err


def test_a_forwarding_is_stopped_listed_and_allowed_again(terminal: Terminal) -> None:
    out = terminal.done("forward", "stop", ALICE, "--reason", "苦情").out
    assert "050-5001-0001 does not forward to 03-1234-5678 any more" in out
    assert terminal.done("subscriber", "show", ALICE, "--json").json["forward"] == "off"
    assert "operator" in failed(terminal, 1, "subscriber", "set", ALICE, "forward=always:03-1234-5678")
    (kept,) = terminal.done("forward", "list", "--json").json
    assert (kept["number"], kept["target"], kept["reason"], kept["allowed_at"]) == (ALICE, "0312345678", "苦情", None)
    terminal.done("forward", "allow", ALICE, "0312345678")
    assert "allowed again" in terminal.done("forward", "list", "--number", ALICE).out
    terminal.done("subscriber", "set", ALICE, "forward=always:0312345678")


def test_the_subscriber_is_told_by_mail(terminal: Terminal) -> None:
    terminal.done("forward", "stop", ALICE)
    (notice,) = terminal.done("notices", "list", "--number", ALICE, "--json").json
    assert (notice["kind"], notice["state"], notice["channel"]) == ("forwarding", "given", "mail")
    assert "間違い電話" in terminal.done("notices", "show", str(notice["id"])).out


def test_what_cannot_be_stopped_or_allowed_is_said(terminal: Terminal) -> None:
    assert "does not forward" in failed(terminal, 1, "forward", "stop", BOB)
    assert "not a subscriber" in failed(terminal, 1, "forward", "stop", "05050019999")
    assert "was stopped" in failed(terminal, 1, "forward", "allow", ALICE, "0312345678")
    failed(terminal, 2, "forward", "stop", ALICE, "--reason", " ")


def test_a_circle_of_forwardings_is_refused_when_it_is_saved(terminal: Terminal) -> None:  # F3
    terminal.done("subscriber", "set", BOB, f"forward=noanswer:{ALICE}")
    assert "circle" in failed(terminal, 1, "subscriber", "set", ALICE, f"forward=always:{BOB}")
