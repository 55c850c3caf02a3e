"""`denwa adjust`: what a contract owes or gets beside its calls, computed with its working, posted into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from denwa.cli.adjust_desk import AdjustDesk, Intent, adjust_desk, named_numbers
from denwa.cli.calls import Moment
from denwa.cli.day_arguments import DAY
from denwa.cli.desk import at_the_keyboard, phone_number
from denwa.cli.main import settings_of
from denwa.cli.number_fee_posting import NUMBER_FEE, NUMBER_FEE_REASON
from denwa.cli.rating_desk import month_name, now_ms
from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.arithmetic.computed import computed
from denwa.rating.arithmetic.evasion import evaded_charge, surcharge
from denwa.rating.billing_month import TOKYO, billing_month_named, billing_month_of, midnight_ms, tokyo_day
from denwa.rating.contract_adjustments import Draft
from denwa.rating.tariff import TaxClass
from denwa.storage.card_numbers import numbers_by_card
from denwa.storage.columns import to_millis

_YEN = click.IntRange(min=0)


def _months(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(month_name(ctx, param, value) for value in values)


def _month(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return month_name(ctx, param, value) if value else None


def _options(command: Callable[..., Any], decorators: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    for decorate in decorators:
        command = decorate(command)
    return command


def _intended(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every adjustment."""
    decorators = [
        click.option("--json", "as_json", is_flag=True),
        click.option("--dry-run", is_flag=True, help="show the working; write nothing"),
        click.option("--who", default=None, help="who decides it; else the name of the login"),
        click.option("--reference", default=None, help="what was decided; posted twice under one name it counts once"),
        click.option("--reason", required=True, help="why; on the bill and in the ledger"),
    ]
    return _options(command, decorators)


def _for_many(command: Callable[..., Any]) -> Callable[..., Any]:
    """NUMBER…, a file of numbers, or everyone."""
    decorators = [
        click.option("--all", "everyone", is_flag=True, help="every contract of that time"),
        click.option(
            "--numbers-from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="one a line"
        ),
        click.argument("numbers", metavar="[NUMBER]...", nargs=-1),
    ]
    return _options(command, decorators)


def _intent(kind: AdjustmentKind, default: str, given: dict[str, Any]) -> Intent:
    reference = given["reference"] or default
    who = given["who"] or at_the_keyboard()
    return Intent(kind, reference, given["reason"], who, given["dry_run"], given["as_json"])


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(TOKYO):%Y%m%dT%H%M}"


def _chosen(desk: AdjustDesk, numbers: tuple[str, ...], file: Path | None, everyone: bool, since_ms: int) -> list[str]:
    named = named_numbers(numbers, file)
    if everyone == bool(named):
        raise click.UsageError("name the contracts: NUMBER…, --numbers-from FILE, or --all (not both)")
    return desk.everyone(since_ms) if everyone else named


@click.group()
def adjust() -> None:
    """Charges and credits beside calls (約款 第26, 29条, 料金表), with their working. Amounts in yen, tax excluded."""


@adjust.command()
@_for_many
@click.option("--from", "began", type=Moment(), required=True, help="when the service could not be used any more")
@click.option("--known", type=Moment(), help="when the carrier knew (第29条 1); by default the same")
@click.option("--until", "restored", type=Moment(), required=True, help="when it could be used again")
@click.option("--unknown", multiple=True, callback=_months, metavar="YYYY-MM", help="month with unreliable records")
@_intended
@click.pass_context
def outage(
    ctx: click.Context,
    /,
    numbers: tuple[str, ...],
    file: Path | None,
    everyone: bool,
    began: datetime,
    known: datetime | None,
    restored: datetime,
    unknown: tuple[str, ...],
    **given: Any,
) -> None:
    """T10 障害時の賠償: 24 hours or more in a row, by the daily average of the 6 billing months before (第29条)."""
    known = known or began
    if not began <= known <= restored:
        raise click.UsageError("--from, --known and --until are not in this order")
    intent = _intent(AdjustmentKind.OUTAGE_CREDIT, f"outage-credit:{_when(began)}", given)
    with adjust_desk(settings_of(ctx)) as desk:
        chosen = _chosen(desk, numbers, file, everyone, to_millis(began))
        times = (to_millis(began), to_millis(known), to_millis(restored))
        desk.carry_out(desk.computing.outage(chosen, *times, unknown), intent)


@adjust.command()
@_for_many
@click.option("--from", "first", type=Moment(), required=True, help="calls answered at this time or later")
@click.option("--until", "end", type=Moment(end=True), required=True, help="and before this time; a date is included")
@click.option("--percent", type=click.IntRange(1, 100), default=100, show_default=True, help="how much is waived")
@_intended
@click.pass_context
def waiver(
    ctx: click.Context,
    /,
    numbers: tuple[str, ...],
    file: Path | None,
    everyone: bool,
    first: datetime,
    end: datetime,
    percent: int,
    **given: Any,
) -> None:
    """T12 災害時の減免: charges of a set of contracts and a time (料金表 通則 8).

    It must be announced on the web site (通則 8 注).
    """
    if first >= end:
        raise click.UsageError("--from is not before --until")
    intent = _intent(AdjustmentKind.WAIVER, f"waiver:{_when(first)}-{_when(end)}", given)
    with adjust_desk(settings_of(ctx)) as desk:
        chosen = _chosen(desk, numbers, file, everyone, to_millis(first))
        desk.carry_out(desk.computing.waiver(chosen, to_millis(first), to_millis(end), percent), intent)


