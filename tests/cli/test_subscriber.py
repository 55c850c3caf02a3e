"""`denwa subscriber`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.control import service
from tests.cli.terminal import Terminal, open_terminal

NUMBER = "05050010001"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return open_terminal(tmp_path, monkeypatch, capsys)


@pytest.fixture
def with_one(terminal: Terminal) -> Terminal:
    terminal.done("subscriber", "add", "--name", "山田", "--mail", "y@example.jp", "--number", NUMBER)
    return terminal


def test_add_prints_number_account_and_password(terminal: Terminal) -> None:
    out = terminal.done(
        "subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--sip-password", "open-sesame"
    ).out
    assert "050-5001-0000" in out  # N1: the first of the own range
    assert "50010000" in out  # N2
    assert "open-sesame" in out


def test_add_as_json_gives_what_a_phone_needs(terminal: Terminal) -> None:
    added = terminal.done("subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--json").json
    assert (added["number"], added["account"], added["domain"]) == ("05050010000", "50010000", "denwa.example")
    shown = terminal.done("subscriber", "show", added["number"], "--json", "--show-password").json
    assert shown["sip_password"] == added["sip_password"]


def test_the_password_is_shown_only_when_asked_for(with_one: Terminal) -> None:
    secret = with_one.done("subscriber", "show", NUMBER, "--json", "--show-password").json["sip_password"]
    for arguments in (["show", NUMBER], ["show", NUMBER, "--json"], ["list"], ["list", "--json"]):
        out = with_one.done("subscriber", *arguments).out
        assert secret not in out
        assert "sip_password" not in out.replace("sip_password (", "")


@pytest.mark.parametrize(
    "form",
    [
        NUMBER,
        "050-5001-0001",
        "+815050010001",
        "０５０５００１０００１",
        "tel:+815050010001",
        "sip:05050010001@h;user=phone",
    ],
)
def test_a_number_is_taken_in_every_form(with_one: Terminal, form: str) -> None:  # N3
    assert with_one.done("subscriber", "show", form, "--json").json["number"] == NUMBER


def test_a_table_writes_the_number_with_hyphens(with_one: Terminal) -> None:
    assert "050-5001-0001" in with_one.done("subscriber", "list").out
    assert "050-5001-0001" in with_one.done("subscriber", "show", NUMBER).out


def test_list_can_be_narrowed_to_a_state(with_one: Terminal) -> None:
    with_one.done("subscriber", "add", "--name", "B", "--mail", "b@example.jp")
    with_one.done("subscriber", "suspend", NUMBER)
    suspended = with_one.done("subscriber", "list", "--state", "suspended", "--json").json
    assert [one["number"] for one in suspended] == [NUMBER]
    assert len(with_one.done("subscriber", "list", "--json").json) == 2
    assert with_one.done("subscriber", "list", "--state", "terminated", "--json").json == []


def test_settings_are_set_together_and_shown(with_one: Terminal) -> None:
    values = ["ring_time=30", "mail_notice=attach", "delete_after_mail=on", "codecs=wifi", "international=on"]
    with_one.done("subscriber", "set", NUMBER, *values, "reject_anonymous=on", "forward=noanswer:03-1234-5678")
    shown = with_one.done("subscriber", "show", NUMBER, "--json").json
    assert shown["forward"] == "noanswer:0312345678"
    assert shown["voicemail"] is False  # F2
    assert (shown["ring_time"], shown["mail_notice"], shown["codecs"]) == (30, "attach", "wifi")
    assert [shown[key] for key in ("delete_after_mail", "international", "reject_anonymous")] == [True] * 3


def test_a_generated_password_replaces_the_old_one_and_is_printed(with_one: Terminal) -> None:  # N2
    old = with_one.done("subscriber", "show", NUMBER, "--json", "--show-password").json["sip_password"]
    out = with_one.done("subscriber", "set", NUMBER, "sip_password=generate").out
    new = with_one.done("subscriber", "show", NUMBER, "--json", "--show-password").json["sip_password"]
    assert new in out
    assert new != old


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["set", NUMBER, "ring_time=61"], 2, "ring_time"),
        (["set", NUMBER, "colour=blue"], 2, "colour"),
        (["set", NUMBER, "ring_time"], 2, "KEY=VALUE"),
        (["set", NUMBER, "ring_time=20", "ring_time=30"], 2, "twice"),
        (["set", NUMBER, "sip_password=mine"], 2, "generate"),
        (["set", NUMBER], 2, "Missing argument"),
        (["set", NUMBER, "forward=always:119"], 1, "119"),
        (["set", NUMBER, "forward=always:010-1-212-555-1234"], 1, "forward"),
        (["set", "05050019999", "ring_time=20"], 1, "050-5001-9999 is not a subscriber"),
        (["show", "05050019999"], 1, "050-5001-9999"),
        (["show", "x"], 2, "x"),
        (["resume", NUMBER], 1, "active"),
        (["add", "--name", "A", "--mail", "a@example.jp", "--number", NUMBER], 1, "given before"),
        (["add", "--name", "A", "--mail", "a@example.jp", "--number", "05011112222"], 1, "own ranges"),
        (["add", "--name", "A", "--mail", "nobody"], 2, "mail"),
        (["add", "--name", "A"], 2, "--mail"),
        (["add", "--name", "A", "--mail", "a@b.jp", "--bill-day", "29"], 2, "29"),
        (["import", "/no/such/file.csv"], 2, "/no/such/file.csv"),
    ],
)
def test_what_cannot_be_done_says_so_and_ends_with_its_code(
    with_one: Terminal, arguments: list[str], code: int, says: str
) -> None:
    ended = with_one("subscriber", *arguments)
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_a_contract_is_suspended_resumed_and_ended(with_one: Terminal) -> None:  # L2
    for command, state in (("suspend", "suspended"), ("resume", "active"), ("terminate", "terminated")):
        assert with_one.done("subscriber", command, NUMBER).out == f"050-5001-0001 {state}\n"
        assert with_one.done("subscriber", "show", NUMBER, "--json").json["state"] == state
    assert with_one("subscriber", "resume", NUMBER).code == 1


def test_a_suspended_subscriber_shows_why_and_was_told(with_one: Terminal) -> None:  # L2, K9
    with_one.done("subscriber", "suspend", NUMBER, "--reason", "misuse")
    (measure,) = with_one.done("subscriber", "show", NUMBER, "--json").json["measures"]
    assert measure.startswith("suspension misuse ")
    assert measure in with_one.done("subscriber", "show", NUMBER).out
    with_one.done("subscriber", "resume", NUMBER)
    assert with_one.done("subscriber", "show", NUMBER, "--json").json["measures"] == []
    told = with_one.done("notices", "list", "--json").json
    assert [(notice["kind"], notice["state"]) for notice in told] == [("suspension", "given"), ("resumption", "given")]


def test_who_cannot_be_told_by_mail_is_named(with_one: Terminal) -> None:  # K9
    with_one.done("subscriber", "set", NUMBER, "mail=")
    assert "cannot go by mail" in with_one.done("subscriber", "suspend", NUMBER).err


def test_a_card_is_named_by_its_token_and_shown_by_four_signs(with_one: Terminal) -> None:  # T7, L1
    add = ["subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--card-token"]
    refused = with_one(*add, "4111111111111111")
    assert (refused.code, "4111111111111111" in refused.err) == (2, False)
    numbers = [with_one.done(*add, "tok_0123456789", "--json").json["number"] for _ in range(5)]
    shown = with_one.done("subscriber", "show", numbers[0]).out
    assert "…6789" in shown
    assert "tok_" not in shown
    assert with_one(*add, "tok_0123456789").code == 1
    with_one.done(*add, "tok_0123456789", "--sixth-number")


def test_the_running_service_has_the_change_before_the_command_returns(with_one: Terminal) -> None:
    with service(with_one.data_dir, b"ok") as asked:
        with_one.done("subscriber", "set", NUMBER, "ring_time=30")
        assert asked == [b"subscribers\n"]


def test_a_service_that_did_not_take_the_change_up_is_told_of(with_one: Terminal) -> None:
    with service(with_one.data_dir, b"error database is gone"):
        ended = with_one("subscriber", "suspend", NUMBER)
    assert ended.code == 1
    assert "database is gone" in ended.err
    assert with_one.done("subscriber", "show", NUMBER, "--json").json["state"] == "suspended"


def test_import_tells_every_bad_row_and_keeps_the_good_ones(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_text(
        "number,sip_password,name,mail,web_password,bill_day\n"
        "05050010001,secret-1,山田,y@example.jp,hello,10\n"
        "nonsense,,,,,\n"
        "05050010002,,,,,\n"
        "05050010003,,,,,31\n",
        encoding="utf-8",
    )
    ended = terminal("subscriber", "import", str(file))
    assert ended.code == 1
    assert "2 imported" in ended.out
    assert f"{file}:3: " in ended.err
    assert f"{file}:5: bill_day" in ended.err
    assert [one["number"] for one in terminal.done("subscriber", "list", "--json").json] == [NUMBER, "05050010002"]
    file.write_text("number\n05050010009\n")
    assert terminal.done("subscriber", "import", str(file)).out == "1 imported\n"


def test_a_file_that_is_no_import_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("name,colour\nA,blue\n")
    ended = terminal("subscriber", "import", str(file))
    assert ended.code == 2
    assert "line 1" in ended.err


def test_a_data_folder_that_cannot_be_made_is_told(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    ended = terminal("subscriber", "list")
    assert ended.code == 1
    assert str(tmp_path / "data") in ended.err


def test_a_key_file_that_is_no_key_is_told(with_one: Terminal) -> None:
    (with_one.data_dir / "secret.key").write_text("rubbish")
    ended = with_one("subscriber", "show", NUMBER, "--show-password")
    assert ended.code == 1
    assert "secret.key" in ended.err


def test_a_lost_key_is_told_and_not_replaced(with_one: Terminal) -> None:
    (with_one.data_dir / "secret.key").unlink()
    ended = with_one("subscriber", "add", "--name", "B", "--mail", "b@example.jp")
    assert ended.code == 1
    assert "secret.key: missing" in ended.err
    assert not (with_one.data_dir / "secret.key").exists()


def test_only_the_owner_can_look_into_the_data_folder(with_one: Terminal) -> None:
    assert with_one.data_dir.stat().st_mode & 0o077 == 0


def test_the_command_runs_as_a_program(tmp_path: Path) -> None:
    environment = {"DENWA_DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        [sys.executable, "-m", "denwa", "subscriber", "show", "05050010001"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "denwa: 050-5001-0001 is not a subscriber\n"
