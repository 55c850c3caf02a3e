from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import load_plan
from denwa.rating.file_rating import FileRating
from denwa.rating.files.decoding import CALL_COLUMNS, Decoded, Decoder
from denwa.rating.files.faults import RowFault
from denwa.rating.tariff import TariffBook
from tests.rating.shipped import BOOK, TAX

CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)
ALICE = "05050010001"
NUMBERS = {
    "on-net": "05050010009", "partner-050": "05010001234", "paid-050": "05055551234", "fixed": "0312345678",
    "mobile": "09012345678", "international": "01018085551234",
}  # fmt: skip
Row = tuple[str, ...]


class Rated(NamedTuple):
    rows: list[dict[str, str]]
    months: list[dict[str, str]]
    problems: list[tuple[int, str, str]]

    @property
    def problem(self) -> str:
        """Of the only row, which nothing came of."""
        ((line, _, text),) = self.problems
        assert (line, self.rows, self.months) == (2, [], [])
        return text


def rate(*calls: Row, start: str = "2026-01-01", bill_day: str = "1", contracts: tuple[Row, ...] = ()) -> Rated:
    """Alice's calls, and those of other contracts, through a file."""
    with TemporaryDirectory() as name:
        run = FileRating(BOOK, TAX, PLAN, Path(name))
        for line, contract in enumerate(contracts or ((ALICE, start, bill_day),), 2):
            run.add_subscriber(line, *contract)
        return rated_by(run, calls, Path(name))


def rated_by(run: FileRating, calls: tuple[Row, ...], folder: Path) -> Rated:
    file = folder / "calls.csv"
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        csv.writer(stream).writerows([CALL_COLUMNS, *calls])
    run.read_calls(file)
    results = run.results()
    rows = csv.DictReader(io.StringIO(b"".join(lines for _, lines in results.rated).decode(), newline=""))
    months = csv.DictReader(io.StringIO("".join(results.months), newline=""))
    return Rated(list(rows), list(months), [tuple(reject) for reject in run.rejects])


def call(
    call_id: str = "c1", dialed: str = "0312345678", answered_at: str = "2026-11-21T10:00:00+09:00", **more: str
) -> Row:
    row = {"subscriber": ALICE, "leg": "outgoing", "duration_ms": "61000", "end_cause": "caller"} | more
    return (call_id, row["subscriber"], dialed, row["leg"], answered_at, row["duration_ms"], row["end_cause"])


@pytest.mark.parametrize("number_class", NUMBERS)
def test_every_class_is_read_from_the_dialled_number(number_class: str) -> None:  # N4, T2
    (row,), (month,), _ = rate(call(dialed=NUMBERS[number_class]))
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
    months = rate(
        call("a", answered_at="2026-11-14T23:59:59.999+09:00", duration_ms="300000"),  # 80 yen, October's
        call("b", answered_at="2026-11-15T00:00:00.000+09:00", duration_ms="300000"),  # 80 yen
        call("c", NUMBERS["international"], "2026-11-16T00:00:00+09:00", duration_ms="60001"),  # 24 yen
        call("d", NUMBERS["on-net"], "2026-11-16T00:00:00Z", duration_ms="1"),
        bill_day="15",
    ).months
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
    rows = rate(
        call("long", answered_at="2026-11-21T10:00:00+09:00", duration_ms="3600000"),
        call("short", answered_at="2026-11-21T10:10:00+09:00", duration_ms="300000"),
    ).rows
    assert {row["call_id"]: row["credit_yen"] for row in rows} == {"short": "80", "long": "20"}


def test_calls_that_end_together_use_credit_by_call_id() -> None:  # T4
    rows = rate(*(call(call_id, duration_ms="360000") for call_id in ("b", "a"))).rows
    assert [(row["call_id"], row["credit_yen"]) for row in rows] == [("a", "96"), ("b", "4")]


def test_a_fault_of_the_service_drops_the_unfinished_unit() -> None:  # T3
    assert rate(call(duration_ms="59999", end_cause="network_fault")).rows[0]["units"] == "1"


def test_both_legs_of_a_forwarded_call_are_rated() -> None:  # F4
    rows, months, _ = rate(
        call("same"),
        call("same", leg="forwarded", subscriber="+815050010002"),
        contracts=((ALICE, "2026-01-01", "1"), ("050-5001-0002", "2026-01-01", "1")),
    )
    assert [row["call_id"] for row in rows] == ["same", "same"]
    assert [month["subscriber"] for month in months] == [ALICE, "05050010002"]


