"""`denwa block`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, open_terminal

NUMBER = "05050010001"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--number", NUMBER)
    return terminal


def test_numbers_are_blocked_listed_and_removed_in_any_form(terminal: Terminal) -> None:  # B1, N3
    assert terminal.done("block", "add", NUMBER, "+819012345678").out == "090-1234-5678 blocked\n"
    terminal.done("block", "add", "050-5001-0001", "０３－１２３４－５６７８")
    assert terminal.done("block", "list", NUMBER).out == "090-1234-5678\n03-1234-5678\n"
    assert terminal.done("block", "list", NUMBER, "--json").json == ["09012345678", "0312345678"]
    terminal.done("block", "remove", NUMBER, "090-1234-5678")
    assert terminal.done("block", "list", NUMBER, "--json").json == ["0312345678"]


def test_blocking_twice_changes_nothing_and_is_no_fault(terminal: Terminal) -> None:
    terminal.done("block", "add", NUMBER, "09012345678")
    assert "already" in terminal.done("block", "add", NUMBER, "09012345678").out
    assert terminal.done("block", "list", NUMBER, "--json").json == ["09012345678"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["remove", NUMBER, "09012345678"], 1, "090-1234-5678 is not on the blocklist"),
        (["add", "05050010002", "09012345678"], 1, "050-5001-0002 is not a subscriber"),
        (["list", "05050010002"], 1, "050-5001-0002 is not a subscriber"),
        (["add", NUMBER, "hello"], 2, "hello"),
        (["add", NUMBER], 2, "BLOCKED"),
    ],
)
def test_what_cannot_be_done_says_so(terminal: Terminal, arguments: list[str], code: int, says: str) -> None:
    ended = terminal("block", *arguments)
    assert ended.code == code
    assert says in ended.err


def test_the_fifty_first_number_is_refused(terminal: Terminal) -> None:  # B1
    row = "INSERT INTO blocked_numbers (subscriber, blocked, added_at) VALUES ('+815050010001', ?, 0)"
    with closing(sqlite3.connect(terminal.data_dir / "denwa.db")) as connection, connection:
        connection.executemany(row, [(f"+8190123456{n:02d}",) for n in range(49)])
    terminal.done("block", "add", NUMBER, "09012345649")
    ended = terminal("block", "add", NUMBER, "09012345650")
    assert ended.code == 1
    assert "50 numbers" in ended.err
