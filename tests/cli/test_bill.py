"""`denwa bill`: the bill of a billing month as text and JSON, and its proof (K3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.demo_month import add_contracts, demo_calls, journal_groups
from denwa.cli.desk import numbering_plan
from denwa.cli.wiring import open_journal_store
from denwa.config.settings_sources import load_settings
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)
NUMBER = "05050010001"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DENWA_BILLING__ISSUER_NAME", "見本電話")
    monkeypatch.setenv("DENWA_BILLING__ISSUER_REGISTRATION_NUMBER", "T7000012050002")
    for module in ("bill", "month", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: ms(2026, 11, 21))
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    terminal.done("calls")  # makes the databases
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    made.subscriber(ALICE, start=LONG_AGO)
    made.call(answered_ms=ms(2026, 9, 5), duration_ms=600_000)  # 160 yen, 100 of them credit
    made.call(answered_ms=ms(2026, 9, 6), **{"class": "international"})  # 24 yen
    made.call(answered_ms=ms(2026, 9, 7), leg="forwarded")  # 24 yen
    made.call(answered_ms=ms(2026, 9, 8), **{"class": "on-net", "callee": "+815050010002"})
    yield made
    made.close()


def test_the_bill_is_what_the_month_s_statement_says(terminal: Terminal, exchange: Exchange) -> None:  # K3, L3
    bill = terminal.done("bill", NUMBER, "2026-09", "--json").json
    (row,) = terminal.done("month", "show", "2026-09", "--json").json["statements"]
    totals = bill["totals"]
    assert (totals["total_yen"], totals["tax_yen"], totals["exempt_yen"]) == (60 + 24 + 24 + 8, 8, 24)
    for key in ("calls", "duration_ms", "credit_yen", "exempt_yen", "tax_yen", "total_yen"):
        assert totals[key] == int(row[key]), key
    assert totals["rates"] == [{"percent": 10, "taxed_yen": int(row["taxed_yen"]), "tax_yen": 8}]
    assert bill["calls"] is None
    assert (bill["issuer"]["name"], bill["issuer"]["registration_number"]) == ("見本電話", "T7000012050002")


def test_details_show_the_working_of_each_call(terminal: Terminal, exchange: Exchange) -> None:
    calls = terminal.done("bill", NUMBER, "2026-09", "--format", "json", "--calls").json["calls"]
    assert [call["callee"] for call in calls] == ["0312345678"] * 3 + ["05050010002"]
    assert calls[0]["working"].startswith("600.0 s → 20 × 30 s → 160 yen; credit 100; to pay 60 [fixed 8 yen per 30 s")
    assert calls[2]["working"].endswith("T1, T2, F4]")
    assert calls[0]["answered_at"] == "2026-09-05T09:00:00.000+09:00"


def test_an_open_months_bill_is_provisional_and_a_closed_ones_always_the_same(
    terminal: Terminal, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:  # L3
    assert terminal.done("bill", NUMBER, "2026-09", "--json").json["provisional"] is True
    assert "【仮】" in terminal.done("bill", NUMBER, "2026-09").out
    terminal.done("month", "close", "2026-09")
    closed = terminal.done("bill", NUMBER, "2026-09", "--json").out
    assert (json.loads(closed)["provisional"], json.loads(closed)["issued_on"]) == (False, "2026-11-21")
    monkeypatch.setattr("denwa.cli.bill.now_ms", lambda: ms(2027, 5, 1))
    exchange.call(answered_ms=ms(2026, 9, 9))  # known too late
    assert terminal.done("bill", NUMBER, "2026-09", "--json").out == closed
    late = terminal.done("bill", NUMBER, "2026-10", "--json").json
    assert [(line["correction_of"], line["charge_yen"]) for line in late["lines"]] == [("2026-09", 24)]


@pytest.mark.parametrize("details", [[], ["--calls"]])
def test_a_bill_is_proved_to_the_byte_from_its_lines_and_the_ledger(
    terminal: Terminal, exchange: Exchange, tmp_path: Path, details: list[str]
) -> None:
    file = tmp_path / "bill.json"
    file.write_text(terminal.done("bill", NUMBER, "2026-09", "--json", *details).out)
    assert "Recomputes to the byte: 116 yen" in terminal.done("bill", NUMBER, "2026-09", "--verify", str(file)).out


def test_a_bill_that_was_changed_is_found_out(terminal: Terminal, exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "bill.json"
    file.write_text(
        terminal.done("bill", NUMBER, "2026-09", "--json").out.replace('"total_yen": 116', '"total_yen": 16')
    )
    ended = terminal("bill", NUMBER, "2026-09", "--verify", str(file))
    assert ended.code == 1
    assert "totals.total_yen: 16, should be 116\n" in ended.err
    assert "totals.total_yen: 16, should be 116 by the ledger" in ended.err


def test_a_bill_that_is_right_in_itself_but_not_what_the_ledger_gives_is_found_out(
    terminal: Terminal, exchange: Exchange, tmp_path: Path
) -> None:
    file = tmp_path / "bill.json"
    file.write_text(terminal.done("bill", NUMBER, "2026-09", "--json").out)
    exchange.call(answered_ms=ms(2026, 9, 9))
    ended = terminal("bill", NUMBER, "2026-09", "--verify", str(file))
    assert ended.code == 1
    assert "totals.total_yen: 116, should be 142 by the ledger" in ended.err


def test_a_bill_is_not_taken_for_another_contract_s_or_for_that_of_a_closed_month(
    terminal: Terminal, exchange: Exchange, tmp_path: Path
) -> None:
    exchange.subscriber(BOB, start=LONG_AGO)
    file = tmp_path / "bill.json"
    file.write_text(terminal.done("bill", NUMBER, "2026-08", "--json").out)
    others = terminal("bill", "05050010002", "2026-08", "--verify", str(file))
    assert (others.code, "addressee.number: 05050010001, should be 05050010002 by the ledger" in others.err) == (
        1,
        True,
    )
    terminal.done("month", "close", "2026-08")
    closed = terminal("bill", NUMBER, "2026-08", "--verify", str(file))
    assert (closed.code, "provisional: True, should be False by the ledger" in closed.err) == (1, True)


def test_what_is_no_bill_ends_with_1_and_says_where(terminal: Terminal, exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "bill.json"
    file.write_text("{}")
    ended = terminal("bill", NUMBER, "2026-09", "--verify", str(file))
    assert (ended.code, "totals: Field required" in ended.err) == (1, True)


def test_a_closed_month_whose_ledger_gives_another_bill_is_refused(terminal: Terminal, exchange: Exchange) -> None:
    terminal.done("month", "close", "2026-09")
    with exchange.main.begin() as connection:
        connection.exec_driver_sql("UPDATE postings SET charge_yen = charge_yen + 8 WHERE record_id = 2")
    ended = terminal("bill", NUMBER, "2026-09")
    assert (ended.code, "was closed with 116 yen to pay" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("05050019999", "2026-09"), 1, "is no subscriber"),
        ((NUMBER, "2026-07"), 1, "started after 2026-07"),
        ((NUMBER, "2026-12"), 1, "begins on 2026-12-01"),
        ((NUMBER, "2026-13"), 2, "YYYY-MM"),
        (("12", "2026-09"), 2, "12"),
        ((NUMBER, "2026-09", "--verify", "nothing.json"), 2, "does not exist"),
    ],
)
def test_what_cannot_be_billed_is_said(
    terminal: Terminal, exchange: Exchange, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = terminal("bill", *arguments)
    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_a_call_that_is_not_rated_and_a_missing_issuer_are_warned_of(
    terminal: Terminal, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DENWA_BILLING__ISSUER_NAME")
    exchange.call(answered_ms=ms(2026, 9, 9), **{"class": "satellite"})
    ended = terminal.done("bill", NUMBER, "2026-09")
    assert "billing.issuer_name is not set" in ended.err
    assert "1 calls are not rated" in ended.err


def test_a_wrong_registration_number_is_refused_with_the_setting(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:  # K3
    monkeypatch.setenv("DENWA_BILLING__ISSUER_REGISTRATION_NUMBER", "T8000012050002")
    ended = terminal("bill", NUMBER, "2026-09")
    assert ended.code == 2
    assert "issuer_registration_number" in ended.err.lower()
    assert "check digit is 8, but should be 7" in ended.err


def test_every_bill_of_a_month_of_traffic_is_its_statement_and_recomputes(
    terminal: Terminal, tmp_path: Path
) -> None:  # K3, L3
    settings = load_settings(demo=True)
    add_contracts(settings, "2026-09")
    store = open_journal_store(settings)
    for group in journal_groups(demo_calls("2026-09", 300), numbering_plan(settings)):
        store.commit(group)
    statements = terminal.done("month", "show", "2026-09", "--json").json["statements"]
    assert len(statements) == 9
    for row in statements:
        bill = terminal.done("bill", row["subscriber"], "2026-09", "--json", "--calls").out
        totals = json.loads(bill)["totals"]
        for key in ("calls", "duration_ms", "credit_yen", "exempt_yen", "tax_yen", "total_yen"):
            assert totals[key] == int(row[key]), key
        file = tmp_path / "bill.json"
        file.write_text(bill)
        terminal.done("bill", row["subscriber"], "2026-09", "--verify", str(file))
