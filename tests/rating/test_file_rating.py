from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import load_plan
from denwa.rating.csv_rows import CsvFault, CsvRows
from denwa.rating.file_rating import FileRating, RowFault
from tests.rating.shipped import BOOK, TAX

CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)
ALICE = "05050010001"
NUMBERS = {
    "on-net": "05050010009", "partner-050": "05010001234", "paid-050": "05055551234", "fixed": "0312345678",
    "mobile": "09012345678", "international": "01018085551234",
}  # fmt: skip


def rating(start: str = "2026-01-01", bill_day: str = "1", number: str = ALICE) -> FileRating:
    made = FileRating(BOOK, TAX, PLAN)
    made.add_subscriber(2, number, start, bill_day)
    return made


def call(
    call_id: str = "c1", dialed: str = "0312345678", answered_at: str = "2026-11-21T10:00:00+09:00", **more: str
) -> tuple[str, ...]:
    row = {"subscriber": ALICE, "leg": "outgoing", "duration_ms": "61000", "end_cause": "caller"} | more
    return (call_id, row["subscriber"], dialed, row["leg"], answered_at, row["duration_ms"], row["end_cause"])


def results(run: FileRating) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    rated, months = run.results()
    return tuple(list(csv.DictReader(io.StringIO("".join(lines), newline=""))) for lines in (rated, months))  # type: ignore[return-value]


def refused(run: FileRating, row: tuple[str, ...]) -> str:
    with pytest.raises(RowFault) as caught:
        run.add_call(row)
    return str(caught.value)


@pytest.mark.parametrize("number_class", NUMBERS)
def test_every_class_is_read_from_the_dialled_number(number_class: str) -> None:  # N4, T2
    run = rating()
    run.add_call(call(dialed=NUMBERS[number_class]))
    ((row,), (month,)) = results(run)
    charge = 0 if number_class in ("on-net", "partner-050") else 24
    assert row == {
        "call_id": "c1", "class": number_class, "units": "3", "charge_yen": str(charge), "credit_yen": str(charge),
        "payable_yen": "0", "period_start": "2026-11-01",
    }  # fmt: skip
    abroad = number_class == "international"
    assert (month["domestic_yen"], month["international_yen"]) == (
        str(0 if abroad else charge),
        str(charge if abroad else 0),
    )


def test_a_month_adds_up_with_tax_on_taxed_charges_only() -> None:  # T4, T6
    run = rating(bill_day="15")
    run.add_call(call("a", answered_at="2026-11-14T23:59:59.999+09:00", duration_ms="300000"))  # 80 yen, October's
    run.add_call(call("b", answered_at="2026-11-15T00:00:00.000+09:00", duration_ms="300000"))  # 80 yen
    run.add_call(call("c", NUMBERS["international"], "2026-11-16T00:00:00+09:00", duration_ms="60001"))  # 24 yen
    run.add_call(call("d", NUMBERS["on-net"], "2026-11-16T00:00:00Z", duration_ms="1"))
    _, months = results(run)
    keys = (
        "period_start",
        "period_end",
        "calls",
        "duration_ms",
        "domestic_yen",
        "international_yen",
        "credit_yen",
        "tax_yen",
        "total_yen",
    )
    assert [tuple(month[key] for key in keys) for month in months] == [
        ("2026-10-15", "2026-11-14", "1", "300000", "80", "0", "80", "0", "0"),
        ("2026-11-15", "2026-12-14", "3", "360002", "80", "24", "20", "6", "90"),
    ]


def test_credit_is_used_in_the_order_in_which_calls_end() -> None:  # T4
    run = rating()
    run.add_call(call("long", answered_at="2026-11-21T10:00:00+09:00", duration_ms="3600000"))
    run.add_call(call("short", answered_at="2026-11-21T10:10:00+09:00", duration_ms="300000"))
    rows, _ = results(run)
    assert {row["call_id"]: row["credit_yen"] for row in rows} == {"short": "80", "long": "20"}


def test_calls_that_end_together_use_credit_by_call_id() -> None:  # T4
    run = rating()
    for call_id in ("b", "a"):
        run.add_call(call(call_id, duration_ms="360000"))
    rows, _ = results(run)
    assert [(row["call_id"], row["credit_yen"]) for row in rows] == [("a", "96"), ("b", "4")]


def test_a_fault_of_the_service_drops_the_unfinished_unit() -> None:  # T3
    run = rating()
    run.add_call(call(duration_ms="59999", end_cause="network_fault"))
    assert results(run)[0][0]["units"] == "1"


