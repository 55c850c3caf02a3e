"""Importing many subscribers: every good row once, every bad row told with its line."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.csv_rows import BadRow
from denwa.contracts.desk import Application, Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.import_file import COLUMNS, Row, read_rows
from denwa.contracts.intake import BATCH, take_in
from tests.contracts.desks import NOW, NUMBER, application

HEADER = ",".join(COLUMNS) + "\n"


def rows_of(text: str) -> list[Row | BadRow]:
    return list(read_rows(io.StringIO(text, newline="")))


def take(desk: Desk, text: str) -> tuple[int, list[BadRow]]:
    added, bad = 0, []
    with ThreadPoolExecutor(2) as executor:
        for count, faults in take_in(desk, read_rows(io.StringIO(text, newline="")), "test", lambda: NOW, executor):
            added += count
            bad += faults
    return added, bad


def test_all_but_the_number_may_be_empty() -> None:
    assert rows_of(HEADER + "050-5001-0001,,,,,\n") == [Row(2, Application(name="", mail="", number=NUMBER))]


def test_a_row_is_read_column_by_column() -> None:
    (row,) = rows_of(HEADER + '05050010001,sip-pw,"山田, 太郎",y@example.jp,web-pw,28\n')
    assert row == Row(2, Application("山田, 太郎", "y@example.jp", NUMBER, "sip-pw", "web-pw", 28))


def test_columns_stand_in_any_order_and_a_byte_order_mark_is_no_part_of_them() -> None:
    assert rows_of("\ufeffname,number\r\nA,05050010001\r\n") == [Row(2, Application("A", "", NUMBER))]


@pytest.mark.parametrize("header", ["", "name,mail\n", "number,colour\n", "number,number\n", '"number\n'])
def test_a_file_without_the_header_of_an_import_is_refused_whole(header: str) -> None:
    with pytest.raises(ContractFault, match="line 1"):
        rows_of(header + "05050010001,x\n")


def test_a_bad_row_is_told_with_the_line_on_which_it_begins() -> None:
    text = (
        HEADER + '05050010001,,"two\nlines",,,\nnonsense,,,,,\n\n05050010003,,,\n05050010004,,,,,29\n0505001005,,,,,\n'
    )
    bad = [row.line for row in rows_of(text) if isinstance(row, BadRow)]
    assert bad == [4, 6, 7, 8]


def test_one_wrong_byte_spoils_one_row() -> None:
    text = (HEADER.encode() + b"05050010001,,\x8e\x52,,,\n05050010002,,,,,\n").decode(errors="surrogateescape")
    bad, good = rows_of(text)
    assert bad == BadRow(2, "not UTF-8")
    assert isinstance(good, Row)


def test_a_broken_quote_is_a_bad_row_and_not_the_end() -> None:
    bad, good = rows_of(HEADER + '05050010001,,"A"B,,,\n05050010002,,,,,\n')
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=7), max_size=6))
def test_whatever_is_in_a_file_each_row_is_read_or_told(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    outcomes = rows_of(HEADER + text.getvalue())
    assert len(outcomes) <= len(rows) * 2 + 1
    assert all(outcome.line >= 2 for outcome in outcomes)


def test_good_rows_are_imported_and_bad_ones_are_told(desk: Desk) -> None:
    desk.add(application(number="+815050010005"), "test", NOW)
    text = HEADER + (
        "05050010001,sip-password-1,A,a@example.jp,web-password-1,15\n"
        "05050010001,,again,,,\n"
        "05050010005,,given before,,,\n"
        "05050020000,,not ours,,,\n"
        "05050010006,,,not-a-mail,,\n"
        "05050010007,two words,,,,\n"
        "05050010002,,,,,\n"
    )
    added, bad = take(desk, text)
    assert added == 2
    assert [row.line for row in bad] == [3, 4, 5, 6, 7]
    assert all("two words" not in row.problem for row in bad)
    one, two = desk.find(NUMBER), desk.find("+815050010002")
    assert desk.sip_password(one) == "sip-password-1"
    assert desk.web_passwords.verify(one.web_password_hash, "web-password-1")
    assert (one.name, one.mail, one.bill_day) == ("A", "a@example.jp", 15)
    assert len(desk.sip_password(two)) == 16
    assert two.web_password_hash == ""


def test_an_import_of_several_batches_is_complete_and_in_small_transactions(desk: Desk) -> None:
    lines = [f"0505001{n:04d},password-{n},,,," for n in range(2 * BATCH + 10)]
    sizes = []
    with ThreadPoolExecutor(2) as executor:
        source = read_rows(io.StringIO(HEADER + "\n".join(lines) + "\n", newline=""))
        for count, bad in take_in(desk, source, "test", lambda: NOW, executor):
            assert bad == []
            sizes.append(count)
            assert sum(1 for _ in desk.store.each()) == sum(sizes)  # what was told is there
    assert sizes == [BATCH, BATCH, 10]
    assert desk.sip_password(desk.find("+815050010700")) == "password-700"


def test_importing_the_same_file_again_adds_nothing(desk: Desk) -> None:
    text = HEADER + "05050010001,,,,,\n05050010002,,,,,\n"
    assert take(desk, text) == (2, [])
    before = list(desk.store.each())
    added, bad = take(desk, text)
    assert added == 0
    assert [row.line for row in bad] == [2, 3]
    assert list(desk.store.each()) == before
