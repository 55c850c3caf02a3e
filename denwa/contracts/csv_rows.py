"""Files that an operator or the billing agent hands in: CSV with a header line, read row by row, no row ever lost."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from denwa.contracts.faults import ContractFault, Reason


class Fields(NamedTuple):
    """A row with all its columns, by name, and the line on which it begins."""

    line: int
    values: Mapping[str, str]


class BadRow(NamedTuple):
    """A row that cannot be taken. The problem never repeats a password."""

    line: int
    problem: str


def read_fields(lines: Iterable[str], columns: tuple[str, ...], needed: tuple[str, ...]) -> Iterator[Fields | BadRow]:
    """Rows in order, as the file is read. ContractFault(BAD_VALUE) when the header line is not one of `columns`.

    `lines` decoded with `errors="surrogateescape"`, so that one wrong byte spoils one row and not the file.
    Columns may stand in any order; columns of other names are refused, lest a typing error loses a value.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
    except csv.Error as fault:
        raise ContractFault(Reason.BAD_VALUE, f"line 1: {fault}") from None
    if not set(needed) <= set(header) or len(set(header)) < len(header) or not set(header) <= set(columns):
        raise ContractFault(Reason.BAD_VALUE, f"line 1: expected the columns {','.join(columns)}")
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield BadRow(line, str(fault))
            continue
        if fields:  # an empty line says nothing
            yield _checked(line, header, fields)


def _checked(line: int, header: list[str], fields: list[str]) -> Fields | BadRow:
    if len(fields) != len(header):
        return BadRow(line, f"{len(fields)} columns, {len(header)} expected")
    if any(_undecodable(value) for value in fields):
        return BadRow(line, "not UTF-8")
    return Fields(line, dict(zip(header, fields, strict=True)))


def _undecodable(value: str) -> bool:
    return not value.isascii() and any("\udc80" <= sign <= "\udcff" for sign in value)
