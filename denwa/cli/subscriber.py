"""`denwa subscriber`: add, list, show, set, suspend, resume, terminate, import."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from denwa.cli.desk import Office, office, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.contracts.desk import TOKYO, Application
from denwa.contracts.import_file import read_rows
from denwa.contracts.intake import take_in
from denwa.contracts.preferences import KEYS
from denwa.contracts.subscriber import Act, Forward, State, Subscriber
from denwa.numbering import PhoneNumber

PASSWORD_KEY = "sip_password"


@click.group()
def subscriber() -> None:
    """Subscribers: one contract, one 050 number each."""


@subscriber.command()
@click.option("--name", required=True)
@click.option("--mail", required=True, help="mail address, for My Page and notices")
@click.option("--number", help="a number of the own ranges; by default the next in order")
@click.option("--sip-password", default="", help="by default generated")
@click.option("--password", default="", help="My Page password; by default none is set")
@click.option("--bill-day", type=click.IntRange(1, 28), default=1, show_default=True)
@click.option("--profile", default="", help="operator profile")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    mail: str,
    number: str | None,
    sip_password: str,
    password: str,
    bill_day: int,
    profile: str,
    as_json: bool,
) -> None:
    """A new subscriber; prints number, SIP account and SIP password."""
    own = phone_number(number).e164 if number else ""
    application = Application(name, mail, own, sip_password, password, bill_day, profile)
    with office(settings_of(ctx)) as here:
        added, secret = here.desk.add(application, here.who, utc_now())
        here.announce()
        domain = here.settings.sip.domains[0]
    number_of = PhoneNumber(added.number)
    if as_json:
        values = {"number": number_of.national(), "account": added.account, PASSWORD_KEY: secret, "domain": domain}
        click.echo(json.dumps(values))
    else:
        click.echo(f"number        {number_of.grouped()}\nSIP account   {added.account}\nSIP password  {secret}")
        click.echo(f"SIP domain    {domain}")


@subscriber.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, state: str | None, as_json: bool) -> None:
    """Subscribers by number."""
    with office(settings_of(ctx)) as here:
        found = here.desk.store.each(State(state) if state else None)
        if as_json:
            _echo_array(_described(one) for one in found)
            return
        for one in found:
            number = PhoneNumber(one.number).grouped()
            click.echo(f"{number}  {one.account}  {one.state:<10}  {one.mail:<30}  {one.name}".rstrip())


@subscriber.command()
@click.argument("number")
@click.option("--show-password", is_flag=True, help="also the SIP password")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, number: str, show_password: bool, as_json: bool) -> None:
    """Everything about one subscriber."""
    with office(settings_of(ctx)) as here:
        found = here.desk.find(phone_number(number).e164)
        values = _described(found)
        values["blocked_numbers"] = len(here.desk.store.blocked(found.number))
        if show_password:
            values[PASSWORD_KEY] = here.desk.sip_password(found)
        log = here.desk.store.changes(found.number)
    if as_json:
        values["changes"] = [
            {"at": one.at.astimezone(TOKYO).isoformat(), "who": one.who, "what": one.what} for one in log
        ]
        click.echo(json.dumps(values, ensure_ascii=False))
        return
    values["number"] = PhoneNumber(found.number).grouped()
    values["forward"] = _forward_text(found.forward, grouped=True)
    for key, value in values.items():
        text = ("on" if value else "off") if isinstance(value, bool) else "" if value is None else str(value)
        click.echo(f"{key:<18}  {text}".rstrip())
    for one in log:
        click.echo(f"{one.at.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}  {one.what} ({one.who})")


@subscriber.command("set", epilog=f"Keys: {', '.join(KEYS)}, {PASSWORD_KEY}=generate")
@click.argument("number")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.pass_context
def set_(ctx: click.Context, number: str, settings: tuple[str, ...]) -> None:
    """Change settings, all or none; in force in a running service when the command returns."""
    own = phone_number(number).e164
    values: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or key in values:
            raise click.UsageError(f"{text!r}: " + ("given twice" if key in values else "KEY=VALUE expected"))
        values[key] = value
    renew = values.pop(PASSWORD_KEY, None)
    if renew not in (None, "generate"):
        raise click.UsageError(f"{PASSWORD_KEY}: only 'generate'")
    with office(settings_of(ctx)) as here:
        secret = here.desk.new_sip_password() if renew else ""
        here.desk.change(own, values, here.who, utc_now(), sip_password=secret)
        here.announce()
    if secret:
        click.echo(f"SIP password  {secret}")


def _act(act: Act, doc: str) -> None:
    @subscriber.command(str(act), help=doc)
    @click.argument("number")
    @click.pass_context
    def command(ctx: click.Context, number: str) -> None:
        with office(settings_of(ctx)) as here:
            moved = here.desk.move(phone_number(number).e164, act, here.who, utc_now())
            here.announce()
        click.echo(f"{PhoneNumber(moved.number).grouped()} {moved.state}")


_act(Act.SUSPEND, "No outgoing calls until resumed.")
_act(Act.RESUME, "End a suspension.")
_act(Act.TERMINATE, "End the contract for good; its number is never given again.")


@subscriber.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def import_(ctx: click.Context, file: Path) -> None:
    """Add the subscribers of a CSV file: number,sip_password,name,mail,web_password,bill_day (only number must be set).

    Good rows are imported; every bad row is reported with its line, and the exit code is then 1.
    """
    with office(settings_of(ctx)) as here:
        added, bad = _import(here, file)
        here.announce()
    click.echo(f"{added} imported")
    if bad:
        raise StateError(f"{file}: {bad} rows not imported")


def _import(here: Office, file: Path) -> tuple[int, int]:
    added = bad = 0
    with (
        file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines,
        ThreadPoolExecutor(os.cpu_count()) as executor,
    ):
        for count, faults in take_in(here.desk, read_rows(lines), here.who, utc_now, executor):
            added += count
            bad += len(faults)
            for fault in faults:
                click.echo(f"{file}:{fault.line}: {fault.problem}", err=True)
    return added, bad


def _described(one: Subscriber) -> dict[str, Any]:
    """A subscriber for `--json`: numbers as dialled in Japan, times in Japan's, no secret."""
    ended = one.ended_at
    return {
        "number": PhoneNumber(one.number).national(),
        "account": one.account,
        "name": one.name,
        "mail": one.mail,
        "state": str(one.state),
        "service_start": one.service_start.astimezone(TOKYO).isoformat(timespec="milliseconds"),
        "ended_at": ended.astimezone(TOKYO).isoformat(timespec="milliseconds") if ended else None,
        "bill_day": one.bill_day,
        "profile": one.profile,
        "ring_time": one.ring_time,
        "voicemail": one.voicemail,
        "mail_notice": str(one.mail_notice),
        "delete_after_mail": one.delete_after_mail,
        "forward": _forward_text(one.forward, grouped=False),
        "reject_anonymous": one.reject_anonymous,
        "international": one.international,
        "codecs": str(one.codecs),
    }


def _forward_text(forward: Forward, *, grouped: bool) -> str:
    if not forward.target:
        return str(forward.mode)
    target = PhoneNumber(forward.target)
    return f"{forward.mode}:{target.grouped() if grouped else target.national()}"


def _echo_array(values: Any) -> None:
    first = True
    for value in values:
        click.echo(("[" if first else ",\n ") + json.dumps(value, ensure_ascii=False), nl=False)
        first = False
    click.echo("[]" if first else "]")
