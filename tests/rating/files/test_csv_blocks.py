"""Blocks of rows hold what Python's CSV reader finds row by row; what is no row is told and nothing else is lost."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.rating.csv_rows import CsvFault, CsvRows
from denwa.rating.files.csv_blocks import CsvBlocks

COLUMNS = ("a", "b")
Read = tuple[list[tuple[int, tuple[str, ...]]], list[tuple[int, str]]]


def read(file: Path, chunk: int = 1 << 20) -> Read:
    """Rows and what is no row, each with its line."""
    rows, broken = [], []
    for block in CsvBlocks(file, COLUMNS, chunk):
        rows += [(int(line), block.row(index)) for index, line in enumerate(block.lines)] + block.single
        broken += block.broken
    return sorted(rows), sorted(broken)


def read_text(folder: Path, text: str | bytes, chunk: int = 1 << 20) -> Read:
    file = folder / "rows.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file, chunk)


def read_one_by_one(file: Path) -> Read:
    faults: list[tuple[int, str]] = []
    reader = CsvRows(file, COLUMNS, lambda line, problem: faults.append((line, problem)))
    return [(reader.line, row) for row in reader], faults


FIELDS = st.text(st.sampled_from("ab1é\0 "), max_size=4)
QUOTED = st.text(st.sampled_from('ab,"é '), max_size=4).map(lambda text: '"' + text.replace('"', '""') + '"')
LINES = st.lists(
    st.tuples(
        st.lists(FIELDS | QUOTED | FIELDS.map('x"{}'.format), max_size=5).map(",".join),
        st.sampled_from(["\n", "\r\n", "\r"]),
    ).map("".join)
).map("".join)


@settings(max_examples=300)
@given(LINES, st.sampled_from([5, 16, 1 << 20]), st.sampled_from(["", "\ufeff"]), st.sampled_from(["a,b", "b,x,a"]))
def test_rows_are_those_of_a_csv_reader_however_the_file_is_cut(lines: str, chunk: int, mark: str, header: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        file.write_bytes(f"{mark}{header}\n{lines}".encode())
        assert read(file, chunk) == read_one_by_one(file)


@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_a_field_may_hold_line_ends(tmp_path: Path, chunk: int) -> None:
    rows, broken = read_text(tmp_path, 'a,b\r\n"1\r\n1",2\r\n3,"\n\n"\r\n5,6\r\n', chunk)
    assert rows == [(2, ("1\r\n1", "2")), (4, ("3", "\n\n")), (7, ("5", "6"))]
    assert broken == []


@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_a_quote_without_end_costs_its_own_line_only(tmp_path: Path, chunk: int) -> None:
    rows, broken = read_text(tmp_path, 'a,b\n1,2\n"3,4\n5,6\n7,8', chunk)
    assert rows == [(2, ("1", "2")), (4, ("5", "6")), (5, ("7", "8"))]
    assert broken == [(3, "not CSV: a quoted field does not end")]


def test_a_row_over_lines_that_has_too_many_columns_costs_its_first_line_only(tmp_path: Path) -> None:
    rows, broken = read_text(tmp_path, 'a,b\n"1,2\n3,4\n",5,6\n7,8\n')
    assert rows == [(3, ("3", "4")), (5, ("7", "8"))]
    assert [line for line, _ in broken] == [2, 4]


def test_a_field_that_is_too_long_is_told_and_the_next_row_read(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    rows, broken = read_text(tmp_path, f'a,b\n1,{"x" * (limit + 1)}\n3,"{"y" * (limit + 1)}"\n5,6\n', 1 << 16)
    assert rows == [(4, ("5", "6"))]
    assert [(line, problem.split(" (")[0]) for line, problem in broken] == [
        (2, "not CSV: field larger than field limit"),
        (3, "not CSV: field larger than field limit"),
    ]


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    rows, broken = read_text(tmp_path, b"a,b\n" + b"x" * (9 << 20) + b"\n1,2\n", 1 << 20)
    assert rows == [(3, ("1", "2"))]
    assert [line for line, _ in broken] == [2]


def test_sizes_add_up_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"\xef\xbb\xbfa,b\n" + b"1,2\n" * 100)
    assert sum(block.size for block in CsvBlocks(file, COLUMNS, 64)) == file.stat().st_size


@pytest.mark.parametrize("content", [b"", b"a\n1\n", b"\xff\xfe\n", b'"a\nb"\n'])
def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CsvFault, match=r"rows\.csv:1: the header has no column"):
        read_text(tmp_path, content)
