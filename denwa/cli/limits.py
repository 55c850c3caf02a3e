"""`denwa limits`: what a subscriber may spend and has spent, holds on its calls, and lifting them (C6)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from denwa.cli.desk import at_the_keyboard, office, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.control.socket import tell
from denwa.numbering import PhoneNumber
from denwa.storage.limits_store import HoldRow, SqlLimits

_SPENT = {
    "day_yen": "本日 today",
    "month_yen": "今月 this month",
    "international_day_yen": "国際・本日 abroad today",
    "running_yen": "通話中 running calls",
}


@click.group()
def limits() -> None:
    """発信の制限。What bounds a subscriber's calls: amounts, holds after a theft or many short calls."""


@limits.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Holds in force."""
    with office(settings_of(ctx)) as here:
        found = SqlLimits(here.engine).holds(utc_now())
    if as_json:
        click.echo(json.dumps([_fields(row) for row in found], ensure_ascii=False, indent=1))
        return
    for row in found:
        click.echo(_line(row))


@limits.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, number: str, as_json: bool) -> None:
    """One subscriber: the limits, what is spent (running calls too, asked of the running service), holds."""
    own = phone_number(number)
    settings = settings_of(ctx)
    with office(settings) as here:
        here.desk.find(own.e164)
        holds = SqlLimits(here.engine).all_holds(own.e164)
    spent = _spent(settings, own.e164)
    bounds = {key: getattr(settings.limits, key) for key in ("day_yen", "month_yen", "international_day_yen")}
    if as_json:
        values: dict[str, Any] = {"number": own.national(), "limits": bounds, "spent": spent}
        click.echo(json.dumps(values | {"holds": [_fields(row) for row in holds]}, ensure_ascii=False, indent=1))
        return
    click.echo(own.grouped())
    if spent is None:
        click.echo("the service does not run: what is spent is not known here", err=True)
    for key, name in _SPENT.items():
        used = f"{spent[key]} 円" if spent is not None else "-"
        most = f" / {bounds[key]} 円" if bounds.get(key) else ""
        click.echo(f"{name:<24} {used}{most}")
    for row in holds:
        click.echo(_line(row))


@limits.command()
@click.argument("number")
@click.pass_context
def lift(ctx: click.Context, number: str) -> None:
    """Lift every hold of a subscriber: calls abroad begin anew, also with the day's amount. In force at once."""
    own = phone_number(number)
    settings = settings_of(ctx)
    with office(settings) as here:
        here.desk.find(own.e164)
        take_up(settings)  # a hold of this second is on record first
        lifted = SqlLimits(here.engine).lift(own.e164, utc_now(), here.who)
        with here.desk.store.changing(here.who, utc_now()) as unit:
            unit.log([own.e164], f"holds on calls lifted: {lifted}")
        take_up(settings)
    if not lifted:
        raise StateError(f"{own.grouped()}: there is no hold")
    click.echo(f"{own.grouped()} lifted ({at_the_keyboard()})")


def take_up(settings: Settings) -> None:
    """Make the running service take orders and holds up before the command returns."""
    try:
        answer = tell(settings.data_dir, "limits")
    except OSError as fault:
        answer = str(fault)
    if answer not in (None, "ok"):
        raise StateError(f"saved, but the running service has not taken it up: {answer}")


def _spent(settings: Settings, number: str) -> dict[str, int] | None:
    try:
        answer = tell(settings.data_dir, f"spent {number}")
    except OSError as fault:
        raise StateError(f"the running service does not answer: {fault}") from None
    if answer is None:
        return None
    if not answer.startswith("{"):
        raise StateError(f"the running service: {answer}")
    values: dict[str, int] = json.loads(answer)
    return values


def _fields(row: HoldRow) -> dict[str, Any]:
    return {
        "number": PhoneNumber(row.subscriber).national(),
        "kind": row.kind,
        "reason": row.reason,
        "from": _text(row.from_at),
        "until": _text(row.until_at),
        "lifted_at": _text(row.lifted_at),
        "lifted_by": row.lifted_by,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(TOKYO).isoformat(timespec="seconds") if moment is not None else None


def _line(row: HoldRow) -> str:
    until = _text(row.until_at) or "`denwa limits lift`"
    state = f"lifted {_text(row.lifted_at)} ({row.lifted_by})" if row.lifted_at else f"until {until}"
    return f"{PhoneNumber(row.subscriber).grouped()}  {row.kind:<13}  {_text(row.from_at)}  {state}  {row.reason}"
