"""`denwa rate`: files in, files out."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Ended, Terminal, open_terminal

SUBSCRIBERS = "number,service_start,bill_day\n05050010001,2026-01-01,1\n05050010002,2026-01-01,15\n"
HEADER = "call_id,subscriber,dialed,leg,answered_at,duration_ms,end_cause\n"
CALLS = HEADER + (
    "b@x,05050010001,0312345678,outgoing,2026-11-21T10:00:00.000+09:00,61000,caller\n"
    "a@x,05050010001,010-1-808-555-1234,outgoing,2026-11-21T11:00:00+09:00,360000,callee\n"
    '"c,@""x",05050010002,090-1234-5678,forwarded,2026-11-14T14:59:59.999Z,30001,network_fault\n'
    "d@x,05050010002,05010001111,outgoing,2026-11-15T00:00:00+09:00,1,caller\n"
)


class Desk:
    """The command with its files in one folder."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal
        self.put("s.csv", SUBSCRIBERS)

    def put(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def rate(self, calls: str, *more: str) -> Ended:
        self.put("c.csv", calls)
        names = {
            "--subscribers": "s.csv",
            "--calls": "c.csv",
            "--out": "rated.csv",
            "--months": "months.csv",
            "--bad": "bad.csv",
        }
        files = [part for option, name in names.items() for part in (option, str(self.folder / name))]
        return self.terminal("rate", *files, *more)

    def rows(self, name: str) -> list[list[str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, open_terminal(tmp_path, monkeypatch, capsys))


def test_calls_are_rated_into_files_with_the_agreed_columns_and_order(desk: Desk) -> None:  # T1-T6
    assert desk.rate(CALLS) == Ended(0, "", "")
    assert desk.rows("rated.csv") == [
        ["call_id", "class", "units", "charge_yen", "credit_yen", "payable_yen", "period_start"],
        ["a@x", "international", "12", "96", "76", "20", "2026-11-01"],
        ["b@x", "fixed", "3", "24", "24", "0", "2026-11-01"],
        ['c,@"x', "mobile", "1", "8", "8", "0", "2026-10-15"],
        ["d@x", "partner-050", "1", "0", "0", "0", "2026-11-15"],
    ]
    header, *months = desk.rows("months.csv")
    assert ",".join(header) == (
        "subscriber,period_start,period_end,calls,duration_ms,"
        "domestic_yen,international_yen,credit_yen,tax_yen,total_yen"
    )
    assert months == [
        ["05050010001", "2026-11-01", "2026-11-30", "2", "421000", "24", "96", "100", "0", "20"],
        ["05050010002", "2026-10-15", "2026-11-14", "1", "30001", "8", "0", "8", "0", "0"],
        ["05050010002", "2026-11-15", "2026-12-14", "1", "1", "0", "0", "0", "0", "0"],
    ]
    assert desk.rows("bad.csv") == [["line", "call_id", "problem"]]


def test_rows_that_cannot_be_rated_are_reported_and_the_good_ones_still_written(desk: Desk) -> None:
    ended = desk.rate(
        CALLS
        + "e@x,05050010001,110,outgoing,2026-11-21T10:00:00+09:00,1,caller\nf@x,1\n"
        + CALLS.splitlines()[1]
        + "\n"
    )
    assert ended.code == 1
    assert ended.err == f"denwa: 3 rows of {desk.folder / 'c.csv'} could not be rated, see {desk.folder / 'bad.csv'}\n"
    assert len(desk.rows("rated.csv")) == 5
    lines = [row[:2] for row in desk.rows("bad.csv")[1:]]
    assert lines == [["6", "e@x"], ["7", ""], ["8", "b@x"]]
    assert desk.rows("bad.csv")[3][2] == "the same call and leg as in an earlier row"


def test_without_a_rejects_file_the_problems_are_told_on_stderr(desk: Desk) -> None:
    desk.put("c.csv", HEADER + "e@x,05050010001,110,outgoing,2026-11-21T10:00:00+09:00,1,caller\n" * 30)
    files = [f"--{option}={desk.folder / name}" for option, name in
             (("subscribers", "s.csv"), ("calls", "c.csv"), ("out", "o.csv"), ("months", "m.csv"))]  # fmt: skip
    ended = desk.terminal("rate", *files)
    assert ended.code == 1
    assert f"{desk.folder / 'c.csv'}:2: e@x: dialed '110'" in ended.err
    assert "and 10 more" in ended.err


def test_the_same_files_give_the_same_bytes(desk: Desk) -> None:
    desk.rate(CALLS)
    first = [(desk.folder / name).read_bytes() for name in ("rated.csv", "months.csv")]
    lines = CALLS.splitlines(keepends=True)
    desk.rate(lines[0] + "".join(reversed(lines[1:])))
    assert [(desk.folder / name).read_bytes() for name in ("rated.csv", "months.csv")] == first
    assert first[0].startswith(b"call_id,class,units,charge_yen,credit_yen,payable_yen,period_start\r\n")


def test_an_operators_ranges_can_be_given(desk: Desk) -> None:  # N4
    shipped = Path(__file__).parents[2] / "denwa" / "config" / "data" / "numbering" / "operator-demo.toml"
    text = shipped.read_text(encoding="utf-8")
    assert '"0501000"' in text
    ranges = desk.put("p.toml", text.replace('"0501000"', '"0507777"'))
    desk.rate(CALLS, "--providers", str(ranges))
    assert desk.rows("rated.csv")[4][1] == "paid-050"


def test_a_faulty_subscriber_row_is_named_by_file_and_line_and_its_calls_are_rejected(desk: Desk) -> None:
    desk.put("s.csv", SUBSCRIBERS.replace(",15", ",31"))
    ended = desk.rate(CALLS)
    assert ended.code == 1
    assert f"{desk.folder / 's.csv'}:3: bill_day '31' is not 1–28" in ended.err
    assert [row[1] for row in desk.rows("bad.csv")[1:]] == ['c,@"x', "d@x"]
    assert len(desk.rows("rated.csv")) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tariff", "nonesuch"), "no tariff 'nonesuch' here (there are: default)"),
        (("--providers", "/nonesuch.toml"), "does not exist"),
    ],
)
def test_wrong_configuration_ends_with_2(desk: Desk, arguments: tuple[str, ...], told: str) -> None:  # T8
    ended = desk.rate(CALLS, *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert not (desk.folder / "rated.csv").exists()


def test_a_missing_column_ends_with_1_and_says_which(desk: Desk) -> None:
    ended = desk.rate(CALLS.replace("duration_ms", "seconds"))
    assert (ended.code, ended.err) == (1, f"denwa: {desk.folder / 'c.csv'}:1: the header has no column duration_ms\n")


def test_bytes_that_are_no_utf8_reject_their_row_only(desk: Desk) -> None:
    desk.rate(CALLS)
    (desk.folder / "c.csv").write_bytes(
        (CALLS + "\udcff,05050010001,03-1234-5678,outgoing,2026-11-21T10:00:00Z,1,caller\n").encode(
            errors="surrogateescape"
        )
    )
    names = {"subscribers": "s.csv", "calls": "c.csv", "out": "o.csv", "months": "m.csv", "bad": "bad.csv"}
    files = [f"--{option}={desk.folder / name}" for option, name in names.items()]
    assert desk.terminal("rate", *files).code == 1
    assert desk.rows("bad.csv")[1] == ["6", r"\udcff", "call_id is empty or no text"]
    assert (desk.folder / "o.csv").read_bytes() == (desk.folder / "rated.csv").read_bytes()


def test_a_folder_that_cannot_be_written_is_told_without_a_traceback(desk: Desk) -> None:
    ended = desk.rate(CALLS, "--out", str(desk.folder / "none" / "rated.csv"))
    assert ended.code == 1
    assert "No such file or directory" in ended.err


# What is wrong with a row that is right but for it -> what is told.
BROKEN = {
    "call_id": ("", "call_id is empty"),
    "subscriber": ("05050010003", "subscriber 05050010003 is not in the subscribers file"),
    "subscriber ": ("somebody", "subscriber 'somebody': "),
    "dialed": ("119", "dialed '119': emergency numbers"),
    "dialed ": ("0910123456", "dialed '0910123456': the number plan does not know"),
    "dialed  ": ("0312345", "dialed '0312345': "),
    "dialed   ": ("0120123456", "dialed '0120123456': "),
    "leg": ("incoming", "leg 'incoming' is not outgoing or forwarded"),
    "answered_at": ("2026-11-21T10:00:00", "has no offset from UTC"),
    "answered_at ": ("2026-11-31T10:00:00+09:00", "is not ISO 8601"),
    "answered_at  ": ("2025-12-31T23:59:59.999+09:00", "answered before the contract started (2026-01-01)"),
    "answered_at   ": ("9999-01-01T00:00:00Z", "is out of range"),
    "duration_ms": ("-5", "duration_ms '-5' is not a whole number"),
    "duration_ms ": ("61.5", "duration_ms '61.5' is not a whole number"),
    "duration_ms  ": ("1" * 20, "is not a whole number from 0 to"),
    "end_cause": ("", "end_cause is empty"),
}


def test_every_kind_of_broken_row_is_told_with_its_line_and_the_good_rows_are_rated(desk: Desk) -> None:
    columns = HEADER.strip().split(",")
    good = dict(zip(columns, CALLS.splitlines()[1].split(","), strict=True))
    lines, told = [], {}
    for number, (column, (value, problem)) in enumerate(BROKEN.items()):
        lines.append(",".join((good | {"call_id": f"good-{number}"}).values()))
        row = good | {"call_id": f"bad-{number}"} | {column.strip(): value}
        lines.append(",".join(row.values()))
        told[len(lines) + 1] = (row["call_id"], problem)
    others = {
        "bad-few,1": ("", "7 columns expected, found 2"),
        "bad-many" + ",1" * 7: ("", "7 columns expected, found 8"),
        '"bad-open,' + ",".join(list(good.values())[1:]): ("", "not CSV: a quoted field does not end"),
        ",".join(good.values()).replace("b@x", "good-0"): ("good-0", "the same call and leg as in an earlier row"),
    }
    for line, problem in others.items():
        lines.append(line)
        told[len(lines) + 1] = problem
    lines.append(",".join((good | {"call_id": "good-last"}).values()))
    ended = desk.rate(HEADER + "\n".join(lines))
    assert ended.code == 1
    assert f"{len(told)} rows of " in ended.err
    rejected = {int(line): (call_id, problem) for line, call_id, problem in desk.rows("bad.csv")[1:]}
    assert list(rejected) == sorted(told)
    for line, (call_id, problem) in told.items():
        assert rejected[line][0] == call_id
        assert problem in rejected[line][1], line
    rated = [row[0] for row in desk.rows("rated.csv")[1:]]
    assert rated == sorted([f"good-{number}" for number in range(len(BROKEN))] + ["good-last"])


def test_a_bar_shows_on_a_terminal_how_far_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", shown)
    assert desk.rate(CALLS).code == 0
    assert "reading" in shown.getvalue()
    assert "writing" in shown.getvalue()
    assert "100%" in shown.getvalue()


def test_nothing_is_left_in_the_folder_but_the_results(desk: Desk) -> None:
    desk.rate(CALLS + "broken\n")
    assert {file.name for file in desk.folder.iterdir()} == {"s.csv", "c.csv", "rated.csv", "months.csv", "bad.csv"}
