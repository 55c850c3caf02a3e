"""`denwa bill`: the bill of a subscriber's billing month, and the proof of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import Engine

from denwa.cli.calls import national_or_dialled
from denwa.cli.desk import phone_number
from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_data import load_rating_data
from denwa.cli.rating_desk import month_name, now_ms, rated_databases
from denwa.config.settings import Billing, Settings
from denwa.contracts.subscriber import Subscriber
from denwa.numbering import PhoneNumber
from denwa.rating.bill import Heading, bill_of, call_of
from denwa.rating.bill_check import BillFault, differences, faults, read_bill
from denwa.rating.bill_document import Addressee, BillDocument, Issuer
from denwa.rating.bill_text import bill_text
from denwa.rating.billing_month import billing_month_named, midnight_ms, tokyo_day
from denwa.rating.tax import TaxRates
from denwa.storage.columns import to_millis
from denwa.storage.contract_history import SqlContractHistory
from denwa.storage.contracts_store import SqlContractsStore
from denwa.storage.statement_store import SqlStatements


@click.command()
@click.argument("number")
@click.argument("month", metavar="YYYY-MM", callback=month_name)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--calls", "details", is_flag=True, help="also every call with its working")
@click.option(
    "--verify",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="prove a bill in JSON: from its own lines, and from the ledger",
)
@click.pass_context
def bill(
    ctx: click.Context, number: str, month: str, form: str, as_json: bool, details: bool, file: Path | None
) -> None:
    """The bill of the billing month that starts in YYYY-MM. 料金月のご請求書(適格請求書)。"""
    settings = settings_of(ctx)
    own = phone_number(number)
    rates = load_rating_data(settings).tax
    with rated_databases(settings) as (main, journal, _):
        office = _BillingOffice(main, journal, settings, rates)
        if file is not None:
            _verify(office, own, month, file)
            return
        made = office.bill(own, month, details=details)
        _warn(settings, main, own, made)
    if as_json or form == "json":
        click.echo(made.content().decode(), nl=False)
    else:
        click.echo(bill_text(made, own.grouped()), nl=False)


@dataclass(frozen=True, slots=True)
class _BillingOffice:
    main: Engine
    journal: Engine
    settings: Settings
    rates: TaxRates

    def bill(self, own: PhoneNumber, name: str, *, details: bool, like: BillDocument | None = None) -> BillDocument:
        """The bill as the ledger has it now. StateError when there can be none, or it is not what was closed.

        `like`: an earlier one, whose names of issuer and addressee, and day if the month is open, are taken over.
        """
        found = SqlContractsStore(self.main).find(own.e164)
        if found is None:
            raise StateError(f"{own.grouped()} is no subscriber")
        month = billing_month_named(name, found.bill_day)
        if tokyo_day(to_millis(found.service_start)) > month.end:
            raise StateError(f"the contract of {own.grouped()} started after {name} (until {month.end})")
        if now_ms() < midnight_ms(month.start):
            raise StateError(f"the billing month {name} of {own.grouped()} begins on {month.start}")
        calls = SqlContractHistory(self.main, self.journal).billed(found.number, month)
        booked = SqlStatements(self.main).adjustments(month.start, month.start, found.number)
        made = bill_of(
            self._heading(found, name, like),
            month,
            [call_of(call, national_or_dialled(call.callee)) for call in calls],
            [one.adjustment for one in booked],
            self.rates,
            details=details,
        )
        self._check_closed(made, found.number)
        return made

    def _heading(self, found: Subscriber, name: str, like: BillDocument | None) -> Heading:
        """A closed month's bill is of the day on which it was closed, so it is always the same."""
        closed = SqlStatements(self.main).closed(name)
        today = like.issued_on if like else tokyo_day(now_ms())
        return Heading(
            like.issuer if like else issuer_of(self.settings.billing),
            Addressee(name=like.addressee.name if like else found.name, number=PhoneNumber(found.number).national()),
            tokyo_day(closed.closed_at_ms) if closed else today,
            closed is None,
        )

    def _check_closed(self, made: BillDocument, number: str) -> None:
        for kept in SqlStatements(self.main).bills(made.month, number):
            if kept.total_yen != made.totals.total_yen or kept.tax_yen != made.totals.tax_yen:
                raise StateError(
                    f"{made.month} was closed with {kept.total_yen} yen to pay, of which tax {kept.tax_yen}, "
                    f"but the ledger and tax data now give {made.totals.total_yen} and {made.totals.tax_yen}"
                )


def issuer_of(billing: Billing) -> Issuer:
    """K3: who issues the bill, from the settings."""
    return Issuer(
        name=billing.issuer_name,
        registration_number=billing.issuer_registration_number,
        address=billing.issuer_address,
        contact=billing.issuer_contact,
    )


def _warn(settings: Settings, main: Engine, own: PhoneNumber, made: BillDocument) -> None:
    if not settings.billing.issuer_name:
        click.echo("denwa: billing.issuer_name is not set: a bill must name its issuer", err=True)
    unrated = [one for one in SqlStatements(main).problems() if one.subscriber == own.e164]
    if made.provisional and unrated:
        click.echo(f"denwa: {len(unrated)} calls are not rated and not on the bill (denwa month show)", err=True)


def _verify(office: _BillingOffice, own: PhoneNumber, name: str, file: Path) -> None:
    """Exit code 1 and every difference, unless the file is right in itself and what the ledger gives."""
    content = file.read_bytes()
    try:
        found = faults(content, office.rates)
        said = read_bill(content)
    except BillFault as fault:
        raise StateError(f"{file}: {fault}") from None
    right = office.bill(own, name, details=said.calls is not None, like=said)
    found += [f"{one} by the ledger" for one in differences(said, right)]
    for one in found:
        click.echo(f"{file}: {one}", err=True)
    if found:
        raise StateError(f"{file}: the bill does not recompute: {len(found)} differences")
    click.echo(f"{file}: 再計算しても1バイトも違いません。 Recomputes to the byte: {right.totals.total_yen} yen.")
