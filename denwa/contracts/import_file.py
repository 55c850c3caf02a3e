"""The import file: `number,sip_password,name,mail,web_password,bill_day`, all but number may be empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from denwa.contracts.csv_rows import BadRow, Fields, read_fields
from denwa.contracts.desk import Application
from denwa.contracts.faults import ContractFault
from denwa.contracts.preferences import check_bill_day
from denwa.numbering import NumberFault, PhoneNumber

COLUMNS = ("number", "sip_password", "name", "mail", "web_password", "bill_day")


class Row(NamedTuple):
    """A row that can be read: the line on which it begins, and the application in it."""

    line: int
    application: Application


def read_rows(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    """Rows in order, as the file is read; see `read_fields`."""
    for row in read_fields(lines, COLUMNS, ("number",)):
        yield row if isinstance(row, BadRow) else _row(row)


def _row(row: Fields) -> Row | BadRow:
    values = row.values
    try:
        number = PhoneNumber.parse(values["number"]).e164
        bill_day = check_bill_day(values["bill_day"]) if values.get("bill_day") else 1
    except (NumberFault, ContractFault) as fault:
        return BadRow(row.line, f"number: {fault}" if isinstance(fault, NumberFault) else str(fault))
    application = Application(
        number=number,
        name=values.get("name", ""),
        mail=values.get("mail", ""),
        sip_password=values.get("sip_password", ""),
        web_password=values.get("web_password", ""),
        bill_day=bill_day,
    )
    return Row(row.line, application)
