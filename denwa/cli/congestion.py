"""`denwa congestion`: restrict calls in an emergency or congestion, at once and for a set time (C7)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import click

from denwa.cli.desk import at_the_keyboard, databases, utc_now
from denwa.cli.limits import take_up
from denwa.cli.main import settings_of
from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.storage.limits_store import OrderRow, SqlLimits
from denwa.voip.proxy.congestion import OrderKind, area_beginning

_SAYS = {
    OrderKind.PRIORITY_ONLY: "優先加入者だけが発信できます only priority subscribers can call",
    OrderKind.MAX_SECONDS: "通話時間の上限 calls are at most so many seconds long:",
    OrderKind.AREA: "発信できない地域 no calls to numbers that begin with",
}


@click.group()
def congestion() -> None:
    """通信の制限。Orders that restrict calls; priority subscribers (`subscriber set priority=on`) are bound by none."""


@congestion.command()
@click.option("--priority-only", is_flag=True, help="only priority subscribers can call (約款 第19条)")
@click.option("--max-seconds", type=click.IntRange(1, 86_400), help="no call longer; running ones are ended then")
@click.option("--area", "areas", help="beginnings of numbers that are not called: 03,06")
@click.option("--for", "minutes", type=click.IntRange(1, 525_600), help="minutes; by default until `off`")
@click.pass_context
def on(
    ctx: click.Context, priority_only: bool, max_seconds: int | None, areas: str | None, minutes: int | None
) -> None:
    """Restrict calls from now on. An order takes the place of the one before of its kind."""
    orders = {OrderKind.PRIORITY_ONLY: ""} if priority_only else {}
    if max_seconds is not None:
        orders[OrderKind.MAX_SECONDS] = str(max_seconds)
    if areas is not None:
        orders[OrderKind.AREA] = _areas(areas)
    if not orders:
        raise click.UsageError("say what to restrict: --priority-only, --max-seconds N, --area 03,06")
    settings, now = settings_of(ctx), utc_now()
    until = now + timedelta(minutes=minutes) if minutes else None
    with databases(settings) as (main, _journal):
        store = SqlLimits(main)
        for kind, value in orders.items():
            store.give_order(str(kind), value, now, until, at_the_keyboard())
        take_up(settings)
        _echo(store.orders(now))


@congestion.command()
@click.pass_context
def off(ctx: click.Context) -> None:
    """Take back every order."""
    settings, now = settings_of(ctx), utc_now()
    with databases(settings) as (main, _journal):
        ended = SqlLimits(main).end_orders(now, at_the_keyboard())
        take_up(settings)
    click.echo(f"{ended} taken back")


@congestion.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """The orders in force."""
    found = _orders(settings_of(ctx), utc_now())
    if as_json:
        fields = [
            {
                "kind": row.kind,
                "value": row.value,
                "from": row.from_at.astimezone(TOKYO).isoformat(),
                "until": row.until_at.astimezone(TOKYO).isoformat() if row.until_at else None,
                "by": row.made_by,
            }
            for row in found
        ]
        click.echo(json.dumps(fields, ensure_ascii=False, indent=1))
    else:
        _echo(found)


def _orders(settings: Settings, now: datetime) -> list[OrderRow]:
    with databases(settings) as (main, _journal):
        return SqlLimits(main).orders(now)


def _areas(text: str) -> str:
    try:
        beginnings = [area_beginning(part) for part in text.split(",")]
    except ValueError as fault:
        raise click.UsageError(f"--area: {fault}") from None
    return ",".join(beginnings)


def _echo(orders: list[OrderRow]) -> None:
    if not orders:
        click.echo("制限なし no restrictions")
    for row in orders:
        until = f"{row.until_at.astimezone(TOKYO):%Y-%m-%d %H:%M}" if row.until_at else "`denwa congestion off`"
        click.echo(f"{_SAYS[OrderKind(row.kind)]} {row.value}".rstrip() + f"  until {until} ({row.made_by})")
