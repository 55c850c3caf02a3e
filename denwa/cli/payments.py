"""`denwa payments`: the billing agent's results, and what is owed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import click

from denwa.cli.billing_desk import billing_office, echo_report, national, report_fields, today
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import phone_number
from denwa.cli.main import StateError, settings_of
from denwa.contracts.payments import read_results
from denwa.contracts.ports import ListedBill
from denwa.numbering import PhoneNumber


@click.group()
def payments() -> None:
    """支払い。What the billing agent collected and what is owed (L3)."""


@payments.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--on", "day", type=DAY, help="as if it were this day in Asia/Tokyo; by default today")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def read(ctx: click.Context, file: Path, day: date | None, as_json: bool) -> None:
    """Read the agent's results, a CSV file: subscriber,month,result,paid_on,amount_yen,reference.

    result is paid or unpaid; paid_on a day, empty when unpaid; amount_yen the bill's total with tax; reference the
    agent's own, another for every result. Good rows are applied; every bad row is reported with its line, and the exit
    code is then 1. The same file again changes nothing.
    """
    with (
        file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines,
        billing_office(settings_of(ctx)) as here,
    ):
        reading = here.step.read(read_results(lines), day or today(), here.who, here.now)
        here.announce()
    for row in reading.bad:
        click.echo(f"{file}:{row.line}: {row.problem}", err=True)
    if as_json:
        counts = {"taken": reading.taken, "known": reading.known, "bad": [row._asdict() for row in reading.bad]}
        click.echo(json.dumps(counts | report_fields(reading.report), ensure_ascii=False, indent=1))
    else:
        if reading.report:
            echo_report(reading.report)
        click.echo(f"{reading.taken} taken, {reading.known} known before, {len(reading.bad)} bad")
    if reading.bad:
        raise StateError(f"{file}: {len(reading.bad)} rows not taken")


@payments.command("list")
@click.option("--unpaid", is_flag=True, help="only bills that failed and are still owed")
@click.option("--number", default="", help="of one subscriber")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, unpaid: bool, number: str, as_json: bool) -> None:
    """Bills of closed months and whether they are paid. Yen, tax included."""
    own = phone_number(number).e164 if number else ""
    with billing_office(settings_of(ctx)) as here:
        found = here.step.store.listed_bills(number=own, unpaid=unpaid)
    if as_json:
        click.echo(json.dumps([_fields(one) for one in found], ensure_ascii=False, indent=1))
        return
    for listed in found:
        bill = listed.bill
        paid = f"  paid {bill.paid_on}" if bill.paid_on else ""
        interest = f"  延滞利息 late interest {bill.interest_yen}" if bill.interest_yen else ""
        click.echo(
            f"{PhoneNumber(bill.subscriber).grouped()}  {bill.month}  {bill.total_yen:>9}円  期日 due {bill.due_on}"
            f"  {bill.state:<9}{paid}{interest}  {listed.reference}".rstrip()
        )


def _fields(listed: ListedBill) -> dict[str, Any]:
    bill = listed.bill
    return {
        "number": national(bill.subscriber),
        "month": bill.month,
        "period_start": str(bill.period_start),
        "period_end": str(bill.period_end),
        "total_yen": bill.total_yen,
        "due_on": str(bill.due_on),
        "state": str(bill.state),
        "paid_on": str(bill.paid_on) if bill.paid_on else None,
        "late_interest_yen": bill.interest_yen,
        "reference": listed.reference,
    }