def test_every_spelling_of_a_number_is_one_contract() -> None:  # N3
    spellings = ("05050010001", "050-5001-0001", "+815050010001", "０５０５００１０００１")
    _, (month,), _ = rate(
        *(call(f"c{index}", subscriber=spelling) for index, spelling in enumerate(spellings)),
        contracts=(("+81 50 5001 0001", "2026-01-01", "1"),),
    )
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
def test_a_row_that_cannot_be_rated_is_refused_with_its_problem_and_changes_nothing(row: Row, problem: str) -> None:
    assert problem in rate(row).problem


def test_a_contract_starts_at_midnight_in_tokyo() -> None:  # T4
    assert len(rate(call(answered_at="2025-12-31T15:00:00Z")).rows) == 1


def test_the_same_call_and_leg_twice_is_charged_once() -> None:  # T13
    (row,), (month,), problems = rate(call(), call(duration_ms="1"))
    assert problems == [(3, "c1", "the same call and leg as in an earlier row")]
    assert (row["charge_yen"], month["calls"], month["domestic_yen"], month["credit_yen"]) == ("24", "1", "24", "24")


def test_a_call_before_the_first_tariff_is_refused() -> None:  # T8
    text = rate(call(answered_at="1999-06-01T00:00:00+09:00"), start="1999-01-01").problem
    assert "no number plan is in force" in text or "no tariff" in text


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
    tmp_path: Path, row: tuple[str, str, str], problem: str
) -> None:
    run = FileRating(BOOK, TAX, PLAN, tmp_path)
    with pytest.raises(RowFault) as caught:
        run.add_subscriber(7, *row)
    assert problem in str(caught.value)
    told = rated_by(run, (call(),), tmp_path).problem
    assert told == (
        f"the row of subscriber {ALICE} (line 7) cannot be used"
        if row[0] == ALICE
        else f"subscriber {ALICE} is not in the subscribers file"
    )


def test_of_two_rows_for_one_subscriber_none_is_guessed_to_be_right(tmp_path: Path) -> None:
    run = FileRating(BOOK, TAX, PLAN, tmp_path)
    run.add_subscriber(2, ALICE, "2026-01-01", "1")
    with pytest.raises(RowFault, match="comes twice"):
        run.add_subscriber(3, ALICE, "2026-02-01", "2")
    assert "cannot be used" in rated_by(run, (call(),), tmp_path).problem


