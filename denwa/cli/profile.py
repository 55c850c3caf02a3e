"""`denwa profile`: operator profiles (L4), and what their terms come to, with the working."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import click

from denwa.cli.day_arguments import DAY, MONTH
from denwa.cli.desk import refusals, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.cli.profile_answers import month_lines, month_rows, tell
from denwa.config.settings import ConfigurationError
from denwa.contracts.desk import TOKYO
from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.description import described
from denwa.contracts.profiles.files import ProfileFault, load_profile, profile_names
from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.outage import outage_credit
from denwa.contracts.profiles.payments import billed_in, evasion_surcharge, fee_total, payment_fee, suspension_after
from denwa.contracts.profiles.recurring import (
    Use,
    benefit_from,
    option_charges,
    plan_charges,
    year_charges,
)
from denwa.contracts.profiles.schema import Profile
from denwa.contracts.profiles.withdrawal import cancellation, last_day


class _Use(click.ParamType[Use]):
    name = "DAY[:DAY]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Use:
        if isinstance(value, Use):
            return value
        begun, colon, ended = value.partition(":")
        return Use(DAY.convert(begun, param, ctx), DAY.convert(ended, param, ctx) if colon else None)


_YEN = click.IntRange(0, 100_000_000)
_json = click.option("--json", "as_json", is_flag=True, help="machine-readable")
_monthly = click.option("--monthly", type=_YEN, help="basic fee a month in yen, where the document does not give it")
_through = click.option("--through", type=MONTH, help="last month to compute (YYYY-MM)")


@click.group()
def profile() -> None:
    """Terms of providers as data. 事業者ごとの約款の計算 (締め日、手数料、延滞利息、オプション)。"""


@profile.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """The profiles there are."""
    directory = settings_of(ctx).billing.profile_directory
    found = [_loaded(ctx, name) for name in profile_names(directory)]
    if as_json:
        click.echo(json.dumps([_head(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        ends = f" ～ {one.ends}" if one.ends else ""
        click.echo(f"{one.name:<16}  {one.valid_from}{ends}  {one.title} ({one.operator}、{one.source})")


@profile.command()
@click.argument("name")
@_json
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Every rule of a profile."""
    found = _loaded(ctx, name)
    if as_json:
        click.echo(found.model_dump_json(by_alias=True))
        return
    ends = f"、{found.ends} に終了" if found.ends else ""
    click.echo(f"{found.title} [{found.name}] {found.operator}\n{found.source}、{found.valid_from} から{ends}")
    heading = ""
    for title, text in described(found):
        if title != heading:
            click.echo(f"\n{title}")
            heading = title
        click.echo(f"  {text}")


@profile.command()
@click.argument("name")
@click.option("--on", "notice", type=DAY, required=True, help="day on which the notice was received")
@click.option("--plan", default="", help="for this plan")
@click.option("--begun", type=DAY, help="day of the contract: also computes the cancellation charge")
@click.option("--months", type=click.IntRange(1, 60), help="months of the term, where the plan decides")
@click.option("--charge", type=_YEN, help="cancellation charge in yen, where the plan decides")
@_monthly
@_json
@click.pass_context
def withdraw(
    ctx: click.Context,
    name: str,
    notice: date,
    plan: str,
    begun: date | None,
    months: int | None,
    charge: int | None,
    monthly: int | None,
    as_json: bool,
) -> None:
    """The last day of a contract that is left, and what that costs. 退会・解約の日と契約解除料。"""
    with _terms(ctx, name) as terms:
        if begun is None:
            last = last_day(terms, notice, plan)
            tell(last.working, {"last_day": last.day, "last_month": last.last_month}, as_json)
        else:
            left = cancellation(terms, begun, notice, plan, months=months, charge_yen=charge, monthly_yen=monthly)
            values = {"last_day": left.last_day, "last_month": CalendarMonth.of(left.last_day)}
            tell(left.working, {**values, "charge_yen": left.charge_yen}, as_json)


