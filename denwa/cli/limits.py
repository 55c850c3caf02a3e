"""`denwa limits`: what a subscriber may spend and has spent, holds on its calls, and lifting them (C6)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from denwa.cli.desk import at_the_keyboard, office, phone_number, utc_now
from denwa.cli.limits_feed import OWN_LIMITS
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


_MOST = 1_000_000_000


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
        store = SqlLimits(here.engine)
        holds, its_own = store.all_holds(own.e164), store.own().get(own.e164, {})
    spent = _spent(settings, own.e164)
    bounds = {key: getattr(settings.limits, key) for key in OWN_LIMITS} | its_own
    if as_json:
        values: dict[str, Any] = {"number": own.national(), "limits": bounds, "own": sorted(its_own), "spent": spent}
        click.echo(json.dumps(values | {"holds": [_fields(row) for row in holds]}, ensure_ascii=False, indent=1))
        return
    click.echo(own.grouped())
    if spent is None:
        click.echo("the service does not run: what is spent is not known here", err=True)
    for key, name in _SPENT.items():
        used = f"{spent[key]} 円" if spent is not None else "-"
        most = f" / {bounds[key]} 円" if bounds.get(key) else ""
        click.echo(f"{name:<24} {used}{most}")
    for key in OWN_LIMITS:
        mark = "  個別 of its own" if key in its_own else ""
        click.echo(f"{key:<24} {bounds[key] or 'なし none'}{mark}")
    for row in holds:
        click.echo(_line(row))


@limits.command("set")
@click.argument("number")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE …")
@click.pass_context
def set_(ctx: click.Context, number: str, values: tuple[str, ...]) -> None:
    """Give a subscriber limits of its own: calls_per_subscriber, new_calls_per_minute, call_seconds, day_yen,
    month_yen, international_day_yen. `default`: the service's again; 0: no limit (of seconds and yen)."""
    own = phone_number(number)
    wanted = dict(_own_limit(value) for value in values)
    settings = settings_of(ctx)
    with office(settings) as here:
        here.desk.find(own.e164)
        SqlLimits(here.engine).set_own(own.e164, wanted, utc_now(), here.who)
        with here.desk.store.changing(here.who, utc_now()) as unit:
            shown = ", ".join(f"{key}={'default' if value is None else value}" for key, value in wanted.items())
            unit.log([own.e164], f"own limits: {shown}")
        take_up(settings)
    click.echo(f"{own.grouped()} {shown} ({at_the_keyboard()})")


def _own_limit(text: str) -> tuple[str, int | None]:
    """`key=value`. Raises BadParameter."""
    key, _, value = text.partition("=")
    if key not in OWN_LIMITS:
        raise click.BadParameter(f"{key!r} is none of {', '.join(OWN_LIMITS)}")
    if value == "default":
        return key, None
    least = 1 if key in ("calls_per_subscriber", "new_calls_per_minute") else 0
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= _MOST:
        raise click.BadParameter(f"{key}: {value!r} is no whole number from {least} to {_MOST}, and not default")
    return key, int(value)


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
