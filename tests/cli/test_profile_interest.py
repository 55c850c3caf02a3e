"""Interest on what was paid late goes by the terms that the subscriber has (T11, L4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from denwa.cli.profile_interest import InterestByProfile
from denwa.config.settings import DATA, ConfigurationError
from denwa.contracts.faults import ContractFault
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, BOB, Exchange, ms

PROFILES = DATA / "profiles"
DUE, PAID = date(2026, 10, 31), date(2026, 11, 9)  # nine days late


def interest(profile: str, directory: Path = PROFILES) -> tuple[int, str]:
    return InterestByProfile(lambda number: {ALICE: profile}[number], directory)(ALICE, 10_450, DUE, PAID)


def test_the_service_s_own_terms_forgive_ten_days() -> None:  # T11, 第27条
    assert interest("")[0] == 0


def test_a_profile_s_terms_count_from_the_first_day() -> None:  # L4, h555 第27条
    yen, working = interest("h555")
    assert yen == 33  # 10,450 × 14.5 % × 8 / 365 = 33.2
    assert working.startswith("h555: 2026-11-01 から 2026-11-08 まで 8日 (第27条); ")


@pytest.mark.parametrize("profile", ["value-net", "ucom-spaaqs", "and-market"])
def test_terms_without_interest_on_that_day_charge_none(profile: str) -> None:  # L4
    yen, working = interest(profile)
    assert yen == 0
    assert profile in working


def test_a_profile_that_is_gone_or_broken_is_told_and_charges_nothing(tmp_path: Path) -> None:
    with pytest.raises(ContractFault, match="'gold'"):
        interest("gold")
    (tmp_path / "h555.toml").write_text("schema = ", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"h555\.toml:1: "):
        interest("h555", tmp_path)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made = open_terminal(tmp_path, monkeypatch, capsys)
    for module in ("month", "rating_desk"):
        monkeypatch.setattr(f"denwa.cli.{module}.now_ms", lambda: ms(2026, 11, 21))
    return made


@pytest.fixture
def exchange(terminal: Terminal) -> Iterator[Exchange]:
    """September closed: two subscribers owe the same; Alice has h555's terms, Bob the service's own."""
    terminal.done("subscriber", "list")
    made = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
    for number in (ALICE, BOB):
        made.subscriber(number, start=datetime(2026, 8, 1, tzinfo=UTC))
        made.call(answered_ms=ms(2026, 9, 5), duration_ms=36_000_000, subscriber=number)
    with made.main.begin() as connection:
        connection.execute(text("UPDATE subscribers SET profile = 'h555' WHERE number = :a"), {"a": ALICE})
    terminal.done("month", "close", "2026-09")
    yield made
    made.close()


def test_the_daily_step_charges_each_by_its_terms(terminal: Terminal, exchange: Exchange) -> None:  # T11, L4
    file = terminal.data_dir / "results.csv"
    rows = [f"0{number.removeprefix('+81')},2026-09,paid,{PAID},10450,R-{number}" for number in (ALICE, BOB)]
    file.write_text("\n".join(["subscriber,month,result,paid_on,amount_yen,reference", *rows, ""]), encoding="utf-8")
    terminal.done("payments", "read", str(file), "--on", str(PAID))
    terminal.done("billing", "run", "--on", "2026-11-10")
    charged = {bill["number"]: bill["late_interest_yen"] for bill in terminal.done("payments", "list", "--json").json}
    assert charged == {"05050010001": 33, "05050010002": 0}
