"""`denwa contracts`: measures against contracts, and contracts without bills."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import click

from denwa.cli.billing_desk import billing_office, national, today
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import phone_number
from denwa.cli.main import StateError, settings_of
from denwa.contracts.dormancy import Dormant
from denwa.contracts.measures import Measure
from denwa.numbering import PhoneNumber


@click.group()
def contracts() -> None:
    """契約。Suspensions and terminations that were announced; contracts without bills (L2)."""


@contracts.command()
@click.option("--on", "day", type=DAY, help="as if it were this day in Asia/Tokyo; by default today")
@click.option("--end", is_flag=True, help="end those that may be ended; the only way in which one ends")
@click.option("--number", "numbers", multiple=True, help="only these subscribers")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def dormant(ctx: click.Context, day: date | None, end: bool, numbers: tuple[str, ...], as_json: bool) -> None:
    """Contracts with 12 months in a row without a bill, now or soon, and what they were told (約款 第13条)."""
    day = day or today()
    chosen = {phone_number(number).e164 for number in numbers}
    ended: list[str] = []
    with billing_office(settings_of(ctx)) as here:
        found = [one for one in here.step.dormant(day) if not chosen or one.contract.number in chosen]
        for one in found if end else []:
            if here.step.end_dormant(one, day, here.who, here.now):
                ended.append(one.contract.number)
        here.announce()
    refused = sorted(chosen - set(ended)) if end else []
    if as_json:
        described = [_dormant(one) | {"ended": one.contract.number in ended} for one in found]
        click.echo(json.dumps(described, ensure_ascii=False, indent=1))
    else:
        for one in found:
            told = ", ".join(map(str, one.told_on)) or "なし none"
            mark = "  解除 ended" if one.contract.number in ended else ""
            click.echo(
                f"{PhoneNumber(one.contract.number).grouped()}  {one.dormant_on}  通知 told: {told}"
                f"  {one.contract.name}{mark}".rstrip()
            )
    if refused:
        what = ", ".join(PhoneNumber(number).grouped() for number in refused)
        raise StateError(f"not ended: {what}: 12 months without a bill are not complete, or were not announced in time")


@contracts.command()
@click.option("--number", default="", help="of one subscriber")
@click.option("--all", "everything", is_flag=True, help="also those that have ended or were withdrawn")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def measures(ctx: click.Context, number: str, everything: bool, as_json: bool) -> None:
    """Suspensions and terminations: cause, notice, period."""
    own = phone_number(number).e164 if number else ""
    with billing_office(settings_of(ctx)) as here:
        found = here.step.store.listed_measures(own, live=not everything)
    if as_json:
        click.echo(json.dumps([_measure(one) for one in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        until = one.until_day or ("支払いまで until paid" if one.month else "")
        told = f"通知 told {one.told_on}" if one.told_on else "通知前 not told"
        click.echo(
            f"{one.key:>6}  {PhoneNumber(one.subscriber).grouped()}  {one.kind:<11}  {one.cause} {one.month}"
            f"  {one.from_day}–{until}  {one.state}  {told}"
        )


@contracts.command()
@click.argument("number")
@click.argument("key", metavar="ID", type=int)
@click.pass_context
def withdraw(ctx: click.Context, number: str, key: int) -> None:
    """Take an announced suspension or termination back; ID as `denwa contracts measures` shows it."""
    own = phone_number(number).e164
    with billing_office(settings_of(ctx)) as here:
        with here.clerk(today()) as clerk:
            measure = clerk.withdraw(own, key)
        here.announce()
    click.echo(f"{PhoneNumber(own).grouped()} {measure.kind} {key} {measure.state}")


def _dormant(one: Dormant) -> dict[str, Any]:
    contract = one.contract
    return {
        "number": national(contract.number),
        "name": contract.name,
        "last_billed": str(contract.last_billed) if contract.last_billed else None,
        "dormant_on": str(one.dormant_on),
        "told_on": [str(day) for day in one.told_on],
    }


def _measure(one: Measure) -> dict[str, Any]:
    return {
        "id": one.key,
        "number": national(one.subscriber),
        "kind": str(one.kind),
        "cause": str(one.cause),
        "month": one.month,
        "from": str(one.from_day),
        "until": str(one.until_day) if one.until_day else None,
        "state": str(one.state),
        "told_on": str(one.told_on) if one.told_on else None,
    }
