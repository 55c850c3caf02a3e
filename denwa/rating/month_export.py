"""The monthly export for the billing agent (L3): a CSV file, control totals, checksums; always the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from denwa.rating.csv_rows import csv_line
from denwa.rating.statement import Statement
from denwa.rating.tariff import PRICED_CLASSES

_CHARGES = {name: f"{name.replace('-', '_')}_yen" for name in PRICED_CLASSES}
COLUMNS = (
    "subscriber",
    "period_start",
    "period_end",
    "calls",
    "duration_ms",
    *_CHARGES.values(),
    "credit_yen",
    "taxed_yen",
    "exempt_yen",
    "tax_percent",
    "tax_yen",
    "total_yen",
)
_TOTALS = ("calls", "duration_ms", *_CHARGES.values(), "credit_yen", "taxed_yen", "exempt_yen", "tax_yen", "total_yen")


class MonthExport(NamedTuple):
    """The export of the billing months that start in one calendar month."""

    name: str  # YYYY-MM
    rows: tuple[dict[str, object], ...]
    totals: dict[str, int]
    content: bytes
    sha256: str  # of `content`

    @property
    def file_name(self) -> str:
        return f"denwa-{self.name}.csv"

    def files(self) -> dict[str, bytes]:
        """Name → bytes: the statements, the control totals, and checksums in the form of sha256sum."""
        lines = [
            ("file", self.file_name),
            ("sha256", self.sha256),
            ("subscribers", len(self.rows)),
            *self.totals.items(),
        ]
        control = "".join(csv_line(line) for line in [("name", "value"), *lines]).encode()
        control_name = f"denwa-{self.name}.control.csv"
        sums = f"{self.sha256}  {self.file_name}\n{hashlib.sha256(control).hexdigest()}  {control_name}\n"
        return {self.file_name: self.content, control_name: control, f"denwa-{self.name}.sha256": sums.encode()}


def export_month(name: str, statements: Sequence[Statement], written: Callable[[str], str]) -> MonthExport:
    """The export of `statements`; `written` gives a subscriber's number the form it has in the file."""
    rows = tuple(_row(statement, written(statement.subscriber)) for statement in statements)
    totals = {column: sum(int(str(row[column])) for row in rows) for column in _TOTALS}
    content = "".join(csv_line(line) for line in [COLUMNS, *(tuple(row.values()) for row in rows)]).encode()
    return MonthExport(name, rows, totals, content, hashlib.sha256(content).hexdigest())


def _row(statement: Statement, subscriber: str) -> dict[str, object]:
    charges = {column: statement.charges[name] for name, column in _CHARGES.items()}
    row: dict[str, object] = {
        "subscriber": subscriber,
        "period_start": statement.month.start.isoformat(),
        "period_end": statement.month.end.isoformat(),
        "calls": statement.calls,
        "duration_ms": statement.duration_ms,
        **charges,
        "credit_yen": statement.credit_yen,
        "taxed_yen": statement.taxed_yen,
        "exempt_yen": statement.exempt_yen,
        "tax_percent": statement.tax_percent,
        "tax_yen": statement.tax_yen,
        "total_yen": statement.total_yen,
    }
    assert tuple(row) == COLUMNS
    return row
