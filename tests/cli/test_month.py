"""`denwa month`, `denwa export month`: the end of a billing month (L3)."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    for module in ("month", "export", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: ms(2026, 11, 21))
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    terminal.done("calls")  # makes the databases
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    made.subscriber(ALICE, start=LONG_AGO)
    made.subscriber(BOB, start=LONG_AGO, bill_day=15)
    yield made
    made.close()


def september(exchange: Exchange) -> None:
    exchange.call(answered_ms=ms(2026, 9, 5), duration_ms=600_000)  # 160 yen
    exchange.call(answered_ms=ms(2026, 9, 6), **{"class": "international"})  # 24 yen
    exchange.call(answered_ms=ms(2026, 9, 7), **{"class": "on-net"})
    exchange.call(answered_ms=ms(2026, 9, 16), subscriber=BOB, duration_ms=450_000)  # 120 yen
    exchange.call(answered_ms=ms(2026, 9, 14), subscriber=BOB)  # August's, for him


def export(terminal: Terminal, month: str, folder: str) -> dict[str, bytes]:
    out = terminal.data_dir.parent / folder
    terminal.done("export", "month", month, "--out", str(out))
    return {file.name: file.read_bytes() for file in sorted(out.iterdir())}


def test_the_export_has_charges_by_class_credit_tax_and_total(terminal: Terminal, exchange: Exchange) -> None:  # L3, T6
    september(exchange)
    files = export(terminal, "2026-09", "out")
    rows = list(csv.DictReader(files["denwa-2026-09.csv"].decode().splitlines()))
    keys = (
        "subscriber",
        "period_start",
        "period_end",
        "calls",
        "fixed_yen",
        "international_yen",
        "credit_yen",
        "tax_yen",
        "total_yen",
    )
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("05050010001", "2026-09-01", "2026-09-30", "3", "160", "24", "100", "6", "90"),
        ("05050010002", "2026-09-15", "2026-10-14", "1", "120", "0", "76", "4", "48"),
    ]


def test_control_totals_and_checksums_go_with_the_export(terminal: Terminal, exchange: Exchange) -> None:  # L3
    september(exchange)
    files = export(terminal, "2026-09", "out")
    control = dict(csv.reader(files["denwa-2026-09.control.csv"].decode().splitlines()))
    content = files["denwa-2026-09.csv"]
    assert control["sha256"] == hashlib.sha256(content).hexdigest()
    assert (control["subscribers"], control["calls"], control["total_yen"], control["tax_yen"]) == (
        "2",
        "4",
        "138",
        "10",
    )
    for line in files["denwa-2026-09.sha256"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest


def test_the_export_is_the_same_to_the_byte_every_time_before_and_after_the_close(
    terminal: Terminal, exchange: Exchange
) -> None:  # L3
    september(exchange)
    first = export(terminal, "2026-09", "one")
    assert export(terminal, "2026-09", "one") == first
    terminal.done("month", "close", "2026-09")
    exchange.call(answered_ms=ms(2026, 9, 8))  # known too late
    assert export(terminal, "2026-09", "two") == first


def test_an_export_of_an_open_month_is_called_provisional(terminal: Terminal, exchange: Exchange) -> None:
    september(exchange)
    out = str(terminal.data_dir.parent / "out")
    assert "provisional" in terminal.done("export", "month", "2026-09", "--out", out).err
    terminal.done("month", "close", "2026-09")
    assert terminal.done("export", "month", "2026-09", "--out", out).err == ""


def test_a_month_is_closed_once(terminal: Terminal, exchange: Exchange) -> None:  # L3
    september(exchange)
    closed = terminal.done("month", "close", "2026-09", "--json").json
    assert (closed["subscribers"], closed["totals"]["total_yen"]) == (2, 138)
    again = terminal("month", "close", "2026-09")
    assert (again.code, again.err) == (
        1,
        "denwa: 2026-09 is closed already; later corrections are billed in the next month\n",
    )


def test_what_becomes_known_after_the_close_is_billed_in_the_next_month(
    terminal: Terminal, exchange: Exchange
) -> None:  # L3
    september(exchange)
    terminal.done("month", "close", "2026-09")
    exchange.call(answered_ms=ms(2026, 9, 8))
    (october,) = terminal.done("month", "show", "2026-10", "--json").json["statements"]
    assert (october["subscriber"], october["fixed_yen"], october["tax_yen"], october["total_yen"]) == (
        "05050010001",
        24,
        2,
        26,
    )


def test_a_month_is_not_closed_before_it_is_over_for_every_contract(
    terminal: Terminal, exchange: Exchange
) -> None:  # L3
    assert terminal("month", "close", "2026-11").code == 1
    exchange.subscriber("+815050010003", start=LONG_AGO, bill_day=23)
    ended = terminal("month", "close", "2026-10")
    assert ended.code == 1
    assert "a billing month that started in 2026-10 lasts until the end of 2026-11-22" in ended.err


def test_a_month_is_not_closed_while_a_call_of_it_goes_on(terminal: Terminal, exchange: Exchange) -> None:  # L3
    up = exchange.row(answered_ms=ms(2026, 9, 30, 14, 59, 59), end_seq=None, ended_at=None, duration_ms=0, end_cause="")
    exchange.put(up)
    ended = terminal("month", "close", "2026-09")
    assert (ended.code, "calls that have not ended: 1" in ended.err) == (1, True)
    exchange.end(up["id"], 50, ms(2026, 9, 30, 15, 0, 29), 30_000)
    assert terminal.done("month", "close", "2026-09", "--json").json["totals"]["calls"] == 1


def test_a_call_of_the_next_month_does_not_hinder(terminal: Terminal, exchange: Exchange) -> None:  # T5
    exchange.put(
        exchange.row(answered_ms=ms(2026, 9, 30, 15), end_seq=None, ended_at=None, duration_ms=0, end_cause="")
    )
    terminal.done("month", "close", "2026-09")


def test_a_month_is_not_closed_while_a_call_of_it_is_not_rated(terminal: Terminal, exchange: Exchange) -> None:  # L3
    exchange.call(call_id="odd", answered_ms=ms(2026, 9, 5), **{"class": "satellite"})
    ended = terminal("month", "close", "2026-09")
    assert (ended.code, "calls that are not rated: 1" in ended.err) == (1, True)
    shown = terminal.done("month", "show", "2026-09", "--json").json
    assert shown["calls_unrated"] == 1
    assert [problem["call_id"] for problem in shown["problems"]] == ["odd"]
    assert (
        "odd: tariff default of 2000-01-01 has no price for class 'satellite'"
        in terminal.done("month", "show", "2026-09").out
    )


def test_a_stranger_s_call_hinders_the_close_until_it_is_known_whose_it_is(
    terminal: Terminal, exchange: Exchange
) -> None:
    exchange.call(answered_ms=ms(2026, 9, 5), subscriber="+815050019999")
    assert terminal("month", "close", "2026-09").code == 1


def test_the_table_shows_the_sums_and_whether_the_month_is_closed(terminal: Terminal, exchange: Exchange) -> None:
    september(exchange)
    table = terminal.done("month", "show", "2026-09").out
    assert "050-5001-0001" in table
    assert "138" in table
    assert "未締め" in table
    assert "締め済み" in terminal.done("month", "close", "2026-09").out
    assert "締め済み" in terminal.done("month", "show", "2026-09").out


def test_a_closed_month_whose_ledger_was_tampered_with_is_not_exported(terminal: Terminal, exchange: Exchange) -> None:
    september(exchange)
    terminal.done("month", "close", "2026-09")
    with exchange.main.begin() as connection:
        connection.exec_driver_sql("UPDATE postings SET charge_yen = charge_yen + 8 WHERE record_id = 1")
    ended = terminal("export", "month", "2026-09", "--out", str(terminal.data_dir.parent / "out"))
    assert ended.code == 1
    assert "was closed with checksum" in ended.err


@pytest.mark.parametrize("command", [("month", "show"), ("month", "close"), ("export", "month")])
def test_what_is_no_month_ends_with_2(terminal: Terminal, command: tuple[str, ...]) -> None:
    ended = terminal(*command, "2026-13", *(("--out", "x") if command[0] == "export" else ()))
    assert ended.code == 2
    assert "YYYY-MM" in ended.err


def test_a_folder_that_cannot_be_made_is_told_without_a_traceback(terminal: Terminal, exchange: Exchange) -> None:
    blocked = terminal.data_dir.parent / "file"
    blocked.write_text("")
    ended = terminal("export", "month", "2026-09", "--out", str(blocked / "folder"))
    assert ended.code == 1
    assert "Not a directory" in ended.err
