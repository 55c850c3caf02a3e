"""`denwa ledger`, `denwa month check`: the books, corrections, and whether everything agrees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.billing_month import billing_month_of
from denwa.rating.tariff import TaxClass
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)
NOW = ms(2026, 11, 21)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    for module in ("month", "export", "rating_desk", "ledger"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: NOW)
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    terminal.done("db", "upgrade")
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    made.subscriber(ALICE, start=LONG_AGO)
    made.subscriber(BOB, start=LONG_AGO, bill_day=15)
    yield made
    made.close()


@pytest.fixture
def september(exchange: Exchange) -> Exchange:
    """A month with calls of both contracts, a fee and late interest."""
    exchange.call(call_id="long", answered_ms=ms(2026, 9, 5), duration_ms=600_000)  # 160 yen
    exchange.call(call_id="abroad", answered_ms=ms(2026, 9, 6), **{"class": "international"})  # 24 yen
    exchange.call(call_id="free", answered_ms=ms(2026, 9, 7), **{"class": "on-net"})
    exchange.call(call_id="bobs", answered_ms=ms(2026, 9, 16), subscriber=BOB, duration_ms=450_000)  # 120 yen
    exchange.rater.catch_up(NOW)
    month = billing_month_of(date(2026, 9, 1), 1)
    posted = (
        (AdjustmentKind.NUMBER_FEE, 500, TaxClass.TAXED),
        (AdjustmentKind.LATE_INTEREST, 33, TaxClass.OUT_OF_SCOPE),
    )
    Adjuster(exchange.ledger, exchange.rater.accounts).post(
        [
            Adjustment(kind.value, kind, ALICE, month, yen, tax, "as agreed", "test", "taro")
            for kind, yen, tax in posted
        ],
        NOW,
    )
    return exchange


def balance(terminal: Terminal) -> dict[str, int]:
    shown = terminal.done("ledger", "balance", "--json").json
    assert shown["differences"] == []
    assert shown["debit_yen"] == shown["credit_yen"]
    return {account["account"]: account["balance_yen"] for account in shown["accounts"]}


@pytest.mark.usefixtures("september")
def test_the_trial_balance_has_every_account_and_sums_to_zero(terminal: Terminal) -> None:
    accounts = balance(terminal)
    assert accounts == {
        f"receivable:{ALICE}": 184 - 100 + 533,
        f"receivable:{BOB}": 20,
        "credit-granted": 200,
        "revenue:fixed": -280,
        "revenue:international": -24,
        "revenue:number-fee": -500,
        "revenue:late-interest": -33,
    }
    out = terminal.done("ledger", "balance").out
    assert "一致" in out
    assert "revenue:number-fee" in out


@pytest.mark.usefixtures("september")
def test_closing_books_the_tax_of_each_statement(terminal: Terminal) -> None:  # T6, K3
    terminal.done("month", "close", "2026-09")
    accounts = balance(terminal)
    assert accounts["consumption-tax"] == -(56 + 2)  # 10 % of 60 + 500, of 20
    assert accounts[f"receivable:{ALICE}"] == 617 + 56
    assert sum(accounts.values()) == 0


DAMAGE = {
    "entries sum to": "UPDATE entries SET yen = yen + 1 WHERE record_id = 1 AND account LIKE 'receivable%'",
    "not what they say: 1/0": "UPDATE postings SET charge_yen = charge_yen + 8 WHERE record_id = 1",
    "entries without a posting: 1/7": "UPDATE entries SET revision = revision + 7 WHERE record_id = 1",
    "the journal does not have so: 77": "UPDATE postings SET record_id = 77 WHERE record_id = 3",
    "neither rated nor told as a problem: 3": "DELETE FROM postings WHERE record_id = 3",
    "credit used is not the sum": "UPDATE credit_accounts SET used_yen = 1",
    "more credit given than granted": "UPDATE credit_accounts SET granted_yen = 50, used_yen = 50",
    "with more credit than charge (T13): 2": "UPDATE postings SET credit_yen = 90 WHERE record_id = 2",
    "adjustments whose entries are not what they say: number-fee": "UPDATE adjustments SET yen = 1 WHERE yen = 500",
    "all entries of adjustments sum to": "DELETE FROM adjustment_entries WHERE account = 'revenue:number-fee'",
    "bills that are not what the ledger has": ("UPDATE bills SET taxed_yen = taxed_yen + 1, total_yen = total_yen + 1"),
    "was closed with checksum": "UPDATE postings SET duration_ms = 1 WHERE record_id = 3",
}


@pytest.mark.parametrize("says", DAMAGE)
def test_each_kind_of_damage_is_named(terminal: Terminal, september: Exchange, says: str) -> None:
    terminal.done("month", "close", "2026-09")
    connection = september.main.raw_connection()
    connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[attr-defined]
    connection.execute(DAMAGE[says])  # type: ignore[attr-defined]
    connection.commit()
    connection.close()
    ended = terminal("ledger", "balance")
    assert ended.code == 1
    assert says in ended.err
    assert "differences found" in ended.err


@pytest.mark.usefixtures("september")
def test_export_statements_and_ledger_of_a_month_agree(terminal: Terminal, tmp_path: Path) -> None:  # L3
    def check() -> dict[str, tuple[int, int, int | None]]:
        terminal.done("export", "month", "2026-09", "--out", str(tmp_path / "out"))
        shown = terminal.done("month", "check", "2026-09", "--export", str(tmp_path / "out"), "--json").json
        assert (shown["subscribers"], shown["differences"]) == (2, [])
        return {one["name"]: (one["export_yen"], one["statements_yen"], one["ledger_yen"]) for one in shown["compared"]}

    before = check()
    assert before["charge_yen"] == (304, 304, 304)
    assert before["adjustment_yen"] == (533, 533, 533)
    assert before["payable_yen"] == (637, 637, 637)
    assert before["tax_yen"] == (58, 58, None)  # booked when the month is closed
    terminal.done("month", "close", "2026-09")
    after = check()
    assert (after["tax_yen"], after["total_yen"]) == ((58, 58, 58), (695, 695, 695))
    out = terminal.done("month", "check", "2026-09").out
    assert "agree to the yen" in out


@pytest.mark.parametrize("when", ["open", "closed"])
def test_an_export_that_was_changed_is_told_with_what_differs(
    terminal: Terminal, september: Exchange, tmp_path: Path, when: str
) -> None:  # L3
    if when == "closed":
        terminal.done("month", "close", "2026-09")
    folder = tmp_path / "out"
    terminal.done("export", "month", "2026-09", "--out", str(folder))
    file = folder / "denwa-2026-09.csv"
    file.write_text(file.read_text().replace(",2,22,", ",2,21,"))  # Bob's tax and total
    (folder / "denwa-2026-09-lines.csv").unlink()
    ended = terminal("month", "check", "2026-09", "--export", str(folder))
    assert ended.code == 1
    for said in (
        "denwa-2026-09.csv: is not what the ledger gives",
        "denwa-2026-09-lines.csv: is missing",
        "total 21, but its parts sum to 22",
        "05050010002 from 2026-09-15: total_yen is 21 in the export, 22 in the statements",
        "total_yen is 695, but denwa-2026-09.csv has 694",
        "does not have the checksum",
    ):
        assert said in ended.err


@pytest.mark.usefixtures("september")
def test_a_month_whose_entries_were_changed_does_not_agree(terminal: Terminal, september: Exchange) -> None:
    with september.main.begin() as connection:
        connection.exec_driver_sql("UPDATE entries SET yen = yen + 8 WHERE account = 'credit-granted'")
    ended = terminal("month", "check", "2026-09")
    assert ended.code == 1
    assert "05050010001 from 2026-09-01: credit_yen is" in ended.err


def test_a_reversed_call_is_shown_with_who_and_why(terminal: Terminal, september: Exchange) -> None:  # T13, O1
    out = terminal.done("ledger", "reverse", "long", "--reason", "wrong party", "--who", "taro").out
    assert out.splitlines() == [
        "赤 red  2026-09  long  600.0 s → 20 × 30 s → 160 yen; credit 100; to pay 60: "
        "charge -160, credit -100, to pay -60 yen",
        "特典 credit  2026-09  abroad  61.0 s → 3 × 30 s → 24 yen; credit 0; to pay 24: "
        "charge +0, credit +24, to pay -24 yen",
    ]
    assert terminal.done("ledger", "show", "long").out.splitlines()[1].endswith("(taro: wrong party)")
    listed = {call["call_id"]: (call["units"], call["charge_yen"]) for call in terminal.done("calls", "--json").json}
    assert (listed["long"], listed["abroad"]) == ((0, 0), (3, 24))
    balance(terminal)
    again = terminal("ledger", "reverse", "long", "--reason", "again")
    assert (again.code, again.err) == (1, "denwa: its charge is taken back already\n")


def test_a_call_of_a_closed_month_is_corrected_in_the_next_one(terminal: Terminal, september: Exchange) -> None:  # L3
    terminal.done("month", "close", "2026-09")
    before = terminal.done("month", "show", "2026-09", "--json").json["sha256"]
    made = terminal.done("ledger", "rerate", "bobs", "--fault", "--duration-ms", "59999", "--reason", "fault", "--json")
    assert [(one["month"], one["kind"], one["payable_yen"]) for one in made.json] == [
        ("2026-10", "reversal", -20),
        ("2026-10", "call", 0),
    ]
    assert made.json[1]["working"].startswith("59.999 s → 1 × 30 s (cut by a fault")  # T3
    assert terminal.done("month", "show", "2026-09", "--json").json["sha256"] == before
    folder = terminal.data_dir.parent / "out"
    terminal.done("export", "month", "2026-10", "--out", str(folder))
    lines = (folder / "denwa-2026-10-lines.csv").read_text().splitlines()
    assert [line.split(",")[:6] for line in lines[1:]] == [
        ["05050010002", "2026-10-15", "2026-11-14", "red", "call", "call:4/1"],
        ["05050010002", "2026-10-15", "2026-11-14", "black", "call", "call:4/2"],
    ]
    balance(terminal)
    terminal.done("month", "check", "2026-10", "--export", str(folder))


def test_charging_anew_reads_the_number_plan_as_it_is_now(terminal: Terminal, september: Exchange) -> None:  # T2, T8
    september.call(call_id="once-paid", callee="+815010001234", answered_ms=ms(2026, 10, 1), **{"class": "paid-050"})
    (_, black) = terminal.done("ledger", "rerate", "once-paid", "--reason", "partner now", "--dry-run", "--json").json
    assert (black["class"], black["charge_yen"]) == ("partner-050", 0)
    assert "not posted" in terminal.done("ledger", "rerate", "once-paid", "--reason", "r", "--dry-run").out
    assert len(terminal.done("ledger", "show", "once-paid", "--json").json) == 1
    terminal.done("ledger", "rerate", "once-paid", "--reason", "partner now")
    assert "nothing changes" in terminal.done("ledger", "rerate", "once-paid", "--reason", "partner now").out


def test_a_name_of_two_legs_asks_which(terminal: Terminal, september: Exchange) -> None:  # F4
    for leg, subscriber in (("outgoing", ALICE), ("forwarded", BOB)):
        september.call(call_id="both", leg=leg, subscriber=subscriber, answered_ms=ms(2026, 10, 20))
    ended = terminal("ledger", "reverse", "both", "--reason", "r")
    assert ended.code == 1
    assert "--leg outgoing (05050010001), --leg forwarded (05050010002)" in ended.err
    assert terminal.done("ledger", "reverse", "both", "--leg", "forwarded", "--reason", "r").out.startswith("赤 red")


def test_a_call_that_there_is_not_ends_with_1(terminal: Terminal, september: Exchange) -> None:
    ended = terminal("ledger", "reverse", "nobody", "--reason", "r")
    assert (ended.code, "nobody: there is no ended call" in ended.err) == (1, True)
    assert terminal("ledger", "reverse", "long").code == 2  # without a reason


@pytest.mark.usefixtures("september")
def test_adjustments_are_listed_and_taken_back(terminal: Terminal) -> None:  # T13
    listed = terminal.done("ledger", "adjustments", "--subscriber", "05050010001", "--month", "2026-09", "--json").json
    assert [(one["reference"], one["yen"], one["who"]) for one in listed] == [
        ("late-interest", 33, "taro"),
        ("number-fee", 500, "taro"),
    ]
    assert "number-fee" in terminal.done("ledger", "adjustments").out
    assert "No adjustments" in terminal.done("ledger", "adjustments", "--month", "2026-10").out
    assert "-500 yen" in terminal.done("ledger", "take-back", "number-fee", "--reason", "wrong card").out
    assert "取消済み" in terminal.done("ledger", "take-back", "number-fee", "--reason", "wrong card").out
    assert terminal("ledger", "take-back", "nothing", "--reason", "r").code == 1
    assert balance(terminal)["revenue:number-fee"] == 0


def test_the_lines_of_the_export_are_checked_and_tell_nobody_s_calls(
    terminal: Terminal, september: Exchange, tmp_path: Path
) -> None:  # L3, K5
    terminal.done("ledger", "reverse", "abroad", "--reason", "secret reason")
    terminal.done("export", "month", "2026-09", "--out", str(tmp_path / "out"))
    content = (tmp_path / "out" / "denwa-2026-09-lines.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in (tmp_path / "out" / "denwa-2026-09.sha256").read_text()
    text = content.decode()
    assert [line.split(",")[3:5] for line in text.splitlines()[1:]] == [
        ["red", "call"],
        ["adjustment", "late-interest"],
        ["adjustment", "number-fee"],
    ]
    for secret in ("secret", "abroad", "81312345678"):
        assert secret not in text


def test_an_empty_service_is_in_balance(terminal: Terminal) -> None:
    assert balance(terminal) == {}
    terminal.done("month", "check", "2026-09")
