"""`denwa ledger`: trial balance, corrections of calls, adjustments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from denwa.cli.desk import at_the_keyboard, numbering_plan, phone_number
from denwa.cli.ledger_output import (
    adjustment_fields,
    balance_fields,
    posting_fields,
    posting_text,
    print_adjustments,
    print_balance,
)
from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_desk import LedgerDesk, ledger_desk, month_name, national, now_ms
from denwa.config.settings import Settings
from denwa.numbering import NumberClass
from denwa.rating.billing_month import billing_month_named, tokyo_day
from denwa.rating.charge import NETWORK_FAULT
from denwa.rating.correct_calls import Because
from denwa.rating.ledger import Posting
from denwa.rating.ports import CHARGED_LEGS, EndedCall, FoundCall
from denwa.rating.tariff import PRICED_CLASSES
from denwa.rating.trial_balance import trial_balance

_EVER = ("1970-01", "8999-12")


@click.group()
def ledger() -> None:
    """The ledger (元帳): trial balance, corrections, adjustments. Amounts in yen, tax excluded."""


@ledger.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def balance(ctx: click.Context, as_json: bool) -> None:
    """Trial balance (試算表): every account, and whether everything agrees; exit code 1 if not."""
    with ledger_desk(settings_of(ctx)) as desk:
        shown = trial_balance(desk.ending, desk.books)
    if as_json:
        click.echo(json.dumps(balance_fields(shown), ensure_ascii=False, indent=2))
    else:
        print_balance(shown)
    if shown.differences:
        raise StateError("\n".join([*shown.differences, f"{len(shown.differences)} differences found"]))


@ledger.command()
@click.argument("call_id", metavar="CALL-ID")
@click.option("--leg", type=click.Choice(CHARGED_LEGS), default=None)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, call_id: str, leg: str | None, as_json: bool) -> None:
    """Every posting of a call, with its working, who corrected it, and why."""
    with ledger_desk(settings_of(ctx)) as desk:
        found = _found(desk, call_id, leg)
        lines = [
            posting_fields(posting) | {"who": why.who if why else "", "reason": why.reason if why else ""}
            for call in found
            for posting, why in desk.books.history(call.call.record_id)
        ]
    if as_json:
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        return
    for line in lines:
        by = f" ({line['who']}: {line['reason']})" if line["who"] else ""
        click.echo(f"{posting_text(line)}{by}")


def _correction(command: Any) -> Any:
    """The arguments that `reverse` and `rerate` share."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True),
        click.option("--dry-run", is_flag=True, help="show what would be posted; write nothing"),
        click.option("--who", default=None, help="who decides it; else the name of the login"),
        click.option("--reason", required=True, help="why; kept in the ledger"),
        click.option("--leg", type=click.Choice(CHARGED_LEGS), default=None, help="when the call has two legs"),
        click.argument("call_id", metavar="CALL-ID"),
    ):
        command = decorate(command)
    return command


@ledger.command()
@_correction
@click.pass_context
def reverse(
    ctx: click.Context, call_id: str, leg: str | None, reason: str, who: str | None, dry_run: bool, as_json: bool
) -> None:
    """Take back what a call was charged (赤伝). A closed month stays; the correction goes to the next open one."""
    with ledger_desk(settings_of(ctx)) as desk:
        call = _the_only(desk, call_id, leg)
        because = Because(who or at_the_keyboard(), reason)
        made = desk.corrector.reverse(call.call.record_id, because, now_ms(), post=not dry_run)
    _tell(made, dry_run, as_json)


