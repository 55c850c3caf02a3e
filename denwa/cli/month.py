"""`denwa month`: show or close a billing month."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_desk import ledger_desk, month_end, month_name, national, now_ms, tokyo_text
from denwa.numbering import PhoneNumber
from denwa.rating.month_check import MonthCheck, check_month
from denwa.rating.month_end import Hindrances
from denwa.rating.month_export import MonthExport
from denwa.rating.ports import ClosedMonth, Problem

_TABLE_WIDTH = 200  # when the output is no terminal
# Column of the export -> heading of the table.
_HEADINGS = {
    "subscriber": "番号 number",
    "period_start": "開始 from",
    "period_end": "終了 to",
    "calls": "通話数 calls",
    "credit_yen": "特典 credit",
    "adjustment_yen": "調整 adjusted",
    "taxed_yen": "課税 taxed",
    "exempt_yen": "免税 exempt",
    "tax_yen": "消費税 tax",
    "total_yen": "合計 total",
}
_TEXTS = 3  # the first columns are no amounts


@click.group()
def month() -> None:
    """Billing months (料金月): YYYY-MM names those that start in that calendar month."""


@month.command()
@click.argument("name", metavar="YYYY-MM", callback=month_name)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Statements, totals, and what stands in the way of closing. Amounts in yen."""
    with month_end(settings_of(ctx)) as ending:
        exported = ending.export(name)
        hindrances = ending.hindrances(name, now_ms())
        closed, problems = ending.statements.closed(name), ending.statements.problems()
    if as_json:
        click.echo(json.dumps(_fields(exported, hindrances, closed, problems), ensure_ascii=False, indent=2))
    else:
        _print(exported, hindrances, closed, problems)


@month.command()
@click.argument("name", metavar="YYYY-MM", callback=month_name)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def close(ctx: click.Context, name: str, as_json: bool) -> None:
    """Close a month, once. Refused while a call of it goes on or is unrated, or a contract's month is not over."""
    with month_end(settings_of(ctx)) as ending:
        exported = ending.close(name, now_ms())
    if as_json:
        totals = {
            "month": name,
            "subscribers": len(exported.rows),
            "totals": exported.totals,
            "sha256": exported.sha256,
        }
        click.echo(json.dumps(totals, ensure_ascii=False, indent=2))
    else:
        total = exported.totals["total_yen"]
        click.echo(f"{name} 締め済み closed: {len(exported.rows)} subscribers, {total} yen, SHA-256 {exported.sha256}")


@month.command()
@click.argument("name", metavar="YYYY-MM", callback=month_name)
@click.option(
    "--export", "folder", type=click.Path(file_okay=False, path_type=Path), help="compare the files in this folder too"
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def check(ctx: click.Context, name: str, folder: Path | None, as_json: bool) -> None:
    """Whether the export, the statements and the ledger agree to the yen; exit code 1 if not."""
    with ledger_desk(settings_of(ctx)) as desk:
        names = desk.ending.export(name).files()
        files = {file: _content(folder / file) for file in names} if folder else None
        checked = check_month(desk.ending, desk.books, name, files)
    if as_json:
        fields = checked._asdict() | {"compared": [compared._asdict() for compared in checked.compared]}
        click.echo(json.dumps(fields, ensure_ascii=False, indent=2))
    else:
        _print_check(checked)
    if checked.differences:
        raise StateError("\n".join([*checked.differences, f"{name}: {len(checked.differences)} differences found"]))


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise StateError(f"{file}: {fault.strerror}") from None


def _print_check(checked: MonthCheck) -> None:
    console = Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH)
    table = Table(title=f"{checked.name}: {checked.subscribers} subscribers")
    table.add_column("")
    for heading in ("書出し export", "明細 statements", "元帳 ledger"):
        table.add_column(heading, justify="right")
    for one in checked.compared:
        booked = "(締め後 after closing)" if one.ledger_yen is None else str(one.ledger_yen)
        table.add_row(one.name, str(one.export_yen), str(one.statements_yen), booked)
    console.print(table)
    if not checked.differences:
        console.print("一致 the export, the statements and the ledger agree to the yen")


def _fields(
    exported: MonthExport, hindrances: Hindrances, closed: ClosedMonth | None, problems: Sequence[Problem]
) -> dict[str, Any]:
    return {
        "month": exported.name,
        "closed_at": tokyo_text(closed.closed_at_ms) if closed else None,
        "hindrances": [] if closed else hindrances.texts(),
        "calls_up": len(hindrances.up),
        "calls_unrated": len(hindrances.unrated),
        "problems": [problem._asdict() | {"subscriber": national(problem.subscriber)} for problem in problems],
        "statements": list(exported.rows),
        "totals": exported.totals,
        "sha256": exported.sha256,
    }


def _print(
    exported: MonthExport, hindrances: Hindrances, closed: ClosedMonth | None, problems: Sequence[Problem]
) -> None:
    console = Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH)
    table = Table(title=f"{exported.name} 料金月 billing month")
    for index, heading in enumerate(_HEADINGS.values()):
        table.add_column(heading, justify="left" if index < _TEXTS else "right")
    first, *others = _HEADINGS
    for row in exported.rows:
        table.add_row(PhoneNumber.parse(str(row[first])).grouped(), *(str(row.get(column, 0)) for column in others))
    table.add_section()
    table.add_row("計 all", "", "", *(str(exported.totals.get(column, 0)) for column in others[_TEXTS - 1 :]))
    console.print(table)
    if closed:
        console.print(f"締め済み closed: {tokyo_text(closed.closed_at_ms)}, SHA-256 {closed.sha256}")
    else:
        console.print("未締め open" + "".join(f"\n  {text}" for text in hindrances.texts()), markup=False)
    for problem in problems:
        line = f"料金計算不能 not rated: {national(problem.subscriber)} {problem.call_id}: {problem.problem}"
        console.print(line, markup=False, soft_wrap=True)