def test_both_legs_of_a_forwarded_call_are_rated() -> None:  # F4
    run = rating()
    run.add_subscriber(3, "050-5001-0002", "2026-01-01", "1")
    run.add_call(call("same"))
    run.add_call(call("same", leg="forwarded", subscriber="+815050010002"))
    rows, months = results(run)
    assert [row["call_id"] for row in rows] == ["same", "same"]
    assert [month["subscriber"] for month in months] == [ALICE, "05050010002"]


def test_the_first_ten_fold_of_spellings_of_a_number_is_one_contract() -> None:  # N3
    run = rating(number="+81 50 5001 0001")
    for index, spelling in enumerate(("05050010001", "050-5001-0001", "+815050010001", "０５０５００１０００１")):
        run.add_call(call(f"c{index}", subscriber=spelling))
    _, (month,) = results(run)
    assert (month["subscriber"], month["calls"]) == (ALICE, "4")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (call(subscriber="05050010002"), "subscriber 05050010002 is not in the subscribers file"),
        (call(subscriber="nobody"), "subscriber 'nobody': "),
        (call(leg="incoming"), "leg 'incoming' is not outgoing or forwarded"),
        (call(dialed="110"), "dialed '110': emergency numbers"),
        (call(dialed="02012345678"), "dialed '02012345678': the number plan does not know"),
        (call(dialed=""), "dialed '': "),
        (call(duration_ms="-1"), "duration_ms '-1' is not a whole number"),
        (call(duration_ms="1.5"), "duration_ms '1.5' is not a whole number"),
        (call(duration_ms="1_000"), "duration_ms '1_000' is not a whole number"),
        (call(duration_ms="１０"), "duration_ms '１０' is not a whole number"),
        (call(duration_ms=""), "duration_ms '' is not a whole number"),
        (call(duration_ms="9" * 30), "is not a whole number from 0 to"),
        (call(answered_at="yesterday"), "answered_at: time 'yesterday' is not ISO 8601"),
        (call(answered_at=""), "answered_at: time '' is not ISO 8601"),
        (call(answered_at="2026-11-21T10:00:00"), "has no offset from UTC"),
        (call(answered_at="2026-11-21"), "answered_at: time '2026-11-21' is not ISO 8601"),
        (call(answered_at="2026-02-30T10:00:00+09:00"), "is not ISO 8601"),
        (call(answered_at="2026-11-21T10:00:00Z+09:00"), "has no offset from UTC, or two"),
        (call(answered_at="9999-12-31T10:00:00+09:00"), "is out of range"),
        (call(answered_at="2025-12-31T23:59:59.999+09:00"), "answered before the contract started (2026-01-01)"),
        (call(end_cause=""), "end_cause is empty"),
        (call(call_id=""), "call_id is empty"),
        (call(call_id="a\0b"), "call_id is empty or no text"),
        (call(call_id="\udcff"), "call_id is empty or no text"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_rated_is_refused_with_its_problem_and_changes_nothing(
    row: tuple[str, ...], problem: str
) -> None:
    run = rating()
    assert problem in refused(run, row)
    assert results(run) == ([], [])


def test_a_contract_starts_at_midnight_in_tokyo() -> None:  # T4
    run = rating()
    run.add_call(call(answered_at="2025-12-31T15:00:00Z"))
    assert len(results(run)[0]) == 1


def test_the_same_call_and_leg_twice_is_charged_once() -> None:  # T13
    run = rating()
    run.add_call(call())
    assert refused(run, call(duration_ms="1")) == "the same call and leg as in an earlier row"
    (row,), (month,) = results(run)
    assert (row["charge_yen"], month["calls"], month["domestic_yen"], month["credit_yen"]) == ("24", "1", "24", "24")


def test_a_call_before_the_first_tariff_is_refused() -> None:  # T8
    run = rating(start="1999-01-01")
    assert (
        "no number plan is in force" in (text := refused(run, call(answered_at="1999-06-01T00:00:00+09:00")))
        or "no tariff" in text
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ((ALICE, "2026-01-01", "29"), "bill_day '29' is not 1–28"),
        ((ALICE, "2026-01-01", "0"), "bill_day '0' is not 1–28"),
        ((ALICE, "2026-13-01", "1"), "service_start '2026-13-01' is no ISO date"),
        (("12", "2026-01-01", "1"), "number '12': "),
    ],
)
def test_a_subscriber_row_that_cannot_be_used_is_named_when_a_call_needs_it(
    row: tuple[str, str, str], problem: str
) -> None:
    run = FileRating(BOOK, TAX, PLAN)
    with pytest.raises(RowFault) as caught:
        run.add_subscriber(7, *row)
    assert problem in str(caught.value)
    if row[0] == ALICE:
        assert refused(run, call()) == f"the row of subscriber {ALICE} (line 7) cannot be used"


