"""`denwa billing`: the daily step of billing life."""

from __future__ import annotations

import json
from datetime import date

import click

from denwa.cli.billing_desk import billing_office, echo_report, report_fields, today
from denwa.cli.day_arguments import DAY
from denwa.cli.main import settings_of


@click.group()
def billing() -> None:
    """請求と利用停止。Unpaid bills, notices, suspensions, late interest (L2)."""


@billing.command()
@click.option("--on", "day", type=DAY, help="as if it were this day in Asia/Tokyo; by default today")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def run(ctx: click.Context, day: date | None, as_json: bool) -> None:
    """Do what is due: take in closed months' bills, announce, suspend, resume, tell, charge late interest.

    The running service does it once a day. Doing it again changes nothing.
    """
    with billing_office(settings_of(ctx)) as here:
        report = here.step.run(day or today(), here.who, here.now)
        here.announce()
    if as_json:
        click.echo(json.dumps(report_fields(report), ensure_ascii=False, indent=1))
    else:
        echo_report(report)
