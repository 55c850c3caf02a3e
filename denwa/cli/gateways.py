"""`denwa gateways`: the gateways of the running service, address by address, and how they are."""

from __future__ import annotations

import json

import click

from denwa.cli.main import StateError, settings_of
from denwa.control.socket import tell

_HEADS = ("gateway", "address", "state", "registration", "priority", "calls")


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def gateways(ctx: click.Context, as_json: bool) -> None:
    """Gateways to the telephone network: addresses, whether they work, registration, channels in use."""
    answer = tell(settings_of(ctx).data_dir, "gateways")
    if answer is None:
        raise StateError("no service runs on this data folder: how its gateways are is not known")
    found = json.loads(answer)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    rows = [_HEADS, *(tuple(_cell(entry, head) for head in _HEADS) for entry in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(entry: dict[str, str | int], head: str) -> str:
    if head == "calls":
        return f"{entry['calls']}/{entry['max_calls']}" if entry["max_calls"] else "-"
    return str(entry[head]) or "-"