@profile.command()
@click.argument("name")
@click.option("--yen", type=_YEN, required=True, help="what is owed")
@click.option("--due", type=DAY, required=True)
@click.option("--paid", type=DAY, required=True)
@click.option("--debt", default="service", show_default=True, help="kind of debt")
@_json
@click.pass_context
def interest(ctx: click.Context, name: str, yen: int, due: date, paid: date, debt: str, as_json: bool) -> None:
    """Interest on a late payment. 延滞利息。"""
    with _terms(ctx, name) as terms:
        found = late_interest(terms, yen, due, paid, debt)
    tell(found.working, {"days": found.days, "interest_yen": found.yen}, as_json)


@profile.command()
@click.argument("name")
@click.argument("option_id", metavar="OPTION")
@click.option("--use", "uses", type=_Use(), multiple=True, required=True, help="from DAY, until the day of the notice")
@click.option("--units", type=click.IntRange(1), default=1, show_default=True)
@_through
@_json
@click.pass_context
def option(
    ctx: click.Context,
    name: str,
    option_id: str,
    uses: tuple[Use, ...],
    units: int,
    through: CalendarMonth | None,
    as_json: bool,
) -> None:
    """Fees of an option month by month, also when it is subscribed to again. オプションの料金。"""
    with _terms(ctx, name) as terms:
        bill = option_charges(terms, option_id, uses, through or _until(uses), units)
        benefit = benefit_from(terms, option_id, uses[-1].begun)
    ended = [str(day) if day else None for day in bill.ends]
    values = {"total_yen": bill.total_yen, "ends": ended, "benefit_from": benefit}
    tell(month_lines(bill.charges), values, as_json, month_rows(bill.charges))


@profile.command()
@click.argument("name")
@click.argument("plan_id", metavar="PLAN")
@click.option("--use", type=_Use(), required=True, help="from DAY, until the contract's last day")
@click.option("--yearly", is_flag=True, help="paid by the year")
@_monthly
@_through
@_json
@click.pass_context
def plan(
    ctx: click.Context,
    name: str,
    plan_id: str,
    use: Use,
    yearly: bool,
    monthly: int | None,
    through: CalendarMonth | None,
    as_json: bool,
) -> None:
    """Fees of a plan month by month, or by the year (options too). プランの料金。"""
    until = through or _until([use])
    with _terms(ctx, name) as terms:
        if yearly:
            years = year_charges(terms, plan_id, use, until)
            working = [f"{year.first} に前払い: {year.first} から {year.last} まで {year.yen}円" for year in years]
            rows = [{"month": str(year.first), "through": str(year.last), "yen": year.yen} for year in years]
            total = sum(year.yen for year in years)
        else:
            charges = plan_charges(terms, plan_id, use, until, monthly)
            working, rows = month_lines(charges), month_rows(charges)
            total = sum(charge.yen for charge in charges)
    tell(working, {"total_yen": total}, as_json, rows)


@profile.command()
@click.argument("name")
@click.argument("method")
@click.option("--month", type=MONTH, required=True, help="month of the payment (YYYY-MM)")
@click.option("--payments", type=click.IntRange(0, 1000), default=1, show_default=True)
@_json
@click.pass_context
def payment(ctx: click.Context, name: str, method: str, month: CalendarMonth, payments: int, as_json: bool) -> None:
    """Fee and day of a way to pay. 支払方法の手数料と引き落とし日。"""
    with _terms(ctx, name) as terms:
        found = payment_fee(terms, method, month, payments)
    tell(found.working, {"fee_yen": found.fee_yen, "debit_on": found.debit_on}, as_json)


@profile.command()
@click.argument("name")
@click.argument("item")
@click.option("--month", type=MONTH, required=True, help="month of use (YYYY-MM)")
@_json
@click.pass_context
def billed(ctx: click.Context, name: str, item: str, month: CalendarMonth, as_json: bool) -> None:
    """The month in which something used is billed. 請求月。"""
    with _terms(ctx, name) as terms:
        found = billed_in(terms, item, month)
    tell([f"{item}: {month} の利用分"], {"billed_in": found}, as_json)


