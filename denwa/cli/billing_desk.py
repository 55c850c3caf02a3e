"""Joins the billing life of contracts to the rating's rules and ledger, the mail and the databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

import click
from sqlalchemy import Engine

from denwa.cli.desk import announce, at_the_keyboard, databases, refusals, utc_now
from denwa.cli.main import StateError
from denwa.cli.number_fee_posting import NumberFeePosting
from denwa.cli.profile_interest import InterestByProfile
from denwa.config.settings import Settings
from denwa.contracts.billing_life import Bill, Policy
from denwa.contracts.billing_run import BillingRun, Report
from denwa.contracts.desk import TOKYO
from denwa.contracts.dormancy import QuietContract
from denwa.contracts.notices import Notice
from denwa.contracts.standing import Clerk
from denwa.numbering import PhoneNumber
from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import Adjustment, AdjustmentKind, AdjustmentRefusal
from denwa.rating.arithmetic.dormancy import dormancy
from denwa.rating.billing_month import billing_month_of
from denwa.rating.tariff import TaxClass
from denwa.storage.billing_store import SqlBillingStore
from denwa.storage.columns import to_millis
from denwa.storage.contracts_store import SqlContractsStore
from denwa.storage.rating_accounts import SqlAccounts
from denwa.storage.rating_store import SqlLedger


@dataclass(frozen=True, slots=True)
class InterestPosting:
    """Late interest as an adjustment of the ledger (port `InterestLedger`), billed in the month of the payment."""

    adjuster: Adjuster

    def __call__(self, bill: Bill, yen: int, working: str, who: str, now: datetime) -> None:
        assert bill.paid_on is not None  # interest is known once the bill is paid
        adjustment = Adjustment(
            reference=f"late-interest:{bill.subscriber}:{bill.month}",
            kind=AdjustmentKind.LATE_INTEREST,
            subscriber=bill.subscriber,
            month=billing_month_of(bill.paid_on, bill.period_start.day),
            yen=yen,
            tax=TaxClass.OUT_OF_SCOPE,
            working=working,
            reason=f"{bill.month} 延滞利息 late payment",
            who=who,
        )
        self.adjuster.post([adjustment], to_millis(now))


def open_billing(engine: Engine, settings: Settings) -> BillingRun:
    """The daily step over the main database of these settings."""
    billing = settings.billing
    accounts = SqlAccounts(engine)
    adjuster = Adjuster(SqlLedger(engine), accounts)
    return BillingRun(
        store=SqlBillingStore(engine),
        policy=Policy(billing.notice_days, billing.unconfirmed_days),
        due_months=billing.due_months,
        dormant_notice_days=billing.dormant_notice_days,
        service=settings.mail.service_name,
        sender=settings.mail.sender,
        late_interest=InterestByProfile(partial(_profile_of, SqlContractsStore(engine)), billing.profile_directory),
        ledger=InterestPosting(adjuster),
        dormancy=_dormant_on,
        number_fees=NumberFeePosting(engine, accounts, adjuster),
    )


class BillingOffice(NamedTuple):
    """The daily step with what a command needs around it."""

    step: BillingRun
    settings: Settings
    who: str
    now: datetime

    @contextmanager
    def clerk(self, day: date) -> Iterator[Clerk]:
        """A transaction of a person at the keyboard."""
        with self.step.store.changing(self.who, self.now) as unit:
            yield Clerk(unit, day, self.now, self.step.service)

    def announce(self) -> None:
        """Make the running service take the change up before the command returns."""
        announce(self.settings)


@contextmanager
def billing_office(settings: Settings) -> Iterator[BillingOffice]:
    """Everything open, faults turned into what `denwa` says to a person."""
    with databases(settings) as (main, _journal), refusals():
        try:
            yield BillingOffice(open_billing(main, settings), settings, at_the_keyboard(), utc_now())
        except AdjustmentRefusal as refusal:
            raise StateError(str(refusal)) from None


def today() -> date:
    """The calendar day in Asia/Tokyo."""
    return utc_now().astimezone(TOKYO).date()


def echo_report(report: Report) -> None:
    """What a step did, for a person."""
    if report.bills:
        click.echo(f"請求 bills taken in: {report.bills}")
    for done in report.done:
        click.echo(f"{PhoneNumber(done.subscriber).grouped()}  {done.what}")
    for notice in report.given:
        click.echo(f"{_line(notice)}  メール by mail")
    for notice in report.undelivered:
        click.echo(f"{_line(notice)}  不達 not delivered: give it in another way", err=True)
    for notice in report.by_letter:
        click.echo(f"{_line(notice)}  メールアドレスなし no mail address: give it in another way", err=True)
    if not report:
        click.echo(f"{report.day}  変更なし nothing was due")


def report_fields(report: Report) -> dict[str, Any]:
    """What a step did, for `--json`."""
    return {
        "day": str(report.day),
        "bills": report.bills,
        "done": [{"number": national(one.subscriber), "what": one.what} for one in report.done],
        "given": [notice_fields(notice) for notice in report.given],
        "by_letter": [notice_fields(notice) for notice in report.by_letter],
        "undelivered": [notice_fields(notice) for notice in report.undelivered],
    }


def notice_fields(notice: Notice) -> dict[str, Any]:
    """A notice for `--json`, without its text."""
    return {
        "id": notice.key,
        "number": national(notice.subscriber),
        "kind": str(notice.kind),
        "subject": notice.subject,
        "due_on": str(notice.due_on),
        "state": str(notice.state),
        "given_on": str(notice.given_on) if notice.given_on else None,
        "channel": notice.channel,
    }


def national(number: str) -> str:
    """An E.164 number as csv and json write it: 05012345678."""
    return PhoneNumber(number).national()


def _line(notice: Notice) -> str:
    return f"{PhoneNumber(notice.subscriber).grouped()}  通知 notice {notice.key}: {notice.subject}"


def _profile_of(contracts: SqlContractsStore, number: str) -> str:
    found = contracts.find(number)
    return found.profile if found else ""


def _dormant_on(contract: QuietContract) -> date:
    billed = [billing_month_of(contract.last_billed, contract.bill_day)] if contract.last_billed else []
    return dormancy(contract.started_on, contract.bill_day, billed).may_end_on
