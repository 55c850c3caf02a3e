"""`denwa adjust`: charges and credits beside calls, from the history in the ledger into the bill (T7, T9–T12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from denwa.storage.tables.contracts import subscribers
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NUMBER, OTHER = "05050010001", "05050010002"
OUTAGE = ("adjust", "outage", NUMBER, "--from", "2026-11-03T09:00", "--until", "2026-11-05T10:00", "--reason", "障害")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DENWA_BILLING__ISSUER_NAME", "見本電話")
    for module in ("adjust", "adjust_desk", "bill", "month", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: ms(2026, 11, 21))
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    terminal.done("calls")  # makes the databases
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    made.subscriber(ALICE, start=LONG_AGO)
    made.subscriber(BOB, start=LONG_AGO, bill_day=15)
    made.call(answered_ms=ms(2026, 2, 1), duration_ms=390_000)  # 104 yen: the credit
    for month in range(5, 11):
        made.call(answered_ms=ms(2026, month, 10), duration_ms=3_600_000)  # 960 yen a month: 5760 in 184 days
    yield made
    made.close()


def adjustments(terminal: Terminal, month: str = "2026-11", number: str = NUMBER) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.done("bill", number, month, "--json").json["adjustments"]
    return found


def test_an_outage_is_credited_on_the_bill_with_its_working(terminal: Terminal, exchange: Exchange) -> None:  # T10
    shown = terminal.done(*OUTAGE).out
    assert "050-5001-0001  2026-11  -62 円 out-of-scope  outage-credit:20261103T0900:+815050010001:2026-11" in shown
    assert "2026-11-03 から 49 時間 0 分 → 24時間 × 2" in shown
    assert "前6料金月 2026-05-01〜2026-10-31 5760 円 ÷ 184 日 × 2 日 → 62 円 (第29条 2)" in shown
    (credit,) = adjustments(terminal)
    assert (credit["kind"], credit["yen"], credit["tax"], credit["reason"]) == (
        "outage-credit", -62, "out-of-scope", "障害",
    )  # fmt: skip
    totals = terminal.done("bill", NUMBER, "2026-11", "--json").json["totals"]
    assert (totals["out_of_scope_yen"], totals["tax_yen"], totals["total_yen"]) == (-62, 0, -62)
    assert "障害時の賠償" in terminal.done("bill", NUMBER, "2026-11").out


def test_the_same_decision_is_posted_once_and_a_changed_one_refused(
    terminal: Terminal, exchange: Exchange
) -> None:  # T13
    terminal.done(*OUTAGE)
    assert "記帳済み" in terminal.done(*OUTAGE).out
    assert len(adjustments(terminal)) == 1
    longer = list(OUTAGE)
    longer[longer.index("--until") + 1] = "2026-11-06T10:00"
    ended = terminal(*longer)
    assert (ended.code, "was posted before with another content" in ended.err) == (1, True)


def test_a_dry_run_shows_the_working_and_writes_nothing(terminal: Terminal, exchange: Exchange) -> None:
    shown = terminal.done(*OUTAGE, "--dry-run", "--json").json
    assert [(one["yen"], one["adjustments"][0]["posted"]) for one in shown] == [(-62, "dry-run")]
    assert "--dry-run" in terminal.done(*OUTAGE, "--dry-run").out
    assert adjustments(terminal) == []


def test_under_24_hours_the_working_says_why_there_is_nothing(terminal: Terminal, exchange: Exchange) -> None:  # T10
    short = list(OUTAGE)
    short[short.index("--until") + 1] = "2026-11-04T08:59"
    shown = terminal.done(*short).out
    assert "0 円" in shown
    assert "24時間に満たないため賠償なし" in shown
    assert adjustments(terminal) == []


def test_a_closed_month_gives_way_to_the_next(terminal: Terminal, exchange: Exchange) -> None:  # L3
    terminal.done("month", "close", "2026-09")
    early = list(OUTAGE)
    early[early.index("--from") + 1], early[early.index("--until") + 1] = "2026-09-03", "2026-09-05"
    assert "2026-10  -" in terminal.done(*early).out
    assert (adjustments(terminal, "2026-09"), len(adjustments(terminal, "2026-10"))) == ([], 1)


def test_everyone_of_that_time_is_credited_but_not_who_came_or_went(
    terminal: Terminal, exchange: Exchange
) -> None:  # T10, K8
    exchange.subscriber("+815050010003", start=datetime(2026, 11, 20, tzinfo=UTC))
    with exchange.main.begin() as connection:
        gone = update(subscribers).where(subscribers.c.number == BOB)
        connection.execute(gone.values(state="terminated", ended_at=LONG_AGO))
    everyone = ["--all" if part == NUMBER else part for part in OUTAGE]
    ended = terminal(*everyone)
    assert (ended.code, ended.out.count(" 円 out-of-scope")) == (1, 1)
    assert "050-5001-0003: the contract started after the outage" in ended.err
    assert len(adjustments(terminal)) == 1  # the others are credited all the same


def test_lost_days_are_charged_with_their_working(terminal: Terminal, exchange: Exchange) -> None:  # T9
    shown = terminal.done(
        "adjust", "lost-metering", NUMBER, "--from", "2026-11-03", "--to", "2026-11-05", "--reason", "故障"
    ).out
    assert "最低 960 円 ÷ 31 日 × 3 日 → 92 円 (料金表 第1表 第1 1-1 (4) ア)" in shown
    (posted,) = adjustments(terminal)
    assert (posted["kind"], posted["yen"], posted["tax"]) == ("lost-metering", 92, "taxed")
    assert terminal.done("bill", NUMBER, "2026-11", "--json").json["totals"]["tax_yen"] == 9


def test_charges_of_a_set_of_contracts_are_waived(
    terminal: Terminal, exchange: Exchange, tmp_path: Path
) -> None:  # T12
    exchange.call(answered_ms=ms(2026, 10, 9), **{"class": "international"})
    exchange.call(answered_ms=ms(2026, 10, 9), subscriber=BOB, duration_ms=3_600_000)
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("050-5001-0001\n\n０５０５００１０００２\n")
    waived = ("adjust", "waiver", "--numbers-from", str(numbers), "--from", "2026-10-09", "--reason", "台風")
    shown = terminal.done(*waived, "--until", "2026-10-10", "--json").json
    assert [(one["subscriber"], one["yen"]) for one in shown] == [(NUMBER, -984), (OTHER, -860)]
    assert {(one["tax"], one["yen"]) for one in adjustments(terminal, "2026-10")} == {("taxed", -960), ("exempt", -24)}
    totals = terminal.done("bill", NUMBER, "2026-10", "--json").json["totals"]
    assert (totals["tax_yen"], totals["total_yen"]) == (0, 0)
    assert [one["yen"] for one in adjustments(terminal, "2026-09", OTHER)] == [-860]  # his month starts on the 15th
    half = terminal.done(*waived, "--until", "2026-10-10", "--percent", "50", "--reference", "half", "--dry-run").out
    assert "-480 円 taxed" in half


def test_who_evaded_owes_it_and_twice_of_it_with_tax(terminal: Terminal, exchange: Exchange) -> None:  # T11
    evaded = ("adjust", "evasion", NUMBER, "--taxed-yen", "1200", "--exempt-yen", "80", "--reason", "不正利用")
    terminal.done(*evaded, "--who", "監査 山本")
    assert sorted((one["tax"], one["yen"]) for one in adjustments(terminal)) == [
        ("exempt", 80), ("taxed", 1200), ("taxed", 2560),
    ]  # fmt: skip
    totals = terminal.done("bill", NUMBER, "2026-11", "--json").json["totals"]
    assert (totals["tax_yen"], totals["total_yen"]) == (376, 1200 + 80 + 2560 + 376)
    only = terminal.done(*evaded, "--charged", "--on", "2026-11-20", "--json").json
    assert [one["yen"] for one in only] == [2560]
    listed = terminal.done("ledger", "adjustments", "--json").json
    assert [one["who"] for one in listed if "20261121" in one["reference"]] == ["監査 山本"] * 3


def give_card(exchange: Exchange, *numbers: str) -> None:
    with exchange.main.begin() as connection:
        for n, number in enumerate(numbers):
            created = datetime(2026, 11, 1, n, tzinfo=UTC)
            values = {"card_token": "tok_secret", "created_at": created, "service_start": created}
            connection.execute(update(subscribers).where(subscribers.c.number == number).values(values))


def test_further_numbers_on_a_card_cost_500_yen_cancelled_ones_counted(
    terminal: Terminal, exchange: Exchange
) -> None:  # T7
    exchange.subscriber("+815050010003")
    give_card(exchange, ALICE, BOB, "+815050010003")
    with exchange.main.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.number == BOB).values(state="terminated"))
    shown = terminal.done("adjust", "number-fee", "05050010003").out
    assert "+500 円 taxed" in shown
    assert "3 個目の番号" in shown
    assert "tok_secret" not in shown
    everyone = terminal.done("adjust", "number-fee", "--all", "--json").json
    assert [(one["subscriber"], one["yen"]) for one in everyone] == [(NUMBER, 0), (OTHER, 500), ("05050010003", 500)]
    assert everyone[2]["adjustments"][0]["posted"] == "before"
    assert len(adjustments(terminal, number="05050010003")) == 1


def test_a_contract_without_a_card_has_no_fee(terminal: Terminal, exchange: Exchange) -> None:  # T7
    assert "no payment card" in terminal.done("adjust", "number-fee", NUMBER).out
    assert terminal.done("adjust", "number-fee", NUMBER, "--json").json == []


def test_a_person_can_decide_any_other_amount(terminal: Terminal, exchange: Exchange) -> None:
    manual = ("adjust", "manual", NUMBER, "--tax", "taxed", "--reason", "お詫び")
    terminal.done(*manual, "--yen", "-300", "--reference", "case-7", "--month", "2026-12")
    assert [(one["reference"], one["yen"]) for one in terminal.done("ledger", "adjustments", "--json").json] == [
        ("case-7:+815050010001:2026-12:taxed", -300)
    ]
    assert terminal(*manual, "--yen", "5").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("outage", "--from", "2026-11-03", "--until", "2026-11-05", "--reason", "x"), 2, "name the contracts"),
        (("outage", NUMBER, "--all", "--from", "2026-11-03", "--until", "2026-11-05", "--reason", "x"), 2, "not both"),
        (("outage", NUMBER, "--from", "2026-11-05", "--until", "2026-11-03", "--reason", "x"), 2, "this order"),
        (("outage", NUMBER, "--from", "2026-11-03", "--until", "2026-11-05"), 2, "--reason"),
        (("outage", "05050019999", "--from", "2026-11-03", "--until", "2026-11-05", "--reason", "x"), 1, "no subs"),
        (("lost-metering", NUMBER, "--from", "2026-11-05", "--to", "2026-11-30", "--reason", "x"), 2, "not over"),
        (("lost-metering", NUMBER, "--from", "5.11.", "--to", "2026-11-06", "--reason", "x"), 2, "YYYY-MM-DD"),
        (("waiver", NUMBER, "--from", "2026-11-05", "--until", "2026-11-04", "--reason", "x"), 2, "not before"),
        (("waiver", NUMBER, "--from", "a", "--until", "2026-11-04", "--reason", "x"), 2, "ISO 8601"),
        (("evasion", NUMBER, "--reason", "x"), 2, "--taxed-yen"),
        (("evasion", "05050019999", "--taxed-yen", "1", "--reason", "x"), 1, "is no subscriber"),
        (("number-fee",), 2, "name the contract"),
        (("number-fee", "05050019999"), 1, "is no subscriber"),
        (("manual", NUMBER, "--yen", "1", "--tax", "taxed", "--month", "x", "--reason", "x"), 2, "YYYY-MM"),
        (("manual", NUMBER, "--yen", "1", "--tax", "taxed", "--reference", "r", "--reason", " "), 1, "has no reason"),
    ],
)  # fmt: skip
def test_what_cannot_be_adjusted_is_said(
    terminal: Terminal, exchange: Exchange, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = terminal("adjust", *arguments)
    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_a_file_of_numbers_with_a_bad_line_is_refused_with_the_line(
    terminal: Terminal, exchange: Exchange, tmp_path: Path
) -> None:
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("05050010001\nnobody\n")
    waiver = ("adjust", "waiver", "--from", "2026-10-09", "--until", "2026-10-10", "--reason", "台風")
    ended = terminal(*waiver, "--numbers-from", str(numbers))
    assert (ended.code, f"{numbers}:2: nobody" in ended.err) == (1, True)
