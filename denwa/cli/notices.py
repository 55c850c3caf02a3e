"""`denwa notices`: what subscribers were told, and what waits to be given."""

from __future__ import annotations

import json
from datetime import date

import click

from denwa.cli.billing_desk import billing_office, echo_report, notice_fields, report_fields, today
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import phone_number
from denwa.cli.main import StateError, settings_of
from denwa.contracts.billing_run import BillingRun, Report, give_by_hand
from denwa.contracts.notices import NoticeState
from denwa.contracts.ports import ListedNotice
from denwa.numbering import PhoneNumber


@click.group()
def notices() -> None:
    """通知。Notices of suspension, resumption, termination, dormancy (K9)."""


@notices.command("list")
@click.option("--state", type=click.Choice([str(state) for state in NoticeState]))
@click.option("--number", default="", help="to one subscriber")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, state: str | None, number: str, as_json: bool) -> None:
    """Notices in the order in which they were written, and what became of the mail."""
    own = phone_number(number).e164 if number else ""
    with billing_office(settings_of(ctx)) as here:
        found = here.step.store.listed_notices(NoticeState(state) if state else None, own)
    if as_json:
        fields = [notice_fields(one.notice) | {"delivery": one.delivery} for one in found]
        click.echo(json.dumps(fields, ensure_ascii=False, indent=1))
        return
    for one in found:
        notice = one.notice
        given = f"{notice.given_on} {notice.channel} {one.delivery}" if notice.given_on else f"due {notice.due_on}"
        click.echo(
            f"{notice.key:>6}  {PhoneNumber(notice.subscriber).grouped()}  {notice.kind:<11}  {notice.state:<7}"
            f"  {given.rstrip()}  {notice.subject}"
        )


@notices.command()
@click.argument("key", metavar="ID", type=int)
@click.pass_context
def show(ctx: click.Context, key: int) -> None:
    """The text of one notice."""
    with billing_office(settings_of(ctx)) as here:
        one = _find(here.step, key)
    click.echo(f"{one.notice.subject}\n\n{one.notice.text}", nl=False)


@notices.command()
@click.option("--on", "day", type=DAY, help="as if it were this day in Asia/Tokyo; by default today")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def send(ctx: click.Context, day: date | None, as_json: bool) -> None:
    """Hand every notice that is due to the mail now."""
    with billing_office(settings_of(ctx)) as here:
        report = Report(day or today())
        here.step.give(report, here.who, here.now)
    if as_json:
        click.echo(json.dumps(report_fields(report), ensure_ascii=False, indent=1))
    else:
        echo_report(report)


@notices.command()
@click.argument("key", metavar="ID", type=int)
@click.option("--by", "channel", default="letter", show_default=True, help="how: letter, telephone, ...")
@click.option("--on", "day", type=DAY, help="the day; by default today")
@click.pass_context
def given(ctx: click.Context, key: int, channel: str, day: date | None) -> None:
    """Note that a notice was given in another way than by mail."""
    if not channel or not channel.isprintable() or len(channel) > 40 or channel == "mail":
        raise click.UsageError("--by: a word for the way, not mail")
    with billing_office(settings_of(ctx)) as here:
        notice = _find(here.step, key).notice
        if notice.state not in (NoticeState.WAITING, NoticeState.FAILED):
            raise StateError(f"notice {key} is {notice.state}")
        with here.clerk(day or today()) as clerk:
            give_by_hand(clerk, notice, channel)
    click.echo(f"notice {key} given by {channel}")


def _find(step: BillingRun, key: int) -> ListedNotice:
    for one in step.store.listed_notices():
        if one.notice.key == key:
            return one
    raise StateError(f"there is no notice {key}")