@adjust.command("lost-metering")
@_for_many
@click.option("--from", "first", type=DAY, required=True, help="the first day that could not be measured")
@click.option("--to", "last", type=DAY, required=True, help="the last one")
@click.option("--unknown", multiple=True, callback=_months, metavar="YYYY-MM", help="month with unreliable records")
@_intended
@click.pass_context
def lost_metering(
    ctx: click.Context,
    /,
    numbers: tuple[str, ...],
    file: Path | None,
    everyone: bool,
    first: date,
    last: date,
    unknown: tuple[str, ...],
    **given: Any,
) -> None:
    """T9 測定できなかった日の利用料: by the lowest daily average of the 6 billing months before.

    With less history by the fallbacks of 料金表 第1表 第1 1-1 (4).
    """
    today = tokyo_day(now_ms())
    if not first <= last < today:
        raise click.UsageError("--from and --to are not in this order, or not over yet")
    intent = _intent(AdjustmentKind.LOST_METERING, f"lost-metering:{first:%Y%m%d}-{last:%Y%m%d}", given)
    with adjust_desk(settings_of(ctx)) as desk:
        chosen = _chosen(desk, numbers, file, everyone, midnight_ms(first))
        desk.carry_out(desk.computing.lost_metering(chosen, first, last, today, unknown), intent)


@adjust.command()
@click.argument("number")
@click.option("--taxed-yen", type=_YEN, default=0, help="evaded, tax excluded: domestic calls and fees")
@click.option("--exempt-yen", type=_YEN, default=0, help="evaded: calls abroad")
@click.option("--charged", is_flag=True, help="what was evaded is in the ledger already: only the surcharge")
@click.option("--on", "day", type=DAY, help="day of the decision; by default today")
@_intended
@click.pass_context
def evasion(
    ctx: click.Context,
    /,
    number: str,
    taxed_yen: int,
    exempt_yen: int,
    charged: bool,
    day: date | None,
    **given: Any,
) -> None:
    """T11 割増金: what was evaded, and twice of it with tax (第26条)."""
    if not taxed_yen + exempt_yen:
        raise click.UsageError("give --taxed-yen or --exempt-yen")
    own, on = phone_number(number), day or tokyo_day(now_ms())
    intent = _intent(AdjustmentKind.EVASION, f"evasion:{on:%Y%m%d}", given)
    with adjust_desk(settings_of(ctx)) as desk:
        month = billing_month_of(on, desk.terms(own).bill_day)
        drafts = [Draft(own.e164, month, surcharge(taxed_yen + exempt_yen), "surcharge")]
        if not charged:
            drafts.insert(0, Draft(own.e164, month, evaded_charge(taxed_yen, exempt_yen), "charge"))
        desk.carry_out(drafts, intent)


@adjust.command("number-fee")
@click.argument("number", required=False)
@click.option(
    "--all", "everyone", is_flag=True, help="every contract with a payment card; what is posted stays as it is"
)
@click.option("--reason", default=NUMBER_FEE_REASON, show_default=True)
@click.option("--who", default=None, help="who decides it; else the name of the login")
@click.option("--dry-run", is_flag=True, help="show the working; write nothing")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def number_fee(ctx: click.Context, /, number: str | None, everyone: bool, **given: Any) -> None:
    """T7 番号発行手数料: 500 yen for each of the 2nd to 5th number on one payment card, cancelled ones counted.

    The daily step charges it by itself, but for a card that was set or changed after the contract.
    """
    if everyone == bool(number):
        raise click.UsageError("name the contract, or --all")
    intent = _intent(AdjustmentKind.NUMBER_FEE, NUMBER_FEE, given | {"reference": None})
    own = phone_number(number).e164 if number else ""
    with adjust_desk(settings_of(ctx)) as desk:
        if number:
            desk.terms(phone_number(number))
        drafts = desk.computing.number_fees(numbers_by_card(desk.main, own))
        mine = [draft for draft in drafts if own in ("", draft.subscriber)]
        if not mine and not intent.as_json:
            click.echo("支払カードの登録がありません no payment card: no fee")
        desk.carry_out(mine, intent)


@adjust.command()
@click.argument("number")
@click.option("--yen", type=int, required=True, help="tax excluded; positive: the subscriber owes it")
@click.option("--tax", type=click.Choice([str(tax) for tax in TaxClass]), required=True)
@click.option("--month", callback=_month, metavar="YYYY-MM", help="billing month; by default the current one")
@_intended
@click.pass_context
def manual(ctx: click.Context, /, number: str, yen: int, tax: str, month: str | None, **given: Any) -> None:
    """Any other amount, by a person's decision; needs --reference."""
    if not given["reference"]:
        raise click.UsageError("--reference is needed: it names what was decided")
    own = phone_number(number)
    intent = _intent(AdjustmentKind.MANUAL, "", given)
    with adjust_desk(settings_of(ctx)) as desk:
        bill_day = desk.terms(own).bill_day
        period = billing_month_named(month, bill_day) if month else billing_month_of(tokyo_day(now_ms()), bill_day)
        result = computed({TaxClass(tax): yen}, f"{yen:+,} 円 ({given['reason']})")
        desk.carry_out([Draft(own.e164, period, result)], intent)
