"""`denwa subscriber`: add, list, show, set, suspend, resume, terminate, import."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import click

from denwa.cli.billing_desk import open_billing, today
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import Office, office, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.contracts.billing_run import Report
from denwa.contracts.desk import TOKYO, Application
from denwa.contracts.import_file import read_rows
from denwa.contracts.intake import take_in
from denwa.contracts.measures import CAUSES, Cause, Measure, MeasureKind, MeasureState, suspension, termination
from denwa.contracts.payment_card import masked
from denwa.contracts.preferences import KEYS
from denwa.contracts.subscriber import Act, Forward, State, Subscriber
from denwa.numbering import PhoneNumber
from denwa.storage.billing_store import SqlBillingStore

PASSWORD_KEY = "sip_password"


def _causes(kind: MeasureKind) -> click.Choice[str]:
    """Unpaid bills suspend by themselves (`denwa billing run`)."""
    causes = [cause for cause in CAUSES[kind] if (kind, cause) != (MeasureKind.SUSPENSION, Cause.UNPAID)]
    return click.Choice([str(cause) for cause in causes])


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
@click.option("--card-token", default="", help="token of the payment card at the payment service, never its number")
@click.option("--sixth-number", is_flag=True, help="give it although the card has had five (約款 第9条 4)")
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
    card_token: str,
    sixth_number: bool,
    as_json: bool,
) -> None:
    """A new subscriber; prints number, SIP account and SIP password."""
    own = phone_number(number).e164 if number else ""
    application = Application(name, mail, own, sip_password, password, bill_day, profile, card_token)
    with office(settings_of(ctx)) as here:
        added, secret = here.desk.add(application, here.who, utc_now(), whatever_the_card=sixth_number)
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
        live = SqlBillingStore(here.engine).listed_measures(found.number, live=True)
        values["measures"] = [_measure_text(measure) for measure in live]
        log = here.desk.store.changes(found.number)
    if as_json:
        values["changes"] = [
            {"at": one.at.astimezone(TOKYO).isoformat(), "who": one.who, "what": one.what} for one in log
        ]
        click.echo(json.dumps(values, ensure_ascii=False))
        return
    values["number"] = PhoneNumber(found.number).grouped()
    values["forward"] = _forward_text(found.forward, grouped=True)
    values["measures"] = "; ".join(values["measures"])
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


@subscriber.command()
@click.argument("number")
@click.option("--reason", type=_causes(MeasureKind.SUSPENSION), default=str(Cause.REQUEST), show_default=True)
@click.option("--from", "from_day", type=DAY, help="announce it for this day; by default it begins at once")
@click.option("--until", "until_day", type=DAY, help="last day; by default, and at most, six months")
@click.pass_context
def suspend(ctx: click.Context, number: str, reason: str, from_day: date | None, until_day: date | None) -> None:
    """No outgoing calls until resumed. The subscriber is told cause, day and period (約款 第17条)."""
    own = phone_number(number).e164
    _check_ahead(from_day)
    with office(settings_of(ctx)) as here:
        measure = suspension(own, Cause(reason), from_day or today(), until_day)
        measure = here.desk.announce(measure, here.who, utc_now(), at_once=from_day is None)
        tell_of_notices(here, own)
        here.announce()
    _echo_measure(measure, State.SUSPENDED)


@subscriber.command()
@click.argument("number")
@click.pass_context
def resume(ctx: click.Context, number: str) -> None:
    """End every suspension."""
    _move(ctx, number, Act.RESUME)


@subscriber.command()
@click.argument("number")
@click.option("--reason", type=_causes(MeasureKind.TERMINATION), help="the operator's, to be announced with --from")
@click.option("--from", "from_day", type=DAY, help="announce it for this day (約款 第13条 4)")
@click.pass_context
def terminate(ctx: click.Context, number: str, reason: str | None, from_day: date | None) -> None:
    """End the contract for good; its number is never given again. At once, unless it is announced."""
    if (reason is None) != (from_day is None):
        raise click.UsageError("--reason and --from go together: a termination by the operator is announced")
    if reason is None or from_day is None:
        _move(ctx, number, Act.TERMINATE)
        return
    own = phone_number(number).e164
    _check_ahead(from_day)
    with office(settings_of(ctx)) as here:
        measure = here.desk.announce(termination(own, Cause(reason), from_day), here.who, utc_now())
        tell_of_notices(here, own)
    _echo_measure(measure, State.TERMINATED)


def _move(ctx: click.Context, number: str, act: Act) -> None:
    with office(settings_of(ctx)) as here:
        moved = here.desk.move(phone_number(number).e164, act, here.who, utc_now())
        tell_of_notices(here, moved.number)
        here.announce()
    click.echo(f"{PhoneNumber(moved.number).grouped()} {moved.state}")


def tell_of_notices(here: Office, number: str) -> None:
    """Hand the notice of what was just done to the mail, and say so when somebody must give it in another way."""
    report = Report(today())
    open_billing(here.engine, here.settings).give(report, here.who, utc_now())
    for notice in (one for one in report.by_letter if one.subscriber == number):
        click.echo(f"denwa: notice {notice.key} cannot go by mail: {notice.subject}", err=True)


def _check_ahead(from_day: date | None) -> None:
    if from_day is not None and from_day <= today():
        raise click.UsageError(f"--from: {from_day} is not ahead, and the subscriber is told before (K9)")


def _echo_measure(measure: Measure, state: State) -> None:
    number = PhoneNumber(measure.subscriber).grouped()
    if measure.state is MeasureState.ANNOUNCED:
        click.echo(f"{number} {measure.kind} from {measure.from_day} announced (measure {measure.key})")
    else:
        click.echo(f"{number} {state}")


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
        "priority": one.priority,
        "language": str(one.language),
        "card": masked(one.card_token),
    }


def _measure_text(measure: Measure) -> str:
    until = measure.until_day or ("paid" if measure.month else "resumed")
    return f"{measure.kind} {measure.cause} {measure.month}".rstrip() + f" {measure.from_day} until {until}"


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
