"""The plan's data files: schema, dates, precedence, and faults that name file and line (T8)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import NumberClass, NumberingPlan, PlanFault, Reading, Refusal, RefusalReason, load_plan

JAPAN = """kind = "japan"
valid_from = 2020-01-01

[[block]]
class = "paid-050"
prefixes = ["050"]
digits = 11

[[block]]
class = "mobile"
prefixes = ["060"]
digits = 11
valid_from = 2021-01-01
valid_to = 2021-12-31
"""
OPERATOR = """kind = "operator"

[[own]]
prefix = "0505001"
"""


class Folder:
    """A plan's directory in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.operator = path / "operator.toml"
        self.write("japan.toml", JAPAN)
        self.write("operator.toml", OPERATOR)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def load(self) -> NumberingPlan:
        return load_plan(self.path, self.operator)

    def faults(self) -> list[tuple[str, int, str]]:
        with pytest.raises(PlanFault) as caught:
            self.load()
        assert str(caught.value).splitlines() == [f"{f.file}:{f.line}: {f.reason}" for f in caught.value.faults]
        return [(fault.file.name, fault.line, fault.reason) for fault in caught.value.faults]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def class_of(plan: NumberingPlan, dialled: str, on: date) -> NumberClass | RefusalReason:
    found = plan.read(dialled, on)
    return found.number_class if isinstance(found, Reading) else found.reason


@pytest.mark.parametrize(
    ("on", "known"),
    [
        (date(2020, 12, 31), False),
        (date(2021, 1, 1), True),
        (date(2021, 12, 31), True),
        (date(2022, 1, 1), False),
    ],
)
def test_a_range_is_in_force_from_its_first_to_its_last_day(folder: Folder, on: date, known: bool) -> None:
    # T8
    expected = NumberClass.MOBILE if known else RefusalReason.UNKNOWN_BLOCK
    assert class_of(folder.load(), "06012345678", on) is expected


def test_the_longest_prefix_wins(folder: Folder) -> None:
    # N4
    folder.write(
        "operator.toml",
        OPERATOR
        + '\n[[partner]]\nprefixes = ["05010", "05050"]\n\n[[paid]]\nprefixes = ["050100"]\n'
        + '\n[[partner]]\nprefixes = ["0501000"]\n',
    )
    plan, on = folder.load(), date(2026, 1, 1)
    assert class_of(plan, "05010999999", on) is NumberClass.PARTNER_050
    assert class_of(plan, "05010019999", on) is NumberClass.PAID_050
    assert class_of(plan, "05010009999", on) is NumberClass.PARTNER_050
    assert class_of(plan, "05050010001", on) is NumberClass.ON_NET
    assert class_of(plan, "05050020001", on) is NumberClass.PARTNER_050
    assert class_of(plan, "05020000000", on) is NumberClass.PAID_050


def test_the_operators_range_replaces_the_plans_of_the_same_length(folder: Folder) -> None:
    folder.write("operator.toml", OPERATOR + '\n[[partner]]\nprefixes = ["050"]\nvalid_from = 2025-01-01\n')
    plan = folder.load()
    assert class_of(plan, "05020000000", date(2024, 12, 31)) is NumberClass.PAID_050
    assert class_of(plan, "05020000000", date(2025, 1, 1)) is NumberClass.PARTNER_050


def test_nothing_prevails_over_the_operators_bar(folder: Folder) -> None:
    # N6
    country = '[[country]]\ncode = "FR"\nname = "フランス"\nname_en = "France"\nprefixes = ["331"]\ndigits = [11, 11]\n'
    folder.write("countries.toml", 'kind = "countries"\nvalid_from = 2020-01-01\n\n' + country)
    folder.write("operator.toml", OPERATOR + '\n[[bar]]\nprefixes = ["+33", "0505"]\nvalid_from = 2025-01-01\n')
    plan = folder.load()
    assert class_of(plan, "+33140205050", date(2024, 12, 31)) is NumberClass.INTERNATIONAL
    assert class_of(plan, "+33140205050", date(2025, 1, 1)) is RefusalReason.BARRED_RANGE
    assert class_of(plan, "05050010001", date(2025, 1, 1)) is RefusalReason.BARRED_SERVICE
    assert class_of(plan, "05060010001", date(2025, 1, 1)) is NumberClass.PAID_050


