"""`denwa dial`: what a dialled number is, its price, or why it is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from denwa.cli.main import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """Runs `denwa` in this process as a shell would see it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["denwa", *arguments])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        printed = self._capsys.readouterr()
        return Outcome(code, printed.out, printed.err)


@pytest.fixture
def denwa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    monkeypatch.setenv("DENWA_DATA_DIR", str(tmp_path / "data"))
    return Shell(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("dialled", "number_class", "yen", "tax"),
    [
        ("05050010001", "on-net", 0, "taxed"),
        ("05010000001", "partner-050", 0, "taxed"),
        ("05020000001", "paid-050", 8, "taxed"),
        ("03-1234-5678", "fixed", 8, "taxed"),
        ("03-177", "fixed", 8, "taxed"),
        ("０９０－１２３４－５６７８", "mobile", 8, "taxed"),
        ("010-1-808-555-1234", "international", 8, "exempt"),
    ],
)
def test_dial_tells_class_price_and_tax(denwa: Shell, dialled: str, number_class: str, yen: int, tax: str) -> None:
    # N4, T2, T8
    told = json.loads(denwa("dial", dialled, "--json").out)
    assert told["allowed"] is True
    assert (told["class"], told["yen_per_unit"], told["unit_ms"], told["tax"]) == (number_class, yen, 30_000, tax)


def test_dial_prints_the_reading_for_a_person_in_japanese(denwa: Shell) -> None:
    outcome = denwa("dial", "1840123456789")
    assert (outcome.code, outcome.err) == (0, "")
    assert "番号: 0123-45-6789 (+81123456789)" in outcome.out
    assert "料金: 8円/30秒 (税別) 税込8.8円\n" in outcome.out
    assert "非通知" in outcome.out
    abroad = denwa("dial", "01018085551234").out
    assert "国・地域: ハワイ (Hawaii)" in abroad
    assert "8円/30秒 (免税)\n" in abroad
    assert "料金: 無料" in denwa("dial", "05050010001").out


@pytest.mark.parametrize(
    ("dialled", "reason", "status"),
    [
        ("110", "barred-emergency", 403),
        ("0120-444-113", "barred-service", 403),
        ("#9110", "barred-service", 403),
        ("010-7-701-234-5678", "country-not-offered", 403),
        ("020-1234-5678", "unknown-block", 404),
        ("0312", "too-short", 484),
        ("alice", "invalid", 404),
    ],
)
def test_dial_refuses_with_exit_code_1_and_the_reason(denwa: Shell, dialled: str, reason: str, status: int) -> None:
    # N5, N6
    outcome = denwa("dial", dialled)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{reason} ({status})" in outcome.err
    outcome = denwa("dial", dialled, "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 1
    assert (told["allowed"], told["reason"], told["sip_status"]) == (False, reason, status)


def test_dial_reads_by_the_plan_of_a_day(denwa: Shell) -> None:
    # N4: 060 from 2026-07
    assert denwa("dial", "06012345678", "--on", "2026-06-30").code == 1
    assert denwa("dial", "06012345678", "--on", "2026-07-01").code == 0


def test_dial_before_the_first_plan_refuses(denwa: Shell) -> None:
    assert "unknown-block (404)" in denwa("dial", "0312345678", "--on", "1999-12-31").err


def test_dial_as_a_subscriber_heeds_its_settings(denwa: Shell) -> None:
    # N6: international is off at first; N1, L2
    assert denwa("subscriber", "add", "--name", "A", "--mail", "a@example.jp").code == 0
    caller = json.loads(denwa("subscriber", "list", "--json").out)[0]["number"]
    abroad = "01018085551234"
    outcome = denwa("dial", abroad, "--as", caller, "--json")
    assert (outcome.code, json.loads(outcome.out)["reason"]) == (1, "international-off")
    assert denwa("dial", "0312345678", "--as", caller).code == 0
    assert denwa("subscriber", "set", caller, "international=on").code == 0
    assert denwa("dial", abroad, "--as", caller).code == 0
    assert "unallocated (404)" in denwa("dial", "05050019999", "--as", caller).err
    assert denwa("dial", caller, "--as", caller).code == 0
    assert denwa("subscriber", "suspend", caller).code == 0
    assert "suspended (403)" in denwa("dial", "0312345678", "--as", caller).err
    assert "barred-service (403)" in denwa("dial", "0120444113", "--as", caller).err


def test_dial_as_an_unknown_subscriber_is_refused(denwa: Shell) -> None:
    outcome = denwa("dial", "0312345678", "--as", "05050010001")
    assert outcome.code == 1
    assert "no such subscriber" in outcome.err
    assert denwa("dial", "0312345678", "--as", "alice").code == 2


def test_dial_with_a_faulty_plan_names_file_and_line(
    denwa: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # T8
    faulty = tmp_path / "operator.toml"
    faulty.write_text('kind = "operator"\n[[own]]\nprefix = "03"\n', encoding="utf-8")
    monkeypatch.setenv("DENWA_NUMBERING__OPERATOR_FILE", str(faulty))
    outcome = denwa("dial", "0312345678")
    assert outcome.code == 2
    assert f"{faulty}:3: own.0.prefix" in outcome.err
