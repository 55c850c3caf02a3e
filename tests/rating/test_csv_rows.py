from __future__ import annotations

from pathlib import Path

import pytest

from denwa.rating.csv_rows import CsvFault, CsvRows


def rows_of(tmp_path: Path, content: bytes) -> tuple[list[tuple[int, tuple[str, ...]]], list[tuple[int, str]]]:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    faults: list[tuple[int, str]] = []
    rows = CsvRows(file, ("a", "b"), lambda line, problem: faults.append((line, problem)))
    return [(rows.line, row) for row in rows], faults


def test_columns_are_found_by_name_and_lines_counted_from_one(tmp_path: Path) -> None:
    rows, faults = rows_of(tmp_path, b'\xef\xbb\xbfx,b,a\r\n1,2,3\r\n\r\n"1\n1",2,"3"\n4,5,6\n')
    assert rows == [(2, ("3", "2")), (4, ("3", "2")), (6, ("6", "5"))]
    assert faults == []


def test_a_row_of_a_wrong_width_is_reported_with_its_line(tmp_path: Path) -> None:
    rows, faults = rows_of(tmp_path, b"a,b\n1\n1,2\n1,2,3\n")
    assert [line for line, _ in rows] == [3]
    assert faults == [(2, "2 columns expected, found 1"), (4, "2 columns expected, found 3")]


def test_a_field_without_end_is_reported_and_does_not_stop_the_run(tmp_path: Path) -> None:
    rows, faults = rows_of(tmp_path, b'a,b\n1,2\n"' + b"x" * 200_000 + b"\n3,4\n")
    assert rows[0] == (2, ("1", "2"))
    assert "field larger than field limit" in faults[0][1]


@pytest.mark.parametrize("content", [b"", b"a\n1\n", b"\xff\xfe\n"])
def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CsvFault, match=r"rows\.csv:1: the header has no column"):
        rows_of(tmp_path, content)