def test_own_ranges_are_given_in_the_order_of_the_file_and_by_date(folder: Folder) -> None:
    # N1
    folder.write(
        "operator.toml",
        OPERATOR + '\n[[own]]\nprefix = "05040"\nvalid_from = 2027-01-01\n\n[[own]]\nprefix = "05020000"\n',
    )
    plan = folder.load()
    assert [own.first for own in plan.own_ranges_on(date(2026, 1, 1))] == ["+815050010000", "+815020000000"]
    assert [own[:3] for own in plan.own_ranges_on(date(2027, 1, 1))] == [
        ("+815050010000", "+815050019999", 8),
        ("+815040000000", "+815040999999", 6),
        ("+815020000000", "+815020000999", 9),
    ]


def test_an_operators_file_beside_the_plan_is_not_read_unless_asked_for(folder: Folder) -> None:
    folder.write("operator-other.toml", 'kind = "operator"\n\n[[own]]\nprefix = "0509"\n')
    assert class_of(folder.load(), "05090000000", date(2026, 1, 1)) is NumberClass.PAID_050


def test_the_shipped_plan_loads_without_a_fault() -> None:
    shipped = Numbering()
    assert load_plan(shipped.directory, shipped.operator_file).countries


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('kind = "japan"\nvalid_from = 2020-01-01\n\n[[block]\n', 4, "Expected"),
        ('kind = "japan"\n', 1, "valid_from: Field required"),
        ('kind = "planet"\n', 1, "kind must be one of countries, japan, operator, world"),
        ("valid_from = 2020-01-01\n", 1, "kind must be one of"),
        ('kind = "japan"\nvalid_from = 2020-01-01\nvalid_to = "x"\n', 3, "valid_to: Input should be a valid date"),
        ('kind = "japan"\nvalid_from = 2020-01-01\nvalid_to = 2019-12-31\n', 1, "valid_to is before valid_from"),
        (
            'kind = "japan"\nvalid_from = 2020-01-01\n\n[[block]]\nclass = "pager"\nprefixes = ["02"]\ndigits = 11\n',
            5,
            "block.0.class: Input should be 'fixed', 'mobile' or 'paid-050'",
        ),
        (
            'kind = "japan"\nvalid_from = 2020-01-01\n\n[[area]]\nregion = "X"\ncodes = [\n  "03",\n  "06", "7",\n]\n',
            8,
            "area.0.codes.2",
        ),
        (
            'kind = "japan"\nvalid_from = 2020-01-01\n\n[[area]]\nregion = "X"\ncodes = ["04"]\nprefixes = ["0501"]\n',
            4,
            "prefixes go with one area code",
        ),
        (
            'kind = "countries"\nvalid_from = 2020-01-01\n\n[[country]]\ncode = "FR"\nname = "F"\nname_en = "F"\n'
            'prefixes = ["33"]\ndigits = [11, 9]\n',
            4,
            "digits must be [least, most]",
        ),
        ('kind = "world"\nvalid_from = 2020-01-01\n\n[codes]\n20 = "エジプト"\n0 = "?"\n', 6, "codes.0"),
        (
            'kind = "japan"\nvalid_from = 2020-01-01\n\n[[bar]]\nreason = "service"\nprefixes = ["050"]\n',
            6,
            "prefix 050 is already given in japan.toml, line 6",
        ),
    ],
)
def test_a_fault_names_file_line_and_reason(folder: Folder, text: str, line: int, reason: str) -> None:
    # T8
    folder.write("more.toml", text)
    ((file, where, why),) = folder.faults()
    assert (file, where) == ("more.toml", line)
    assert reason in why