@ledger.command()
@_correction
@click.option("--class", "number_class", type=click.Choice(PRICED_CLASSES), help="else by the number plan in force")
@click.option("--duration-ms", type=click.IntRange(min=0), help="the measured time that is right")
@click.option("--fault", is_flag=True, help="the service's own fault cut the call (unfinished units do not count)")
@click.pass_context
def rerate(
    ctx: click.Context,
    call_id: str,
    leg: str | None,
    reason: str,
    who: str | None,
    dry_run: bool,
    as_json: bool,
    number_class: str | None,
    duration_ms: int | None,
    fault: bool,
) -> None:
    """Charge a call anew with the data that are right now (赤黒): tariff, number plan, contract, and what is named.

    A call that could not be rated is rated.
    """
    settings = settings_of(ctx)
    with ledger_desk(settings) as desk:
        found = _the_only(desk, call_id, leg)
        right = found.call._replace(number_class=number_class or _class_now(settings, found))
        if duration_ms is not None:
            right = right._replace(duration_ms=duration_ms)
        if fault:
            right = right._replace(end_cause=NETWORK_FAULT)
        because = Because(who or at_the_keyboard(), reason)
        made = desk.corrector.rerate(right, because, now_ms(), post=not dry_run)
    _tell(made, dry_run, as_json)


@ledger.command()
@click.option("--subscriber", help="only this subscriber's")
@click.option("--month", metavar="YYYY-MM", callback=lambda c, p, v: month_name(c, p, v) if v else v)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def adjustments(ctx: click.Context, subscriber: str | None, month: str | None, as_json: bool) -> None:
    """What was posted without a call: fees, credits, interest, waivers; by the month it is billed in."""
    number = phone_number(subscriber).e164 if subscriber else ""
    first, last = (billing_month_named(name, 1) for name in ((month, month) if month else _EVER))
    with ledger_desk(settings_of(ctx)) as desk:
        found = desk.statements.adjustments(first.start, last.end, number)
    if as_json:
        click.echo(json.dumps([adjustment_fields(booked) for booked in found], ensure_ascii=False, indent=2))
    elif found:
        print_adjustments(found)
    else:
        click.echo("調整はありません。 No adjustments.")


@ledger.command("take-back")
@click.argument("reference")
@click.option("--reason", required=True, help="why; kept in the ledger")
@click.option("--who", default=None, help="who decides it; else the name of the login")
@click.pass_context
def take_back(ctx: click.Context, reference: str, reason: str, who: str | None) -> None:
    """Take an adjustment back in full, in its month or the next open one."""
    with ledger_desk(settings_of(ctx)) as desk:
        posted = desk.adjuster.take_back(reference, reason=reason, who=who or at_the_keyboard(), now_ms=now_ms())
    one = posted.adjustment
    again = "" if posted.new else " (取消済み was taken back before)"
    click.echo(f"{one.reference}: {one.yen} yen, {national(one.subscriber)}, {one.month.name}{again}")


def _found(desk: LedgerDesk, call_id: str, leg: str | None) -> Sequence[FoundCall]:
    found = desk.ending.journal.find(call_id, leg or "")
    if not found:
        raise StateError(f"{call_id}: there is no ended call of that name that is charged")
    return found


def _the_only(desk: LedgerDesk, call_id: str, leg: str | None) -> FoundCall:
    found = _found(desk, call_id, leg)
    if len(found) > 1:
        legs = ", ".join(f"--leg {one.call.leg} ({national(one.call.subscriber)})" for one in found)
        raise StateError(f"{call_id}: several calls have that name: {legs}")
    return found[0]


def _class_now(settings: Settings, found: FoundCall) -> str:
    """By the number plan as it is now; what the plan refuses was carried all the same, and keeps its class."""
    call: EndedCall = found.call
    read = numbering_plan(settings).class_of(found.callee, tokyo_day(call.answered_ms))
    return read.value if isinstance(read, NumberClass) else call.number_class


def _tell(made: Sequence[Posting], dry_run: bool, as_json: bool) -> None:
    lines = [posting_fields(posting) for posting in made]
    if as_json:
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
    elif not lines:
        click.echo("変更なし nothing changes: it is charged so already")
    else:
        for line in lines:
            click.echo(posting_text(line))
        if dry_run:
            click.echo("記帳していません not posted (--dry-run)")
