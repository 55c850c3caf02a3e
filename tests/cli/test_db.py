"""`denwa db`: each kind of damage is found and named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from denwa.storage.migrate import JOURNAL, MAIN
from tests.cli.terminal import Terminal, open_terminal

NUMBER = "05050010001"
CALL = {
    "id": 1,
    "end_seq": 1,
    "call_id": "a@b",
    "leg": "outgoing",
    "subscriber": "+815050010001",
    "direction": "outgoing",
    "caller": "+815050010001",
    "callee": "+81312345678",
    "class": "fixed",
    "started_at": 1_000,
    "answered_at": 2_000,
    "ended_at": 63_000,
    "duration_ms": 61_000,
    "end_cause": "caller",
    "sip_status": 200,
    "forwarded_by": "",
    "voicemail": 0,
    "dialog": "",
}


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--number", NUMBER)
    return terminal


def execute(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, values)


def put_call(terminal: Terminal, **values: object) -> None:
    row = CALL | values
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    execute(terminal.data_dir / "journal.db", f"INSERT INTO calls ({names}) VALUES ({marks})", *row.values())


def fault(terminal: Terminal) -> str:
    ended = terminal("db", "check")
    assert ended.code == 1
    assert "1 faults found" in ended.err
    return ended.err


def test_a_sound_database_passes(terminal: Terminal) -> None:
    put_call(terminal)
    put_call(terminal, id=2, end_seq=2, answered_at=None, duration_ms=0, ended_at=1_500, sip_status=486)
    put_call(terminal, id=3, end_seq=None, ended_at=None, duration_ms=0, end_cause="")
    assert "consistent" in terminal.done("db", "check").out


def test_an_empty_folder_wants_an_upgrade_and_then_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    ended = terminal("db", "check")
    assert ended.code == 1
    assert "denwa db upgrade" in ended.err
    done = [f"main: empty -> {MAIN.head}", f"journal: empty -> {JOURNAL.head}"]
    assert terminal.done("db", "upgrade").out.splitlines() == done
    assert terminal.done("db", "upgrade").out == "nothing to do\n"
    terminal.done("db", "check")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"duration_ms": 60_999}, "duration"),  # C4
        ({"answered_at": None, "duration_ms": 5}, "unanswered"),
        ({"end_seq": None}, "end number"),
        ({"ended_at": 500, "answered_at": None, "duration_ms": 0}, "before they begin"),
    ],
)
def test_a_call_record_that_contradicts_itself_is_found(
    terminal: Terminal, values: dict[str, object], says: str
) -> None:
    put_call(terminal, id=77, **values)
    said = fault(terminal)
    assert says in said
    assert ": 77" in said


@pytest.mark.parametrize(
    ("values", "sound"),
    [
        ({}, True),
        ({"ended_at": 63_001, "duration_ms": 61_001}, False),
        ({"answered_at": 2_001, "duration_ms": 60_999}, False),
        ({"answered_at": None, "duration_ms": 0}, False),
        ({"call_id": "its own was deleted", "ended_at": 63_001, "duration_ms": 61_001}, True),
    ],
)
def test_a_forwarded_call_that_is_not_as_long_as_its_call_is_found(
    terminal: Terminal, values: dict[str, object], sound: bool
) -> None:  # F4
    put_call(terminal)
    put_call(terminal, id=2, end_seq=2, leg="forwarded", forwarded_by="+815050010002", **values)
    if sound:
        terminal.done("db", "check")
    else:
        assert "as long as their call (F4): 2" in fault(terminal)


def test_two_records_with_one_end_number_are_found(terminal: Terminal) -> None:
    journal = terminal.data_dir / "journal.db"
    with closing(sqlite3.connect(journal)) as connection, connection:  # a table without the constraint
        connection.execute("ALTER TABLE calls RENAME TO old")
        connection.execute("CREATE TABLE calls AS SELECT * FROM old")
    put_call(terminal, id=1)
    put_call(terminal, id=2)
    assert "share an end number: 1, 2" in fault(terminal)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("forward_mode = 'always', forward_target = '+81312345678'", "F2"),
        ("state = 'terminated'", "end of contract"),
        ("realm = 'other.example'", "realm"),
        ("sip_password_sealed = 'AAAA'", "50010001 cannot be opened"),
    ],
)
def test_a_subscriber_that_breaks_a_rule_is_found(terminal: Terminal, change: str, says: str) -> None:
    execute(terminal.data_dir / "denwa.db", f"UPDATE subscribers SET {change}")
    assert says in fault(terminal)


def test_an_account_that_is_not_of_the_number_is_found(terminal: Terminal) -> None:  # N2
    execute(terminal.data_dir / "denwa.db", "UPDATE subscribers SET account = '50010009'")
    ended = terminal("db", "check")
    assert ended.code == 1
    assert "(N2): +815050010001" in ended.err
    assert "cannot be opened" in ended.err  # a sealed password is bound to its account


def test_a_lost_key_is_found_and_no_new_one_is_made(terminal: Terminal) -> None:
    (terminal.data_dir / "secret.key").unlink()
    assert "secret.key" in fault(terminal)
    assert not (terminal.data_dir / "secret.key").exists()


def rated_call(terminal: Terminal) -> Path:
    """The main database with one rated call: 24 yen, all of it credit."""
    execute(terminal.data_dir / "denwa.db", "UPDATE subscribers SET service_start = 0")
    noon = 1_700_000_000_000
    put_call(terminal, started_at=noon - 3_000, answered_at=noon, ended_at=noon + 61_000)
    terminal.done("calls")
    terminal.done("db", "check")
    return terminal.data_dir / "denwa.db"


def test_a_ledger_that_does_not_sum_to_zero_is_found(terminal: Terminal) -> None:
    main = rated_call(terminal)
    execute(main, "UPDATE entries SET yen = -16 WHERE yen = -24")
    ended = terminal("db", "check")
    assert ended.code == 1
    assert "sum to 8 yen" in ended.err
    assert "do not sum to 0: 1/0" in ended.err
    assert "not what they say: 1/0" in ended.err


def test_credit_that_was_not_used_by_a_call_is_found(terminal: Terminal) -> None:  # T4
    execute(
        terminal.data_dir / "denwa.db",
        "INSERT INTO credit_accounts VALUES ('+815050010001', 100, 40, 0, '')",
    )
    assert "T4" in fault(terminal)


def test_a_file_that_is_no_database_is_told(terminal: Terminal) -> None:
    for file in terminal.data_dir.glob("denwa.db*"):
        file.unlink()
    (terminal.data_dir / "denwa.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    ended = terminal("db", "check")
    assert (ended.code, ended.err) == (1, "denwa: database: file is not a database\n")


@pytest.mark.parametrize(
    ("url", "code"), [("nonsense", 2), ("oracle9://x/y", 2), ("postgresql://127.0.0.1:1/denwa", 1)]
)
def test_a_database_that_cannot_be_reached_is_told(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, url: str, code: int
) -> None:
    monkeypatch.setenv("DENWA_DATABASE__URL", url)
    ended = terminal("db", "check")
    assert ended.code == code
    assert "database" in ended.err
    assert "Traceback" not in ended.err


def test_many_faults_of_a_kind_are_counted_and_the_first_are_named(terminal: Terminal) -> None:
    for n in range(1, 31):
        put_call(terminal, id=n, end_seq=n, duration_ms=1)
    said = fault(terminal)
    assert "1, 2, 3" in said
    assert "and 10 more" in said
