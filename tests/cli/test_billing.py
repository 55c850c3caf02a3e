"""`denwa billing`, `payments`, `notices`, `contracts`, `numbers`: a closed month until it is paid (L2, L3, K7, K9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from denwa.cli.billing_day import StepProcess
from denwa.config.settings_sources import load_settings
from tests.cli.terminal import Ended, Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

HEAD = "subscriber,month,result,paid_on,amount_yen,reference\n"
BILL = 10_450  # (9,600 yen of calls − 100 of credit) × 1.1
ALICES, BOBS = "05050010001", "05050010002"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    for module in ("month", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: ms(2026, 11, 21))
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    """September closed: Alice owes 10,450 yen, due on 31 October; Bob nothing, his calls are within his credit."""
    terminal.done("subscriber", "list")  # makes databases and key
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    for number in (ALICE, BOB):
        made.subscriber(number, start=datetime(2026, 8, 1, tzinfo=UTC))
    with made.main.begin() as connection:
        connection.execute(text("UPDATE subscribers SET mail = 'a@example.jp' WHERE number = :a"), {"a": ALICE})
    made.call(answered_ms=ms(2026, 9, 5), duration_ms=36_000_000)
    made.call(answered_ms=ms(2026, 9, 16), subscriber=BOB)
    terminal.done("month", "close", "2026-09")
    yield made
    made.close()


def read(terminal: Terminal, rows: str, day: str) -> Ended:
    file = terminal.data_dir / "results.csv"
    file.write_text(HEAD + rows, encoding="utf-8")
    return terminal("payments", "read", str(file), "--on", day)


def unpaid(terminal: Terminal, day: str = "2026-11-05") -> Ended:
    return read(terminal, f"{ALICES},2026-09,unpaid,,{BILL},R-1\n", day)


def paid(terminal: Terminal, on: str, reference: str = "R-2") -> Ended:
    return read(terminal, f"{ALICES},2026-09,paid,{on},{BILL},{reference}\n", on)


def run(terminal: Terminal, day: str) -> Any:
    return terminal.done("billing", "run", "--on", day, "--json").json


def state_of(terminal: Terminal, number: str = ALICES) -> str:
    listed = terminal.done("subscriber", "list", "--json").json
    return next(str(one["state"]) for one in listed if one["number"] == number)


def bills(terminal: Terminal, *options: str) -> Any:
    return terminal.done("payments", "list", "--json", *options).json


def mails(exchange: Exchange) -> list[tuple[str, str]]:
    with exchange.main.begin() as connection:
        return [(row[0], row[1]) for row in connection.execute(text("SELECT recipient, details FROM outbox"))]


def test_the_bills_of_a_closed_month_are_taken_in_once(terminal: Terminal, exchange: Exchange) -> None:  # L3
    assert run(terminal, "2026-10-05")["bills"] == 1
    assert run(terminal, "2026-10-05")["bills"] == 0
    (bill,) = bills(terminal)
    assert (bill["number"], bill["month"], bill["total_yen"], bill["state"]) == (ALICES, "2026-09", BILL, "due")
    assert bill["due_on"] == "2026-10-31"  # 翌月末


def test_the_service_takes_the_step_in_a_process_of_its_own(terminal: Terminal, exchange: Exchange) -> None:  # L3
    step = StepProcess(load_settings(environ={"DENWA_DATA_DIR": str(terminal.data_dir)}))
    now = datetime(2026, 10, 5, tzinfo=UTC)
    assert [step.run(now.date(), "service", now).bills for _ in range(2)] == [1, 0]
    assert len(bills(terminal)) == 1


def test_an_unpaid_bill_is_announced_by_mail_with_cause_day_and_period(
    terminal: Terminal, exchange: Exchange
) -> None:  # K9, 約款 第17条 2
    assert unpaid(terminal).code == 0
    assert state_of(terminal) == "active"
    ((recipient, details),) = mails(exchange)
    assert recipient == "a@example.jp"
    assert "service-notice" in details
    (notice,) = terminal.done("notices", "list", "--json").json
    assert (notice["kind"], notice["state"], notice["delivery"]) == ("suspension", "given", "waiting")
    said = terminal.done("notices", "show", str(notice["id"])).out
    for part in (
        "料金のお支払いが確認できないため",
        "2026年11月25日",
        "お支払いが確認できるまで",
        "10,450円",
        "第17条",
    ):
        assert part in said


def test_from_unpaid_over_notice_and_suspension_to_payment_interest_and_resumption(
    terminal: Terminal, exchange: Exchange
) -> None:  # L2, T11
    unpaid(terminal)
    assert run(terminal, "2026-11-24")["done"] == []
    assert state_of(terminal) == "active"
    assert [done["what"] for done in run(terminal, "2026-11-25")["done"]] == ["suspension begins: unpaid 2026-09"]
    assert state_of(terminal) == "suspended"
    assert [bill["state"] for bill in bills(terminal, "--unpaid")] == ["suspended"]
    ended = paid(terminal, "2026-12-01")
    assert ended.code == 0
    assert state_of(terminal) == "active"  # with the result, not with the next day's step
    (bill,) = bills(terminal)
    # 10,450 yen × 14.5 % × 30 days (1 to 30 November) ÷ 365, the fraction cut off
    assert (bill["state"], bill["late_interest_yen"]) == ("paid", 124)
    with exchange.main.begin() as connection:
        posted = connection.execute(text("SELECT kind, yen, tax, month_start, who FROM adjustments")).all()
    assert [tuple(row)[:4] for row in posted] == [("late-interest", 124, "out-of-scope", "2026-12-01")]
    kinds = [notice["kind"] for notice in terminal.done("notices", "list", "--json").json]
    assert kinds == ["suspension", "resumption"]


def test_the_same_file_again_changes_nothing(terminal: Terminal, exchange: Exchange) -> None:  # L3
    unpaid(terminal)
    before = (bills(terminal), terminal.done("notices", "list", "--json").json, mails(exchange))
    again = unpaid(terminal)
    assert (again.code, again.out) == (0, "0 taken, 1 known before, 0 bad\n")
    paid(terminal, "2026-12-01")
    assert "0 taken, 1 known" in paid(terminal, "2026-12-01").out
    assert "0 taken, 1 known" in unpaid(terminal, "2026-12-02").out  # an old file after the new one
    assert [bill["state"] for bill in bills(terminal)] == ["paid"]
    assert before[1] == terminal.done("notices", "list", "--json").json
    with exchange.main.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM adjustments")) == 1


def test_paid_within_ten_days_after_the_due_day_costs_no_interest(terminal: Terminal, exchange: Exchange) -> None:
    paid(terminal, "2026-11-10")  # T11, 約款 第27条
    assert [bill["late_interest_yen"] for bill in bills(terminal)] == [0]


def test_every_bad_row_is_told_with_its_line_and_the_good_ones_count(terminal: Terminal, exchange: Exchange) -> None:
    ended = read(
        terminal,
        f"{ALICES},2026-09,paid,2026-11-20,1,A\n"  # another amount
        f"{BOBS},2026-09,paid,2026-11-20,5,B\n"  # nothing to pay
        f"nobody,2026-09,paid,2026-11-20,5,C\n"
        f"{ALICES},2026-09,paid,2026-11-20,{BILL},D\n"
        f"{ALICES},2026-09,paid,2026-11-20,{BILL},E\n"  # a second payment
        f"{ALICES},2026-10,unpaid,,{BILL},F\n",  # not closed
        "2026-11-21",
    )
    assert ended.code == 1
    said = ended.err.splitlines()
    starts = [line.rpartition("results.csv:")[2].split(":")[0] for line in said[:-1]]
    assert starts == ["2", "3", "4", "6", "7"]
    assert "1 yen, but the bill of 2026-09 is 10450 yen" in said[0]
    assert "5 rows not taken" in said[-1]
    assert "1 taken, 0 known before, 5 bad" in ended.out
    assert [(bill["state"], bill["reference"]) for bill in bills(terminal)] == [("paid", "D")]


def test_a_file_that_is_no_file_of_results_is_refused(terminal: Terminal, exchange: Exchange) -> None:
    file = terminal.data_dir / "other.csv"
    file.write_bytes(b"\xff\x00name,colour\n")
    ended = terminal("payments", "read", str(file))
    assert (ended.code, "line 1: expected the columns subscriber," in ended.err) == (2, True)


def test_interest_that_the_ledger_refuses_is_told(terminal: Terminal, exchange: Exchange) -> None:
    """The start day of the contract was changed behind the program; the payment counts all the same."""
    run(terminal, "2026-11-01")
    with exchange.main.begin() as connection:
        connection.execute(text("UPDATE subscribers SET bill_day = 15 WHERE number = :a"), {"a": ALICE})
    ended = paid(terminal, "2026-12-01")
    assert ended.code == 1
    assert "no billing month" in ended.err
    assert "Traceback" not in ended.err
    assert [bill["state"] for bill in bills(terminal)] == ["paid"]


def test_every_step_stands_in_the_change_log_with_who(terminal: Terminal, exchange: Exchange) -> None:  # O1
    unpaid(terminal)
    run(terminal, "2026-11-25")
    paid(terminal, "2026-12-01")
    with exchange.main.begin() as connection:
        rows = connection.execute(
            text("SELECT who, what FROM changes WHERE subscriber = :a ORDER BY seq"), {"a": ALICE}
        )
        log = [(row[0], row[1]) for row in rows]
    assert all(who.startswith("cli:") for who, _ in log)
    assert [what.split(":")[0] for _, what in log] == [
        "bill 2026-09 unpaid",
        "suspension from 2026-11-25 announced",
        "notice 1 given by mail",
        "suspended; suspension begins",
        "bill 2026-09 paid on 2026-12-01",
        "active; suspension ends",
        "notice 2 given by mail",
        "late interest of 2026-09",
    ]


def test_who_has_no_mail_address_is_told_by_letter_before_anything_is_stopped(
    terminal: Terminal, exchange: Exchange
) -> None:  # K9, 約款 第34条
    with exchange.main.begin() as connection:
        connection.execute(text("UPDATE subscribers SET mail = ''"))
    assert "no mail address" in unpaid(terminal).err
    postponed = run(terminal, "2026-11-25")
    assert [done["what"].split(":")[0] for done in postponed["done"]] == ["suspension postponed to 2026-12-15"]
    assert "2026年12月15日" in terminal.done("notices", "show", "1").out
    terminal.done("notices", "given", "1", "--by", "letter", "--on", "2026-11-26")
    assert terminal("notices", "given", "1").code == 1
    run(terminal, "2026-12-14")
    assert state_of(terminal) == "active"
    run(terminal, "2026-12-15")
    assert state_of(terminal) == "suspended"


def test_a_mail_that_cannot_be_delivered_holds_the_suspension_up(terminal: Terminal, exchange: Exchange) -> None:  # K9
    unpaid(terminal)
    with exchange.main.begin() as connection:
        connection.execute(text("UPDATE outbox SET state = 'undeliverable'"))
    report = run(terminal, "2026-11-06")
    assert [notice["id"] for notice in report["undelivered"]] == [1]
    assert run(terminal, "2026-11-06")["undelivered"] == []
    run(terminal, "2026-11-25")
    assert state_of(terminal) == "active"


def test_resumed_by_the_operator_it_is_not_suspended_again_for_the_same_bill(
    terminal: Terminal, exchange: Exchange
) -> None:
    unpaid(terminal)
    run(terminal, "2026-11-25")
    terminal.done("subscriber", "resume", ALICES)
    assert run(terminal, "2027-01-31")["done"] == []
    assert state_of(terminal) == "active"
    assert [bill["state"] for bill in bills(terminal, "--unpaid")] == ["released"]


def test_a_termination_is_announced_and_comes_on_its_day(terminal: Terminal, exchange: Exchange) -> None:  # 約款 第13条
    unpaid(terminal)
    run(terminal, "2026-11-25")
    terminal.done("subscriber", "terminate", ALICES, "--reason", "unpaid", "--from", "2099-01-31")
    terminal.done("notices", "send", "--on", "2099-01-05")
    run(terminal, "2099-01-30")
    assert state_of(terminal) == "suspended"
    run(terminal, "2099-01-31")
    assert state_of(terminal) == "terminated"
    assert terminal("subscriber", "resume", ALICES).code == 1  # L2: never comes back
    assert paid(terminal, "2099-02-01").code == 0
    assert state_of(terminal) == "terminated"
    assert terminal.done("contracts", "measures", "--json").json == []


def test_an_announced_measure_can_be_taken_back(terminal: Terminal, exchange: Exchange) -> None:
    terminal.done(
        "subscriber", "suspend", ALICES, "--reason", "misuse", "--from", "2099-01-31", "--until", "2099-03-31"
    )
    (measure,) = terminal.done("contracts", "measures", "--json").json
    assert (measure["cause"], measure["from"], measure["until"]) == ("misuse", "2099-01-31", "2099-03-31")
    terminal.done("contracts", "withdraw", ALICES, str(measure["id"]))
    assert terminal("contracts", "withdraw", ALICES, str(measure["id"])).code == 1
    run(terminal, "2099-02-01")
    listed = terminal.done("notices", "list", "--number", ALICES, "--json").json
    told = [(notice["kind"], notice["state"]) for notice in listed if notice["kind"] != "dormancy"]
    assert told == [("suspension", "given"), ("withdrawal", "given")]
    assert state_of(terminal) == "active"


def test_what_was_announced_to_nobody_is_taken_back_without_a_word(terminal: Terminal, exchange: Exchange) -> None:
    terminal.done("subscriber", "terminate", BOBS, "--reason", "misuse", "--from", "2099-01-31")  # he has no address
    terminal.done("contracts", "withdraw", BOBS, "1")
    assert [n["state"] for n in terminal.done("notices", "list", "--number", BOBS, "--json").json] == ["dropped"]


def test_a_contract_without_bills_is_told_three_times_and_ends_only_on_the_operators_word(
    terminal: Terminal, exchange: Exchange
) -> None:  # L2, 約款 第13条 3
    given = {
        day: [n["number"] for n in run(terminal, day)["given"]] for day in ("2027-07-02", "2027-07-03", "2027-07-04")
    }
    assert given == {"2027-07-02": [], "2027-07-03": [ALICES], "2027-07-04": []}
    assert terminal("contracts", "dormant", "--on", "2027-10-01", "--end", "--number", BOBS).code == 1  # never told
    for day in ("2027-09-01", "2027-09-21", "2027-09-30", "2027-12-01"):
        run(terminal, day)
    assert state_of(terminal) == "active"
    listed = terminal.done("contracts", "dormant", "--on", "2027-10-01", "--json").json
    assert {one["number"]: (one["dormant_on"], one["told_on"]) for one in listed} == {
        ALICES: ("2027-10-01", ["2027-07-03", "2027-09-01", "2027-09-21"]),
        BOBS: ("2027-08-01", []),  # no mail address: nobody has told him
    }
    early = terminal("contracts", "dormant", "--on", "2027-09-30", "--end", "--number", ALICES)
    assert (early.code, state_of(terminal)) == (1, "active")
    ended = terminal.done("contracts", "dormant", "--on", "2027-10-01", "--end", "--json").json
    assert {one["number"]: one["ended"] for one in ended} == {ALICES: True, BOBS: False}
    assert state_of(terminal) == "terminated"


def test_notices_of_dormancy_that_were_missed_are_given_as_one(terminal: Terminal, exchange: Exchange) -> None:
    assert [n["due_on"] for n in run(terminal, "2027-09-25")["given"]] == ["2027-09-21"]
    states = [n["state"] for n in terminal.done("notices", "list", "--number", ALICES, "--json").json]
    assert states == ["dropped", "dropped", "given"]


def test_a_new_bill_starts_the_twelve_months_anew(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call(answered_ms=ms(2026, 10, 5))
    terminal.done("month", "show", "2026-10")  # rates it
    listed = terminal.done("contracts", "dormant", "--on", "2027-10-15", "--number", ALICES, "--json").json
    assert [one["dormant_on"] for one in listed] == ["2027-11-01"]


def test_the_step_charges_number_fees_and_says_so(terminal: Terminal, exchange: Exchange) -> None:  # T7
    for number in ("05050010011", "05050010012"):
        terminal.done(
            "subscriber",
            "add",
            "--name",
            "C",
            "--mail",
            "c@example.jp",
            "--number",
            number,
            "--card-token",
            "tok_secret_9931",
        )
    (fee,) = run(terminal, "2026-11-21")["done"]
    assert fee["number"] == "05050010012"
    assert fee["what"].startswith("number fee: 同一の支払カードで 2 個目の番号 (解約を含む) → 500 円")
    assert run(terminal, "2026-11-22")["done"] == []
    assert "変更なし" in terminal.done("billing", "run", "--on", "2026-11-22").out
    again = terminal.done("adjust", "number-fee", "--all", "--json").json
    assert [(one["subscriber"], [a["posted"] for a in one["adjustments"]]) for one in again] == [
        ("05050010011", []),
        ("05050010012", ["before"]),
    ]
    with exchange.main.begin() as connection:
        log = connection.execute(text("SELECT subscriber, what FROM changes WHERE what LIKE 'number fee%'")).all()
    assert [(row[0], row[1]) for row in log] == [("+815050010012", fee["what"])]


def test_numbers_are_counted_on_any_day(terminal: Terminal, exchange: Exchange) -> None:  # K7
    with exchange.main.begin() as connection:
        connection.execute(text("UPDATE subscribers SET created_at = :m"), {"m": ms(2026, 8, 1)})
    now = terminal.done("numbers", "--json").json
    assert (now["active"], now["in_use"], now["stopped"], now["resting"]) == (2, 2, 0, 0)
    assert terminal.done("numbers", "--on", "2026-07-31", "--json").json["active"] == 0
    assert terminal.done("numbers", "--month", "2026-08", "--json").json["active"] == 2
    assert terminal.done("numbers", "--list", "in-use", "--json").json == [ALICES, BOBS]
    assert "稼働番号数 active numbers: 2" in terminal.done("numbers").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["billing", "run", "--on", "tomorrow"], 2, "YYYY-MM-DD"),
        (["payments", "read", "/no/such/file"], 2, "/no/such/file"),
        (["payments", "list", "--number", "x"], 2, "x"),
        (["notices", "show", "7"], 1, "no notice 7"),
        (["notices", "given", "7", "--by", "mail"], 2, "not mail"),
        (["contracts", "withdraw", ALICES, "7"], 1, "no announced measure 7"),
        (["numbers", "--on", "2026-11-01", "--month", "2026-11"], 2, "not both"),
        (["numbers", "--month", "2026-13"], 2, "2026-13"),
        (["subscriber", "suspend", ALICES, "--from", "2020-01-01"], 2, "not ahead"),
        (["subscriber", "suspend", ALICES, "--from", "2098-01-01", "--until", "2098-12-31"], 2, "2098-06-30"),
        (["subscriber", "suspend", ALICES, "--reason", "unpaid"], 2, "unpaid"),
        (["subscriber", "terminate", ALICES, "--reason", "misuse"], 2, "go together"),
    ],
)
def test_what_cannot_be_done_says_so_and_ends_with_its_code(
    terminal: Terminal, arguments: list[str], code: int, says: str
) -> None:
    terminal.done("subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--number", ALICES)
    ended = terminal(*arguments)
    assert (ended.code, says in ended.err, "Traceback" in ended.err) == (code, True, False), ended.err
