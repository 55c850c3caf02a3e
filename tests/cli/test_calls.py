"""`denwa calls`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.control import service
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

COLUMNS = (
    "call_id,leg,subscriber,direction,caller,callee,class,started_at,answered_at,ended_at,duration_ms,end_cause,"
    "sip_status,forwarded_by,voicemail,units,charge_yen,reason,hidden_reason"
)
NOON = ms(2026, 11, 20, 3)  # in Tokyo


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return open_terminal(tmp_path, monkeypatch, capsys)


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    terminal.done("calls")  # makes the databases
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    made.subscriber(ALICE)
    made.subscriber(BOB)
    yield made
    made.close()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_call_is_listed_with_the_agreed_columns_and_its_charge(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call(call_id="x@phone", answered_ms=NOON + 123, duration_ms=61_000, end_cause="callee")
    out = terminal.done("calls", "--format", "csv").out
    assert out.splitlines()[0] == COLUMNS
    assert rows(out) == [
        {
            "call_id": "x@phone", "leg": "outgoing", "subscriber": "05050010001", "direction": "outgoing",
            "caller": "05050010001", "callee": "0312345678", "class": "fixed",
            "started_at": "2026-11-20T11:59:57.123+09:00", "answered_at": "2026-11-20T12:00:00.123+09:00",
            "ended_at": "2026-11-20T12:01:01.123+09:00", "duration_ms": "61000", "end_cause": "callee",
            "sip_status": "200", "forwarded_by": "", "voicemail": "no", "units": "3", "charge_yen": "24",
            "reason": "",
            "hidden_reason": "",
        }
    ]  # fmt: skip


def test_unanswered_and_incoming_calls_cost_nothing(terminal: Terminal, exchange: Exchange) -> None:  # C8
    exchange.call(answered_at=None, duration_ms=0, end_cause="busy", sip_status=486, callee="*99")
    exchange.call(leg="incoming", direction="incoming", subscriber=BOB, caller="", voicemail=1, **{"class": "on-net"})
    unanswered, incoming = rows(terminal.done("calls", "--format", "csv").out)
    assert (unanswered["answered_at"], unanswered["duration_ms"], unanswered["charge_yen"]) == ("", "0", "0")
    assert (unanswered["callee"], unanswered["sip_status"]) == ("*99", "486")
    assert (incoming["caller"], incoming["voicemail"], incoming["units"], incoming["charge_yen"]) == (
        "",
        "yes",
        "0",
        "0",
    )


def test_a_call_that_cannot_be_rated_shows_no_charge_and_never_a_zero(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call(**{"class": ""})
    (row,) = rows(terminal.done("calls", "--format", "csv").out)
    assert (row["units"], row["charge_yen"]) == ("", "")


def test_both_legs_of_a_forwarded_call_are_rows(terminal: Terminal, exchange: Exchange) -> None:  # F4
    exchange.call(call_id="f", callee=BOB, **{"class": "on-net"})
    exchange.call(call_id="f", leg="forwarded", subscriber=BOB, forwarded_by=BOB, **{"class": "mobile"})
    found = rows(terminal.done("calls", "--format", "csv").out)
    assert [(row["call_id"], row["leg"], row["forwarded_by"], row["charge_yen"]) for row in found] == [
        ("f", "outgoing", "", "0"),
        ("f", "forwarded", "05050010002", "24"),
    ]
    assert "forwarded 050-5001-0002" in terminal.done("calls").out  # the caller's number is in a column of its own


def test_calls_are_chosen_by_time_and_subscriber(terminal: Terminal, exchange: Exchange) -> None:
    for day in (19, 20, 21):
        exchange.call(call_id=f"d{day}", answered_ms=ms(2026, 11, day - 1, 15) + 3000)  # midnight in Tokyo
    exchange.call(call_id="bob", subscriber=BOB, answered_ms=NOON)

    def chosen(*arguments: str) -> list[str]:
        return [row["call_id"] for row in rows(terminal.done("calls", "--format", "csv", *arguments).out)]

    assert chosen() == ["d19", "d20", "bob", "d21"]
    assert chosen("--from", "2026-11-20") == ["d20", "bob", "d21"]
    assert chosen("--to", "2026-11-20") == ["d19", "d20", "bob"]
    assert chosen("--to", "2026-11-20T00:00") == ["d19"]
    assert chosen("--from", "2026-11-19T15:00:00Z", "--to", "2026-11-20T00:00:00.001+09:00") == ["d20"]
    assert chosen("--subscriber", "050-5001-0002") == ["bob"]


def test_json_and_jsonl_hold_numbers_and_nothing_for_what_is_not_there(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call(answered_at=None, duration_ms=0, end_cause="busy")
    exchange.call()
    lines = [json.loads(line) for line in terminal.done("calls", "--format", "jsonl").out.splitlines()]
    assert terminal.done("calls", "--json").json == lines
    assert [(line["answered_at"] is None, line["charge_yen"], line["voicemail"]) for line in lines] == [
        (True, 0, "no"),
        (False, 24, "no"),
    ]
    assert ",".join(lines[0]) == COLUMNS


def test_calls_in_progress_are_those_answered_and_not_ended(terminal: Terminal, exchange: Exchange) -> None:
    going_on = {"end_seq": None, "ended_at": None, "duration_ms": 0, "end_cause": ""}
    exchange.put(exchange.row(call_id="up", **going_on))
    exchange.put(exchange.row(call_id="up too", subscriber=BOB, **going_on))
    exchange.call(call_id="over")
    assert [row["call_id"] for row in rows(terminal.done("calls", "--active", "--format", "csv").out)] == [
        "up",
        "up too",
    ]
    (mine,) = rows(terminal.done("calls", "--active", "--subscriber", ALICE, "--format", "csv").out)
    assert (mine["call_id"], mine["ended_at"], mine["charge_yen"]) == ("up", "", "")
    assert "通話中" in terminal.done("calls", "--active").out
    assert terminal("calls", "--active", "--from", "2026-11-20").code == 2


def test_the_table_is_for_people(terminal: Terminal, exchange: Exchange) -> None:
    assert "通話記録はありません" in terminal.done("calls").out
    exchange.call(duration_ms=3_661_234)
    table = terminal.done("calls").out
    assert "050-5001-0001" in table
    assert "03-1234-5678" in table
    assert "1:01:01.234" in table


@pytest.mark.parametrize(
    "arguments", [("--from", "soon"), ("--to", "2026-02-30"), ("--subscriber", "x"), ("--format", "xml")]
)
def test_wrong_usage_ends_with_2(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert terminal("calls", *arguments).code == 2


def test_more_calls_than_are_read_at_once_are_all_listed(terminal: Terminal, exchange: Exchange) -> None:
    exchange.put(*[exchange.row() for _ in range(1201)])
    found = rows(terminal.done("calls", "--format", "csv").out)
    assert len({row["call_id"] for row in found}) == 1201
    assert {row["charge_yen"] for row in found} == {"24"}


def test_a_running_service_is_asked_to_rate_first(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call()
    with service(terminal.data_dir, b"ok") as asked:
        (row,) = rows(terminal.done("calls", "--format", "csv").out)
    assert asked == [b"sync\n"]
    assert row["charge_yen"] == ""  # this service did not rate, and nobody else does while it runs


def test_a_service_that_cannot_rate_does_not_hide_the_records(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call()
    with service(terminal.data_dir, b"error disk full"):
        ended = terminal.done("calls", "--format", "csv")
    assert len(rows(ended.out)) == 1
    assert "could not rate what has just ended: error disk full" in ended.err


def test_the_working_of_each_charge_is_shown_when_asked_for(
    terminal: Terminal, exchange: Exchange
) -> None:  # T1–T4, F4
    exchange.call(call_id="cut", answered_ms=NOON, end_cause="network_fault")
    exchange.call(call_id="on", answered_ms=NOON + 1000, leg="forwarded", duration_ms=300_001)
    exchange.call(call_id="odd", answered_ms=NOON + 2000, **{"class": "satellite"})
    exchange.call(call_id="in", answered_ms=NOON + 3000, leg="incoming", direction="incoming")
    listed = rows(terminal.done("calls", "--format", "csv", "--show-working").out)
    assert {row["call_id"]: row["working"] for row in listed} == {
        "cut": "61.0 s → 2 × 30 s (cut by a fault of the service: the unfinished unit is not counted) → 16 yen; "
        "credit 16; to pay 0 [fixed 8 yen per 30 s, taxed; tariff default of 2000-01-01; T3, T2, T4]",
        "on": "300.001 s → 11 × 30 s → 88 yen; credit 84; to pay 4 "
        "[fixed 8 yen per 30 s, taxed; tariff default of 2000-01-01; T1, T2, F4, T4]",
        "odd": "",
        "in": "",
    }
    table = terminal.done("calls", "--show-working").out
    assert "61.0 s → 2 × 30 s" in table
    assert "[fixed 8 yen per 30 s, taxed; tariff default of 2000-01-01; T1, T2, F4, T4]" in table
    assert terminal.done("calls", "--json", "--show-working").json[1]["working"].endswith("T1, T2, F4, T4]")


def test_a_called_name_in_brackets_is_no_markup_of_the_table(terminal: Terminal, exchange: Exchange) -> None:
    exchange.call(callee="[/red]")
    assert "[/red]" in terminal.done("calls").out
