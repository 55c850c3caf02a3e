"""`denwa export month`: the monthly export for the billing agent."""

from __future__ import annotations

from pathlib import Path

import click

from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_desk import month_end, month_name, now_ms


@click.group()
def export() -> None:
    """Files for the billing agent. 債権の譲渡のためのファイル。"""


@export.command("month")
@click.argument("month", metavar="YYYY-MM", callback=month_name)
@click.option(
    "--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="folder for the files"
)
@click.pass_context
def export_month(ctx: click.Context, month: str, folder: Path) -> None:
    """Statements of the billing months that start in YYYY-MM, control totals, checksums; always the same bytes."""
    with month_end(settings_of(ctx)) as ending:
        exported = ending.export(month)
        hindrances = ending.hindrances(month, now_ms())
        closed = ending.statements.closed(month) is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in exported.files().items():
            unfinished = folder / f"{name}.unfinished"
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)
            click.echo(folder / name)
    except OSError as fault:
        raise StateError(f"{folder}: {fault.strerror}") from None
    if not closed:
        why = "".join(f"; {text}" for text in hindrances.texts())
        click.echo(f"denwa: {month} is not closed, so these files are provisional{why}", err=True)
