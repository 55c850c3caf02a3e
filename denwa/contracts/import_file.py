"""The import file: `number,sip_password,name,mail,web_password,bill_day`, all but number may be empty."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from denwa.contracts.desk import Application
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.preferences import check_bill_day
from denwa.numbering import NumberFault, PhoneNumber

COLUMNS = ("number", "sip_password", "name", "mail", "web_password", "bill_day")


class Row(NamedTuple):
    """A row that can be read: the line on which it begins, and the application in it."""

    line: int
    application: Application


class BadRow(NamedTuple):
    """A row that cannot be taken. The problem never repeats a password."""

    line: int
    problem: str


def read_rows(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    """Rows in order, as the file is read. ContractFault(BAD_VALUE) when the header line is not that of an import.

    `lines` decoded with `errors="surrogateescape"`, so that one wrong byte spoils one row and not the file.
    Columns may stand in any order; columns of other names are refused, lest a typing error loses a setting.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
    except csv.Error as fault:
        raise ContractFault(Reason.BAD_VALUE, f"line 1: {fault}") from None
    if "number" not in header or len(set(header)) < len(header) or not set(header) <= set(COLUMNS):
        raise ContractFault(Reason.BAD_VALUE, f"line 1: expected the columns {','.join(COLUMNS)}")
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
            yield _row(line, header, fields)


def _row(line: int, header: list[str], fields: list[str]) -> Row | BadRow:
    if len(fields) != len(header):
        return BadRow(line, f"{len(fields)} columns, {len(header)} expected")
    values = dict(zip(header, fields, strict=True))
    if any(_undecodable(value) for value in fields):
        return BadRow(line, "not UTF-8")
    try:
        number = PhoneNumber.parse(values["number"]).e164
        bill_day = check_bill_day(values["bill_day"]) if values.get("bill_day") else 1
    except (NumberFault, ContractFault) as fault:
        return BadRow(line, f"number: {fault}" if isinstance(fault, NumberFault) else str(fault))
    application = Application(
        number=number,
        name=values.get("name", ""),
        mail=values.get("mail", ""),
        sip_password=values.get("sip_password", ""),
        web_password=values.get("web_password", ""),
        bill_day=bill_day,
    )
    return Row(line, application)


def _undecodable(value: str) -> bool:
    return not value.isascii() and any("\udc80" <= sign <= "\udcff" for sign in value)
