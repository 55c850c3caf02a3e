"""Tariffs and tax rates by their days (T6, T8): calls from the journal and the same calls from files cost the same."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from denwa.numbering import PhoneNumber
from denwa.rating.billing_month import tokyo_day
from denwa.storage.columns import from_millis
from tests.cli.terminal import Terminal, open_terminal
from tests.rating.journal_rows import ALICE, Exchange
from tests.rating.shipped import TARIFFS

NUMBERS = {"fixed": "0312345678", "mobile": "09012345678", "international": "01018085551234", "on-net": "05050010002"}


class Sums(NamedTuple):
    """A billing month, as both ways give it."""

    period_start: str
    calls: str
    domestic: str
    international: str
    credit: str
    tax: str
    total: str


class Office:
    """A service with one subscriber whose calls are in the journal and in a file."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal
        self.tariffs = folder / "tariffs"
        shutil.copytree(TARIFFS, self.tariffs)
        terminal.done("calls")  # makes the databases
        self.exchange = Exchange(f"sqlite:///{terminal.data_dir / 'denwa.db'}", terminal.data_dir)
        self._rows: list[tuple[object, ...]] = []

    def subscriber(self, start: datetime, bill_day: int = 1) -> None:
        self.exchange.subscriber(ALICE, start=start, bill_day=bill_day)
        line = f"05050010001,{tokyo_day(int(start.timestamp()) * 1000)},{bill_day}"
        self._write("subscribers.csv", f"number,service_start,bill_day\n{line}\n")

    def tariff(self, day: str, *changes: tuple[str, str], name: str = "default") -> Path:
        """A copy of the shipped tariff from `day` on, with changes."""
        text = (self.tariffs / "default" / "2000-01-01.toml").read_text(encoding="utf-8")
        for old, new in (("2000-01-01", day), ('name = "default"', f'name = "{name}"'), *changes):
            assert old in text
            text = text.replace(old, new, 1 if old == "[[price]]" else -1)
        return self._write(f"tariffs/{name}/{day}.toml", text)

    def call(self, answered: str, duration_ms: int, number_class: str = "fixed", end_cause: str = "caller") -> None:
        """`answered`: ISO 8601 with offset."""
        call_id = f"c{len(self._rows)}"
        answered_ms = round(datetime.fromisoformat(answered).timestamp() * 1000)
        callee = PhoneNumber.parse(NUMBERS[number_class]).e164
        kind = {"class": number_class, "callee": callee, "end_cause": end_cause}
        self.exchange.call(call_id=call_id, answered_ms=answered_ms, duration_ms=duration_ms, **kind)
        moment = from_millis(answered_ms).isoformat(timespec="milliseconds")
        row = (call_id, "05050010001", NUMBERS[number_class], "outgoing", moment, duration_ms, end_cause)
        self._rows.append(row)

    def live(self) -> list[tuple[str, ...]]:
        """(call id, units, yen) of every call that is rated from the journal."""
        listed = csv.DictReader(self.terminal.done("calls", "--format", "csv").out.splitlines())
        return sorted((row["call_id"], row["units"], row["charge_yen"]) for row in listed)

    def rated(self, *options: str, code: int = 0) -> list[tuple[str, ...]]:
        """The same from files, by `denwa rate`."""
        header = "call_id,subscriber,dialed,leg,answered_at,duration_ms,end_cause\n"
        lines = "".join(",".join(map(str, row)) + "\n" for row in self._rows)
        self._write("calls.csv", header + lines)
        names = {"subscribers": "subscribers", "calls": "calls", "out": "rated", "months": "months", "bad": "bad"}
        files = [f"--{option}={self.folder / name}.csv" for option, name in names.items()]
        assert self.terminal("rate", *files, *options).code == code
        return sorted((row["call_id"], row["units"], row["charge_yen"]) for row in self.rows("rated.csv"))

    def live_month(self, name: str) -> Sums:
        (row,) = self.terminal.done("month", "show", name, "--json").json["statements"]
        domestic = sum(row[f"{kind}_yen"] for kind in ("on_net", "partner_050", "paid_050", "fixed", "mobile"))
        amounts = (
            row["calls"],
            domestic,
            row["international_yen"],
            row["credit_yen"],
            row["tax_yen"],
            row["total_yen"],
        )
        return Sums(row["period_start"], *map(str, amounts))

    def file_months(self) -> list[Sums]:
        self.rated()
        names = ("period_start", "calls", "domestic_yen", "international_yen", "credit_yen", "tax_yen", "total_yen")
        return [Sums(*(row[name] for name in names)) for row in self.rows("months.csv")]

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Office]:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    made = Office(tmp_path, terminal)
    monkeypatch.setenv("DENWA_RATING__TARIFF_DIRECTORY", str(made.tariffs))
    yield made
    made.exchange.close()


def test_a_call_costs_what_the_tariff_of_its_answer_says(office: Office) -> None:  # T8
    office.subscriber(datetime(2026, 8, 31, 15, tzinfo=UTC))
    office.tariff("2026-09-15", ("yen_per_unit = 8", "yen_per_unit = 9"), ("unit_ms = 30000", "unit_ms = 60000"))
    office.call("2026-09-14T23:59:59.999+09:00", 3_600_000)  # of the old tariff to its end, on the new one's day
    office.call("2026-09-15T00:00:00.000+09:00", 60_001)
    office.call("2026-09-14T15:00:00Z", 60_000, "international")
    office.call("2026-09-14T14:59:59Z", 60_000, "international")
    expected = [("c0", "120", "960"), ("c1", "2", "18"), ("c2", "1", "9"), ("c3", "2", "16")]
    assert office.live() == office.rated() == expected
    assert [office.live_month("2026-09")] == office.file_months()


