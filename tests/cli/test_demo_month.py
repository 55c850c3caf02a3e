"""A month of demo traffic: what is exported, stated, booked, and rated from files is the same to the yen (L3)."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bench.demo_month import MadeCall, add_contracts, contracts, demo_calls, journal_groups, write_files
from denwa.cli.desk import databases, numbering_plan
from denwa.cli.rating_desk import open_rater
from denwa.cli.wiring import open_journal_store
from denwa.config.settings_sources import load_settings
from denwa.rating.billing_month import billing_month_named, tokyo_day
from denwa.rating.month_export import COLUMNS
from denwa.rating.tariff import PRICED_CLASSES
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ms

MONTH = "2026-09"
CALLS = demo_calls(MONTH, 1200)
NOW_MS = ms(2026, 11, 21)


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    if database_url.startswith("postgresql"):
        monkeypatch.setenv("DENWA_DATABASE__URL", database_url)
    for module in ("month", "export", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: NOW_MS)
    return made


def live(terminal: Terminal, calls: list[MadeCall]) -> None:
    """The calls come into the journal group by group, and are rated as they end."""
    settings = load_settings(demo=True)
    add_contracts(settings, MONTH)
    store = open_journal_store(settings)
    with databases(settings) as (main, journal):
        rater = open_rater(settings, main, journal)
        for group in journal_groups(calls, numbering_plan(settings)):
            store.commit(group)
            rater.catch_up(NOW_MS)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_month_of_traffic_has_everything_that_billing_must_know() -> None:
    charged = [call for call in CALLS if call.charged]
    assert {call.leg for call in CALLS} == {"outgoing", "forwarded", "incoming"}
    assert {call.end_cause for call in charged} == {"caller", "callee", "network_fault", "lost", "service"}
    assert {0, 1, 30_000, 30_001} <= {call.duration_ms for call in charged}
    assert any(call.answered_ms is None for call in CALLS)
    for contract in contracts(MONTH):
        period = billing_month_named(MONTH, contract.bill_day)
        answered = {call.answered_ms for call in charged if call.subscriber == contract.number}
        assert {period.start_ms, period.end_ms - 1, period.end_ms} <= answered
    assert demo_calls(MONTH, 1200) == CALLS
    assert [call.call_id for call in CALLS] != [call.call_id for call in demo_calls(MONTH, 1200, seed=51)]


def test_export_statements_ledger_and_files_agree_to_the_yen(terminal: Terminal, tmp_path: Path) -> None:  # L3, T1-T6
    live(terminal, CALLS)
    assert terminal.done("month", "show", MONTH, "--json").json["problems"] == []
    terminal.done("month", "close", MONTH)
    terminal.done("export", "month", MONTH, "--out", str(tmp_path / "export"))
    terminal.done("month", "check", MONTH, "--export", str(tmp_path / "export"))
    terminal.done("ledger", "balance")
    exported = rows(tmp_path / "export" / f"denwa-{MONTH}.csv")
    assert len(exported) == len(contracts(MONTH))
    assert {int(row["credit_yen"]) for row in exported} == {0, 100}
    shown = terminal.done("month", "show", MONTH, "--json").json["statements"]
    assert [{name: row[name] for name in COLUMNS} for row in exported] == [
        {name: str(statement[name]) for name in COLUMNS} for statement in shown
    ]

    subscribers, calls = write_files(tmp_path / "files", MONTH, CALLS)
    months = tmp_path / "months.csv"
    files = ("--subscribers", str(subscribers), "--calls", str(calls), "--months", str(months))
    terminal.done("rate", *files, "--out", str(tmp_path / "rated.csv"))
    assert [from_export(row) for row in exported] == [
        from_files(row) for row in rows(months) if row["period_start"].startswith(MONTH)
    ]
    rated = Counter((row["call_id"], row["class"]) for row in rows(tmp_path / "rated.csv"))
    listed = terminal.done("calls", "--format", "csv").out.splitlines()
    assert rated == Counter(
        (row["call_id"], row["class"])
        for row in csv.DictReader(listed)
        if row["answered_at"] and row["leg"] != "incoming"
    )
    assert {number_class for _, number_class in rated} == set(PRICED_CLASSES)


def from_export(row: dict[str, str]) -> tuple[str, ...]:
    charges = {name: int(row[f"{name.replace('-', '_')}_yen"]) for name in PRICED_CLASSES}
    abroad = charges.pop("international")
    sums = (row["calls"], row["duration_ms"], str(sum(charges.values())), str(abroad), row["credit_yen"])
    return (row["subscriber"], row["period_start"], row["period_end"], *sums, row["tax_yen"], row["total_yen"])


def from_files(row: dict[str, str]) -> tuple[str, ...]:
    columns = ("calls", "duration_ms", "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen")
    return (row["subscriber"], row["period_start"], row["period_end"], *(row[name] for name in columns))


def test_calls_of_the_months_before_and_after_are_not_in_it(terminal: Terminal) -> None:  # T5
    live(terminal, CALLS)
    statements = terminal.done("month", "show", MONTH, "--json").json["statements"]
    for contract, statement in zip(contracts(MONTH), statements, strict=True):
        period = billing_month_named(MONTH, contract.bill_day)
        mine = [call for call in CALLS if call.charged and call.subscriber == contract.number]
        within = [
            call for call in mine if call.answered_ms and period.start <= tokyo_day(call.answered_ms) <= period.end
        ]
        assert len(within) < len(mine)
        assert (statement["calls"], statement["duration_ms"]) == (len(within), sum(call.duration_ms for call in within))