CALLS = st.lists(
    st.tuples(
        st.sampled_from(sorted(NUMBERS.values())), st.integers(0, 40 * 86_400), st.integers(0, 400_000),
        st.sampled_from(["caller", "network_fault"]),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=40)
@given(CALLS, st.integers(1, 28), st.randoms(use_true_random=False))
def test_the_parts_are_the_whole_and_the_order_of_rows_does_not_matter(
    rows: list[tuple[str, int, int, str]], bill_day: int, random: Random
) -> None:
    calls = []
    for index, (dialed, second, duration, cause) in enumerate(rows):
        moment = (datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat()
        calls.append(call(f"{index % 7}-{index}", dialed, moment, duration_ms=str(duration), end_cause=cause))
    outputs = []
    for _ in range(2):
        outputs.append(rate(*calls, bill_day=str(bill_day)))
        random.shuffle(calls)
    assert outputs[0] == outputs[1]
    rated, months, problems = outputs[0]
    assert problems == []
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


GOOD_OR_NOT = st.tuples(
    st.sampled_from(["a", "b", "c,d", 'e"f', "日本", "x" * 200, "", "\udcff"]),
    st.sampled_from([*sorted(NUMBERS.values()), "110", "0312345", "03-1234-5678", "+81312345678", "18409012345678"]),
    st.sampled_from(
        ["2026-11-21T10:00:00+09:00", "2026-11-20T23:59:59.999Z", "2026-02-30T00:00:00+09:00", "2001-01-01T00:00:00Z"]
    ),
    st.fixed_dictionaries({
        "subscriber": st.sampled_from([ALICE, "050-5001-0001", "05050010002", "05050019999"]),
        "leg": st.sampled_from(["outgoing", "forwarded", "forwarded", "incoming"]),
        "duration_ms": st.sampled_from(["0", "1", "30000", "0030001", "123456789012", "-1", "99999999"]),
        "end_cause": st.sampled_from(["caller", "network_fault", "network_failure", ""]),
    }),
).map(lambda parts: call(*parts[:3], **parts[3]))  # fmt: skip
CONTRACTS = ((ALICE, "2026-01-01", "1"), ("05050010002", "2026-11-21", "21"))


@settings(max_examples=60)
@given(st.lists(GOOD_OR_NOT, max_size=60))
def test_rows_rated_at_once_come_out_as_rows_rated_alone(rows: list[Row]) -> None:
    at_once = rate(*rows, contracts=CONTRACTS)
    with pytest.MonkeyPatch.context() as patch:
        decode = Decoder.decode
        patch.setattr(Decoder, "decode", lambda self, block: _nothing_usual(decode(self, block)))
        assert rate(*rows, contracts=CONTRACTS) == at_once
    assert len(at_once.rows) + len(at_once.problems) == len(rows)


def _nothing_usual(rows: Decoded) -> Decoded:
    return rows._replace(ok=np.zeros_like(rows.ok))


@settings(max_examples=30)
@given(st.lists(GOOD_OR_NOT, max_size=40, unique_by=lambda row: (row[0], row[1:4])), st.randoms(use_true_random=False))
def test_any_order_of_the_rows_gives_the_same_files(rows: list[Row], random: Random) -> None:
    once = list({(row[0], row[1][-1], row[3]): row for row in rows}.values())  # no call and leg comes twice
    other = random.sample(once, len(once))
    first, second = rate(*once, contracts=CONTRACTS), rate(*other, contracts=CONTRACTS)
    assert (first.rows, first.months) == (second.rows, second.months)
    told = [sorted((call_id, problem) for _, call_id, problem in one.problems) for one in (first, second)]
    assert told[0] == told[1]


def test_of_many_rows_of_one_call_the_first_is_rated_and_each_later_one_told() -> None:  # T13
    twice = "the same call and leg as in an earlier row"
    long = "y" * 300
    calls = [call(name, duration_ms=str(n)) for n in range(1, 40) for name in ("z", long, "é")]
    rows, (month,), problems = rate(*calls)
    assert [row["call_id"] for row in rows] == [long, "z", "é"]
    assert (month["calls"], month["duration_ms"]) == ("3", "3")
    assert problems == [(line, calls[line - 2][0], twice) for line in range(5, 2 + len(calls))]


def test_call_ids_are_sorted_by_their_code_points_and_quoted_where_they_must_be() -> None:
    names = ["b", "a" * 129, "a", "a,", 'a"', "a\n", "日本", "a" * 128, "a" * 140, "ア"]
    assert [row["call_id"] for row in rate(*(call(name) for name in names)).rows] == sorted(names)


def test_calls_of_years_and_of_many_units_are_rated() -> None:
    rows, months, _ = rate(
        call("long", duration_ms=str(10**11)), call("late", answered_at="2150-01-01T00:00:00+09:00"), bill_day="28"
    )
    assert [(row["call_id"], row["units"], row["period_start"]) for row in rows] == [
        ("late", "3", "2149-12-28"),
        ("long", "3333334", "2026-10-28"),
    ]
    assert [month["domestic_yen"] for month in months] == [str(3_333_334 * 8), "24"]
    assert [month["credit_yen"] for month in months] == ["100", "0"]


def test_a_change_of_tariff_between_two_calls_is_seen() -> None:  # T8
    last, first = date(2026, 10, 31), date(2026, 11, 1)
    old = BOOK.on(last)
    dearer = {name: price._replace(yen_per_unit=price.yen_per_unit + 1) for name, price in old.prices.items()}
    book = TariffBook("default", [old, replace(old, valid_from=first, prices=dearer)])
    with TemporaryDirectory() as name:
        run = FileRating(book, TAX, PLAN, Path(name))
        run.add_subscriber(2, ALICE, "2026-01-01", "1")
        calls = [call(str(day), answered_at=f"{day}T12:00:00+09:00", duration_ms="1") for day in (first, last)]
        rows = rated_by(run, tuple(calls), Path(name)).rows
    assert [row["charge_yen"] for row in rows] == ["8", "9"]
