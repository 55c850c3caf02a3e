"""`denwa forward`: the operator stops a forwarding, lists those stopped, and allows one again (F5)."""

from __future__ import annotations

import json

import click

from denwa.cli.desk import office, phone_number, utc_now
from denwa.cli.main import settings_of
from denwa.cli.subscriber import tell_of_notices
from denwa.contracts.desk import TOKYO
from denwa.contracts.forwarding_desk import allow_forwarding, stop_forwarding
from denwa.contracts.stopped_forwarding import StoppedForwarding
from denwa.numbering import PhoneNumber
from denwa.storage.forwarding_rows import listed_stopped

COMPLAINT = "転送先の方から間違い電話の申出があったため a complaint of wrong numbers"


@click.group()
def forward() -> None:
    """着信転送。Forwardings that were stopped; a subscriber's own is `denwa subscriber set NUMBER forward=…`."""


@forward.command()
@click.argument("number")
@click.option("--reason", default=COMPLAINT, show_default=True, help="the subscriber reads it")
@click.pass_context
def stop(ctx: click.Context, number: str, reason: str) -> None:
    """Stop NUMBER's forwarding at once, tell the subscriber, and do not let it be set again (料金表 第3 備考 3 (4))."""
    own = phone_number(number).e164
    with office(settings_of(ctx)) as here:
        with here.desk.changing(here.who, utc_now()) as clerk:
            stopped = stop_forwarding(clerk, own, reason)
        here.announce()
        tell_of_notices(here, own)
    click.echo(f"{PhoneNumber(own).grouped()} does not forward to {PhoneNumber(stopped.target).grouped()} any more")


@forward.command()
@click.argument("number")
@click.argument("target")
@click.pass_context
def allow(ctx: click.Context, number: str, target: str) -> None:
    """Let NUMBER forward to TARGET again, if its subscriber sets it."""
    own, other = phone_number(number), phone_number(target)
    with office(settings_of(ctx)) as here:
        with here.desk.changing(here.who, utc_now()) as clerk:
            allow_forwarding(clerk, own.e164, other.e164)
        here.announce()
    click.echo(f"{own.grouped()} may forward to {other.grouped()} again")


@forward.command("list")
@click.option("--number", default="", help="of one subscriber")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, number: str, as_json: bool) -> None:
    """Forwardings that were stopped, oldest first."""
    own = phone_number(number).e164 if number else ""
    with office(settings_of(ctx)) as here:
        found = listed_stopped(here.engine, own)
    if as_json:
        click.echo(json.dumps([_fields(one) for one in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        numbers = f"{PhoneNumber(one.subscriber).grouped()} -> {PhoneNumber(one.target).grouped()}"
        state = f"allowed again {one.allowed_at.astimezone(TOKYO):%Y-%m-%d}" if one.allowed_at else "stopped"
        click.echo(f"{one.stopped_at.astimezone(TOKYO):%Y-%m-%d %H:%M}  {numbers}  {state}  {one.reason}")


def _fields(one: StoppedForwarding) -> dict[str, object]:
    allowed = one.allowed_at.astimezone(TOKYO).isoformat(timespec="milliseconds") if one.allowed_at else None
    return {
        "number": PhoneNumber(one.subscriber).national(),
        "target": PhoneNumber(one.target).national(),
        "reason": one.reason,
        "stopped_at": one.stopped_at.astimezone(TOKYO).isoformat(timespec="milliseconds"),
        "stopped_by": one.stopped_by,
        "allowed_at": allowed,
        "allowed_by": one.allowed_by,
    }