def test_a_country_and_a_carrier_may_have_prices_of_their_own(office: Office) -> None:  # T8, T2
    office.subscriber(datetime(2026, 8, 31, 15, tzinfo=UTC))
    hawaii = 'class = "international"\nranges = ["+1808"]\nunit_ms = 60000\nyen_per_unit = 30\ntax = "exempt"\n'
    carrier = 'class = "mobile"\nranges = ["+819012"]\nunit_ms = 30000\nyen_per_unit = 7\ntax = "taxed"\n'
    office.tariff("2026-09-15", ("[[price]]", f"[[price]]\n{hawaii}\n[[price]]\n{carrier}\n[[price]]"))
    office.call("2026-09-14T12:00:00+09:00", 60_001, "international")
    office.call("2026-09-16T12:00:00+09:00", 60_001, "international")
    office.call("2026-09-16T12:00:00+09:00", 60_001, "mobile")
    office.call("2026-09-16T12:00:00+09:00", 60_001, "fixed")
    expected = [("c0", "3", "24"), ("c1", "2", "60"), ("c2", "3", "21"), ("c3", "3", "24")]
    assert office.live() == office.rated() == expected
    assert [office.live_month("2026-09")] == office.file_months()
    told = office.terminal.done("dial", NUMBERS["international"], "--on", "2026-09-15", "--json").json
    assert (told["yen_per_unit"], told["unit_ms"]) == (30, 60_000)
    told = office.terminal.done("dial", "010-44-20-7123-4567", "--on", "2026-09-15", "--json").json
    assert (told["yen_per_unit"], told["unit_ms"]) == (8, 30_000)


def test_a_change_of_the_credit_is_for_contracts_that_start_later(office: Office) -> None:  # T4, T8
    office.subscriber(datetime(2026, 9, 14, 14, 59, tzinfo=UTC))
    office.tariff("2026-09-15", ("yen = 100", "yen = 300"))
    office.call("2026-09-20T00:00:00+09:00", 600_000)
    (month,) = office.file_months()
    assert month == office.live_month("2026-09")
    assert month.credit == "100"


def test_after_a_tariff_s_last_day_a_call_is_a_visible_problem_and_not_free(office: Office) -> None:  # T8
    office.subscriber(datetime(2026, 8, 31, 15, tzinfo=UTC))
    ended = office.tariff("2000-01-01", ("valid_from = 2000-01-01", "valid_from = 2000-01-01\nvalid_to = 2026-09-10"))
    assert ended.is_file()
    office.call("2026-09-10T23:59:59.999+09:00", 30_000)
    office.call("2026-09-11T00:00:00+09:00", 30_000)
    problem = "no tariff 'default' in force on 2026-09-11 (the last one ended on 2026-09-10)"
    assert office.live() == [("c0", "1", "8"), ("c1", "", "")]
    assert [
        found["problem"] for found in office.terminal.done("month", "show", "2026-09", "--json").json["problems"]
    ] == [problem]
    assert office.rated(code=1) == [("c0", "1", "8")]
    assert [(row["call_id"], row["problem"]) for row in office.rows("bad.csv")] == [("c1", problem)]


def test_files_are_rated_with_the_tariff_that_is_named(office: Office) -> None:  # T8
    office.subscriber(datetime(2026, 8, 31, 15, tzinfo=UTC))
    office.tariff("2020-01-01", ("yen_per_unit = 8", "yen_per_unit = 20"), name="gold")
    office.call("2026-09-10T00:00:00+09:00", 30_001)
    assert office.rated() == office.live() == [("c0", "2", "16")]
    assert office.rated("--tariff", "gold") == [("c0", "2", "40")]


@pytest.mark.parametrize(
    ("bill_day", "month", "percent"),
    [
        (16, "2019-09", 8),  # 2019-09-16 to 2019-10-15: the month's first day decides, also for calls in October
        (16, "2019-10", 10),
        (1, "2019-10", 10),
        (16, "2014-03", 5),
        (1, "2014-04", 8),
        (1, "2002-01", 5),
    ],
)
def test_the_tax_rate_of_the_first_day_is_the_whole_month_s(
    office: Office, bill_day: int, month: str, percent: int
) -> None:  # T6
    office.subscriber(
        datetime(2002, 1, 1, tzinfo=UTC) if month == "2002-01" else datetime(2013, 1, 1, tzinfo=UTC), bill_day
    )
    year, number = map(int, month.split("-"))
    last_day = f"{year + number // 12}-{number % 12 + 1:02}-{bill_day - 1:02}" if bill_day > 1 else f"{month}-28"
    office.call(f"{month}-{max(bill_day, 2):02}T00:00:00+09:00", 600_000)  # 160 yen, 100 of them credit
    office.call(f"{last_day}T23:59:59.999+09:00", 600_001, "mobile")  # 168 yen
    office.call(f"{last_day}T12:00:00+09:00", 30_000, "international")  # 8 yen, exempt
    taxed = 160 + 168 - 100
    (found,) = office.file_months()
    assert found == office.live_month(month)
    assert (found.credit, found.tax) == ("100", str(taxed * percent // 100))
    assert found.total == str(taxed + taxed * percent // 100 + 8)