def test_all_faults_are_told_at_once(folder: Folder) -> None:
    # T8
    folder.write("a.toml", 'kind = "world"\nvalid_from = 2020-01-01\nother = 1\n\n[codes]\n')
    folder.write("b.toml", "x =\n")
    folder.write("operator.toml", OPERATOR + '\n[[own]]\nprefix = "05"\n\n[[own]]\nprefix = "05050011"\n')
    assert [(file, line) for file, line, _ in folder.faults()] == [("a.toml", 3), ("b.toml", 1), ("operator.toml", 7)]


def test_own_ranges_must_not_overlap(folder: Folder) -> None:
    # N1: no number is given twice
    folder.write("operator.toml", OPERATOR + '\n[[own]]\nprefix = "05050011"\n')
    assert folder.faults() == [
        ("operator.toml", 7, "the range lies within another own range, 0505001 (operator.toml, line 4)")
    ]


def test_the_same_range_cannot_be_own_and_partner(folder: Folder) -> None:
    folder.write("operator.toml", OPERATOR + '\n[[partner]]\nprefixes = [\n  "0501000",\n  "0505001",\n]\n')
    assert folder.faults() == [("operator.toml", 9, "prefix 0505001 is already given in operator.toml, line 4")]


def test_one_range_after_another_in_time_is_no_conflict(folder: Folder) -> None:
    folder.write(
        "later.toml",
        JAPAN.replace("2021-01-01", "2022-01-01")
        .replace("2021-12-31", "2022-12-31")
        .replace('class = "paid-050"\nprefixes = ["050"]', 'class = "mobile"\nprefixes = ["070"]'),
    )
    plan = folder.load()
    assert class_of(plan, "06012345678", date(2022, 6, 1)) is NumberClass.MOBILE


def test_a_missing_file_or_empty_directory_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PlanFault, match="no number plan"):
        load_plan(tmp_path, tmp_path / "operator.toml")
    Folder(tmp_path)
    with pytest.raises(PlanFault, match=r"gone\.toml:1: No such file"):
        load_plan(tmp_path, tmp_path / "gone.toml")


def test_a_plan_file_is_no_operators_file(folder: Folder) -> None:
    with pytest.raises(PlanFault, match=r'japan\.toml:1: an operator\'s file has kind = "operator"'):
        load_plan(folder.path, folder.path / "japan.toml")


def test_a_file_that_is_not_utf_8_is_a_fault(folder: Folder) -> None:
    (folder.path / "bad.toml").write_bytes(b'kind = "\xff"\n')
    assert folder.faults() == [("bad.toml", 1, "the file is not UTF-8")]


_SPAN = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)
_RANGE = st.tuples(
    st.sampled_from(["050", "0501", "05012", "0502", "050123"]), st.sampled_from(["own", "partner", "paid"]), _SPAN
)


@settings(max_examples=60)
@given(ranges=st.lists(_RANGE, max_size=6), tail=st.from_regex(r"\A[0-9]{8}\Z"), data=st.data())
def test_no_number_is_in_two_classes_on_a_day(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[str, str, list[int]]], tail: str, data: st.DataObject
) -> None:
    # N4, T8: whatever order the entries stand in, a plan that loads reads a number in one way on a day
    start = date(2026, 1, 1)
    entries = []
    for prefix, kind, (first, last) in ranges:
        if kind == "own" and prefix == "050":
            continue
        key = f'prefix = "{prefix}"' if kind == "own" else f'prefixes = ["{prefix}"]'
        days = f"valid_from = {start + timedelta(first)}\nvalid_to = {start + timedelta(last)}"
        entries.append(f"\n[[{kind}]]\n{key}\n{days}\n")
    answers = set()
    on = start + timedelta(data.draw(st.integers(0, 41)))
    for order in (entries, entries[::-1], data.draw(st.permutations(entries))):
        folder = Folder(tmp_path_factory.mktemp("plan"))
        folder.write("operator.toml", 'kind = "operator"\n' + "".join(order))
        try:
            found: Reading | Refusal | str = folder.load().read("050" + tail, on)
        except PlanFault:
            found = "fault"
        answers.add(found)
    assert len(answers) == 1
