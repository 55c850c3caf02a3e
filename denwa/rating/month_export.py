"""The monthly export for the billing agent (L3): CSV files, control totals, checksums; always the same bytes.

The statements are one file; a second one has the lines that are no ordinary call of the month: red ones (taken back),
black ones (charged anew), credit shared out anew, calls that became known late, adjustments. A month that is closed is
exported for ever in the layout that it was closed with.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.csv_rows import csv_line
from denwa.rating.export_lines import LINE_COLUMNS, export_lines
from denwa.rating.ledger import Posting
from denwa.rating.ports import BookedAdjustment
from denwa.rating.statement import Statement
from denwa.rating.tariff import PRICED_CLASSES

LAYOUT = 2  # of months that are closed from now on
_CHARGES = {name: f"{name.replace('-', '_')}_yen" for name in PRICED_CLASSES}
_KINDS = {kind: f"{kind.value.replace('-', '_')}_yen" for kind in AdjustmentKind}
_NONE = dict.fromkeys(_KINDS.values(), 0)
_LAYOUT_1 = (
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
COLUMNS = (*_LAYOUT_1, *_KINDS.values(), "adjustment_yen", "out_of_scope_yen")
_LAYOUTS = {1: _LAYOUT_1, 2: COLUMNS}
_NO_TOTALS = ("subscriber", "period_start", "period_end", "tax_percent")


class MonthExport(NamedTuple):
    """The export of the billing months that start in one calendar month."""

    name: str  # YYYY-MM
    layout: int
    rows: tuple[dict[str, object], ...]
    totals: dict[str, int]
    content: bytes
    sha256: str  # of `content`
    lines: tuple[dict[str, object], ...]
    lines_content: bytes  # empty in layout 1, which has no such file
    lines_sha256: str

    @property
    def file_name(self) -> str:
        return f"denwa-{self.name}.csv"

    @property
    def lines_name(self) -> str:
        return f"denwa-{self.name}-lines.csv"

    def control(self) -> list[tuple[str, object]]:
        """Control totals: (name, value)."""
        totals: list[tuple[str, object]] = [
            ("file", self.file_name),
            ("sha256", self.sha256),
            ("subscribers", len(self.rows)),
            *self.totals.items(),
        ]
        if self.layout > 1:
            totals += [
                ("lines_file", self.lines_name),
                ("lines_sha256", self.lines_sha256),
                ("lines", len(self.lines)),
                ("lines_payable_yen", _sum(self.lines, "payable_yen")),
            ]
        return totals

    def files(self) -> dict[str, bytes]:
        """Name → bytes: the statements, the lines, the control totals, and checksums in the form of sha256sum."""
        files = {self.file_name: self.content}
        if self.layout > 1:
            files[self.lines_name] = self.lines_content
        files[f"denwa-{self.name}.control.csv"] = _csv(("name", "value"), self.control())
        sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
        return files | {f"denwa-{self.name}.sha256": sums.encode()}


def export_month(
    name: str,
    statements: Sequence[Statement],
    written: Callable[[str], str],
    corrected: Sequence[Posting] = (),
    adjustments: Sequence[BookedAdjustment] = (),
    layout: int = LAYOUT,
) -> MonthExport:
    """The export of `statements`, with the lines of `corrected` and `adjustments`.

    `written` gives a subscriber's number the form it has in the files.
    """
    columns = _LAYOUTS[layout]
    rows = tuple(_row(statement, written(statement.subscriber), columns) for statement in statements)
    totals = {column: _sum(rows, column) for column in columns if column not in _NO_TOTALS}
    content = _csv(columns, (tuple(row.values()) for row in rows))
    lines = tuple(export_lines(corrected, adjustments, written)) if layout > 1 else ()
    lines_content = _csv(LINE_COLUMNS, (tuple(line.values()) for line in lines)) if layout > 1 else b""
    return MonthExport(
        name, layout, rows, totals, content, hashlib.sha256(content).hexdigest(),
        lines, lines_content, hashlib.sha256(lines_content).hexdigest() if layout > 1 else "",
    )  # fmt: skip


def _row(statement: Statement, subscriber: str, columns: Iterable[str]) -> dict[str, object]:
    values: dict[str, object] = {
        "subscriber": subscriber,
        "period_start": statement.month.start.isoformat(),
        "period_end": statement.month.end.isoformat(),
        "calls": statement.calls,
        "duration_ms": statement.duration_ms,
        **{column: statement.charges[name] for name, column in _CHARGES.items()},
        "credit_yen": statement.credit_yen,
        "taxed_yen": statement.taxed_yen,
        "exempt_yen": statement.exempt_yen,
        "tax_percent": statement.tax_percent,
        "tax_yen": statement.tax_yen,
        "total_yen": statement.total_yen,
        **({column: statement.adjusted(kind) for kind, column in _KINDS.items()} if statement.adjustments else _NONE),
        "adjustment_yen": statement.adjustment_yen,
        "out_of_scope_yen": statement.out_of_scope_yen,
    }
    return {column: values[column] for column in columns}


def _sum(rows: Iterable[dict[str, object]], column: str) -> int:
    return sum(int(str(row[column])) for row in rows)


def _csv(columns: Iterable[object], rows: Iterable[Iterable[object]]) -> bytes:
    return "".join(csv_line(tuple(line)) for line in itertools.chain([columns], rows)).encode()