def test_of_two_rows_for_one_subscriber_none_is_guessed_to_be_right() -> None:
    run = rating()
    with pytest.raises(RowFault, match="comes twice"):
        run.add_subscriber(3, ALICE, "2026-02-01", "2")
    assert "cannot be used" in refused(run, call())


CALLS = st.lists(
    st.tuples(
        st.sampled_from(sorted(NUMBERS.values())), st.integers(0, 40 * 86_400), st.integers(0, 400_000),
        st.sampled_from(["caller", "network_fault"]),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=60)
@given(CALLS, st.integers(1, 28), st.randoms(use_true_random=False))
def test_the_parts_are_the_whole_and_the_order_of_rows_does_not_matter(rows, bill_day, random) -> None:
    calls = []
    for index, (dialed, second, duration, cause) in enumerate(rows):
        moment = (datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat()
        calls.append(call(f"{index % 7}-{index}", dialed, moment, duration_ms=str(duration), end_cause=cause))
    outputs = []
    for _ in range(2):
        run = rating(bill_day=str(bill_day))
        for row in calls:
            run.add_call(row)
        outputs.append(results(run))
        random.shuffle(calls)
    assert outputs[0] == outputs[1]
    rated, months = outputs[0]
    charges = sum(int(row["charge_yen"]) for row in rated)
    assert (
        sum(int(row["credit_yen"]) for row in rated) == min(100, charges) == sum(int(m["credit_yen"]) for m in months)
    )
    assert sum(int(m["domestic_yen"]) + int(m["international_yen"]) for m in months) == charges
    assert sum(int(m["calls"]) for m in months) == len(rated) == len(rows)
    assert sum(int(m["duration_ms"]) for m in months) == sum(duration for _, _, duration, _ in rows)
    for month in months:
        mine = [row for row in rated if row["period_start"] == month["period_start"]]
        taxed = sum(int(row["payable_yen"]) for row in mine if row["class"] != "international")
        assert int(month["tax_yen"]) == taxed // 10
        assert int(month["total_yen"]) == sum(int(row["payable_yen"]) for row in mine) + taxed // 10
        assert date.fromisoformat(month["period_start"]).day == bill_day
    assert [row["call_id"] for row in rated] == sorted(row["call_id"] for row in rated)


def rows_of(tmp_path, content: bytes) -> tuple[list[tuple[int, tuple[str, ...]]], list[tuple[int, str]]]:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    faults: list[tuple[int, str]] = []
    rows = CsvRows(file, ("a", "b"), lambda line, problem: faults.append((line, problem)))
    return [(rows.line, row) for row in rows], faults


def test_columns_are_found_by_name_and_lines_counted_from_one(tmp_path) -> None:
    rows, faults = rows_of(tmp_path, b'\xef\xbb\xbfx,b,a\r\n1,2,3\r\n\r\n"1\n1",2,"3"\n4,5,6\n')
    assert rows == [(2, ("3", "2")), (4, ("3", "2")), (6, ("6", "5"))]
    assert faults == []


def test_a_row_of_a_wrong_width_is_reported_with_its_line(tmp_path) -> None:
    rows, faults = rows_of(tmp_path, b"a,b\n1\n1,2\n1,2,3\n")
    assert [line for line, _ in rows] == [3]
    assert faults == [(2, "2 columns expected, found 1"), (4, "2 columns expected, found 3")]


def test_a_field_without_end_is_reported_and_does_not_stop_the_run(tmp_path) -> None:
    rows, faults = rows_of(tmp_path, b'a,b\n1,2\n"' + b"x" * 200_000 + b"\n3,4\n")
    assert rows[0] == (2, ("1", "2"))
    assert "field larger than field limit" in faults[0][1]


@pytest.mark.parametrize("content", [b"", b"a\n1\n", b"\xff\xfe\n"])
def test_a_file_without_the_columns_is_refused_by_name(tmp_path, content: bytes) -> None:
    with pytest.raises(CsvFault, match=r"rows\.csv:1: the header has no column"):
        rows_of(tmp_path, content)