@profile.command()
@click.argument("name")
@click.option("--hours", type=click.IntRange(0, 100_000), required=True, help="whole hours in a row without service")
@click.option("--monthly", type=_YEN, required=True, help="basic fee of the month in yen")
@click.option("--on", "began", type=DAY, required=True, help="day on which it began")
@_json
@click.pass_context
def outage(ctx: click.Context, name: str, hours: int, monthly: int, began: date, as_json: bool) -> None:
    """Credit for an outage. 利用不能のときの賠償。"""
    with _terms(ctx, name) as terms:
        found = outage_credit(terms, hours, monthly, began)
    tell(found.working, {"days": found.days, "credit_yen": found.yen}, as_json)


@profile.command()
@click.argument("name")
@click.argument("fees", nargs=-1, required=True, metavar="FEE[=COUNT]...")
@click.option("--on", "day", type=DAY, required=True)
@_json
@click.pass_context
def fees(ctx: click.Context, name: str, fees: tuple[str, ...], day: date, as_json: bool) -> None:
    """The sum of fees for things done once. 工事費、手数料などの合計。"""
    counts: dict[str, int] = {}
    for text in fees:
        fee, equals, count = text.partition("=")
        if equals and not (count.isascii() and count.isdigit() and len(count) < 7):
            raise click.UsageError(f"{text!r}: FEE=COUNT expected")
        counts[fee] = counts.get(fee, 0) + (int(count) if equals else 1)
    with _terms(ctx, name) as terms:
        total = fee_total(terms, counts, day)
    tell(total.working, {"total_yen": total.yen, "tax_included_yen": total.tax_included_yen}, as_json)


@profile.command()
@click.argument("name")
@click.option("--yen", type=_YEN, required=True, help="the charge that was evaded, without tax")
@click.option("--tax", type=click.IntRange(0, 100), required=True, help="rate of the consumption tax in percent")
@click.option("--on", "day", type=DAY, required=True)
@_json
@click.pass_context
def surcharge(ctx: click.Context, name: str, yen: int, tax: int, day: date, as_json: bool) -> None:
    """What evading a charge costs besides that charge. 割増金。"""
    with _terms(ctx, name) as terms:
        found = evasion_surcharge(terms, yen, tax, day)
    tell(found.working, {"surcharge_yen": found.yen, "tax_yen": found.tax_yen}, as_json)


@profile.command()
@click.argument("name")
@click.option("--on", "demanded", type=DAY, required=True, help="day of the demand")
@_json
@click.pass_context
def dunning(ctx: click.Context, name: str, demanded: date, as_json: bool) -> None:
    """The first day on which an unpaid debt suspends the service. 催告の期間。"""
    with _terms(ctx, name) as terms:
        found = suspension_after(terms, demanded)
    tell(found.working, {"suspended_from": found.day}, as_json)


@contextmanager
def _terms(ctx: click.Context, name: str) -> Iterator[Profile]:
    """The profile; a question that it does not answer ends with exit code 1."""
    try:
        yield _loaded(ctx, name)
    except NoRuleError as fault:
        raise StateError(str(fault)) from None


def _loaded(ctx: click.Context, name: str) -> Profile:
    with refusals():
        try:
            return load_profile(settings_of(ctx).billing.profile_directory, name)
        except ProfileFault as fault:
            raise ConfigurationError(str(fault)) from None


def _head(one: Profile) -> dict[str, object]:
    return one.model_dump(mode="json", include={"name", "title", "operator", "source", "valid_from", "ends"})


def _until(uses: Sequence[Use]) -> CalendarMonth:
    """The month of the last end; when it goes on, this month (the first month, if that is later)."""
    last = uses[-1]
    return CalendarMonth.of(last.ended or max(utc_now().astimezone(TOKYO).date(), last.begun))
