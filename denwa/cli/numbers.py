"""`denwa numbers`: how many numbers are in use, stopped, resting on a day (K7)."""

from __future__ import annotations

import json
from calendar import monthrange
from datetime import date
from typing import Any

import click

from denwa.cli.billing_desk import national, today
from denwa.cli.box_wiring import own_ranges
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import databases, numbering_plan, utc_now
from denwa.cli.main import settings_of
from denwa.cli.rating_desk import month_name
from denwa.contracts.numbers_in_use import NumberUse, count, end_of, use_of
from denwa.numbering import PhoneNumber
from denwa.rating.billing_month import calendar_month
from denwa.storage.billing_store import SqlBillingStore

_LABELS = {
    NumberUse.IN_USE: "使用中 in use",
    NumberUse.STOPPED: "利用停止中 stopped",
    NumberUse.RESTING: "休止中 resting",
    NumberUse.RESTED: "休止明け rested",
}


def _month(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return month_name(ctx, param, value) if value else None


@click.command()
@click.option("--on", "day", type=DAY, help="at the end of this day in Asia/Tokyo; by default now")
@click.option("--month", metavar="YYYY-MM", callback=_month, help="at the end of this month")
@click.option("--list", "use", type=click.Choice([str(use) for use in NumberUse]), help="the numbers of one kind")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def numbers(ctx: click.Context, day: date | None, month: str | None, use: str | None, as_json: bool) -> None:
    """Numbers in use, stopped, resting; active ones (in use or stopped) are what monthly fees are paid for."""
    if day and month:
        raise click.UsageError("--on or --month, not both")
    if month:
        year, number = calendar_month(month)
        day = date(year, number, monthrange(year, number)[1])
    day = day or today()
    settings = settings_of(ctx)
    plan = numbering_plan(settings)
    with databases(settings) as (main, _journal):
        moment = min(end_of(day), utc_now())
        lives = SqlBillingStore(main).number_lives(moment)
        ranges = own_ranges(settings, plan, day)
        rest = settings.numbering.quarantine_days
    if use:
        chosen = [life.number for life in lives if use_of(life, moment, rest) == use]
        if as_json:
            click.echo(json.dumps([national(number) for number in chosen]))
        else:
            for found in chosen:
                click.echo(PhoneNumber(found).grouped())
        return
    counted = count(day, lives, ranges, rest, moment)
    if as_json:
        fields: dict[str, Any] = {"day": str(day), "active": counted.active}
        fields |= {str(kind).replace("-", "_"): counted.uses[kind] for kind in NumberUse} | {"free": counted.free}
        click.echo(json.dumps(fields))
        return
    click.echo(f"{day}  稼働番号数 active numbers: {counted.active}")
    for kind, label in _LABELS.items():
        click.echo(f"{counted.uses[kind]:>9}  {label}")
    click.echo(f"{counted.free:>9}  未使用 free")
