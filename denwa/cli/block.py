"""`denwa block`: a subscriber's blocklist (B1)."""

from __future__ import annotations

import json

import click

from denwa.cli.desk import office, phone_number, utc_now
from denwa.cli.main import settings_of
from denwa.numbering import PhoneNumber


@click.group()
def block() -> None:
    """A subscriber's blocklist: at most 50 numbers whose calls are rejected."""


@block.command()
@click.argument("number")
@click.argument("blocked")
@click.pass_context
def add(ctx: click.Context, number: str, blocked: str) -> None:
    """Reject calls from BLOCKED."""
    own, other = phone_number(number), phone_number(blocked)
    with office(settings_of(ctx)) as here:
        added = here.desk.block(own.e164, other.e164, here.who, utc_now())
        here.announce()
    click.echo(f"{other.grouped()} {'blocked' if added else 'was blocked already'}")


@block.command()
@click.argument("number")
@click.argument("blocked")
@click.pass_context
def remove(ctx: click.Context, number: str, blocked: str) -> None:
    """Let calls from BLOCKED through again."""
    own, other = phone_number(number), phone_number(blocked)
    with office(settings_of(ctx)) as here:
        here.desk.unblock(own.e164, other.e164, here.who, utc_now())
        here.announce()
    click.echo(f"{other.grouped()} removed")


@block.command("list")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="a JSON array of numbers")
@click.pass_context
def list_(ctx: click.Context, number: str, as_json: bool) -> None:
    """The blocklist in the order in which it was made."""
    own = phone_number(number)
    with office(settings_of(ctx)) as here:
        here.desk.find(own.e164)
        listed = [PhoneNumber(blocked) for blocked in here.desk.store.blocked(own.e164)]
    if as_json:
        click.echo(json.dumps([blocked.national() for blocked in listed]))
    else:
        for blocked in listed:
            click.echo(blocked.grouped())
