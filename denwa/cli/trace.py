"""`denwa trace CALL-ID`: the message ladder of a call, from the running service's memory."""

from __future__ import annotations

import json

import click

from denwa.cli.main import StateError, settings_of
from denwa.control.socket import LINE_BREAK, tell


@click.command()
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def trace(ctx: click.Context, call_id: str, as_json: bool) -> None:
    """The messages of a call as the service saw them; passwords and digests are masked."""
    settings = settings_of(ctx)
    answer = tell(settings.data_dir, f"trace {call_id}")
    if answer is None:
        raise StateError(f"no service runs on {settings.data_dir}; a trace is kept in its memory only")
    ladder = answer.replace(LINE_BREAK, "\n")
    if not ladder:
        raise StateError(f"no message of {call_id} is in the trace (it keeps the last {settings.sip.trace_messages})")
    click.echo(json.dumps({"call_id": call_id, "ladder": ladder.splitlines()}) if as_json else ladder)
