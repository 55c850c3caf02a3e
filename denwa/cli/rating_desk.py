"""Joins rating to its data files, the databases and the running service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from sqlalchemy import Engine

from denwa.cli.desk import databases
from denwa.cli.main import StateError
from denwa.cli.rating_data import load_rating_data
from denwa.config.settings import Settings
from denwa.control.socket import tell
from denwa.numbering import PhoneNumber
from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import AdjustmentRefusal
from denwa.rating.billing_month import TOKYO, MonthNameError, calendar_month
from denwa.rating.correct_calls import CorrectionRefusal, Corrector
from denwa.rating.month_end import MonthEnd, MonthRefusal
from denwa.rating.ports import StatementReader
from denwa.rating.rate_calls import Rater
from denwa.storage.columns import from_millis
from denwa.storage.ended_calls import SqlJournalReader
from denwa.storage.ledger_books import SqlLedgerBooks
from denwa.storage.rating_accounts import SqlAccounts
from denwa.storage.rating_store import SqlLedger
from denwa.storage.statement_store import SqlStatements

_SYNC_SECONDS = 60.0  # a long backlog is rated at some 20,000 calls a second


def open_rater(settings: Settings, main: Engine, journal: Engine) -> Rater:
    """The rating of live calls on these databases."""
    return Rater(SqlJournalReader(journal), SqlLedger(main), SqlAccounts(main), load_rating_data(settings).tariffs)


@contextmanager
def rated_databases(settings: Settings) -> Iterator[tuple[Engine, Engine, Rater]]:
    """Main and journal database after everything that has ended until now was rated, and the rater.

    The running service is asked to do it, because it may hold ends that are not in the journal yet; without one it is
    done here.
    """
    with databases(settings) as (main, journal):
        rater = open_rater(settings, main, journal)
        try:
            answer = tell(settings.data_dir, "sync", timeout=_SYNC_SECONDS)
        except OSError as fault:
            answer = f"no answer: {fault}"
        if answer is None:
            rater.catch_up(now_ms(), at_once=True)
        elif answer != "ok":
            # What is rated is shown all the same: an unrated call has no charge, which is not a charge of zero.
            click.echo(f"denwa: the running service could not rate what has just ended: {answer}", err=True)
        yield main, journal, rater


@dataclass(frozen=True, slots=True)
class LedgerDesk:
    """Everything that works on the ledger beside the rating itself."""

    ending: MonthEnd
    books: SqlLedgerBooks
    corrector: Corrector
    adjuster: Adjuster

    @property
    def statements(self) -> StatementReader:
        return self.ending.statements


@contextmanager
def ledger_desk(settings: Settings) -> Iterator[LedgerDesk]:
    """The ledger's desk, after everything that has ended was rated. A refusal ends with exit code 1."""
    with rated_databases(settings) as (main, _, rater):
        ending = MonthEnd(
            rater.journal, rater.accounts, rater.ledger, SqlStatements(main), load_rating_data(settings).tax, national
        )
        corrector = Corrector(rater.ledger, rater.accounts, rater.tariffs)
        try:
            yield LedgerDesk(ending, SqlLedgerBooks(main), corrector, Adjuster(rater.ledger, rater.accounts))
        except (MonthRefusal, CorrectionRefusal, AdjustmentRefusal) as refusal:
            raise StateError(str(refusal)) from None


@contextmanager
def month_end(settings: Settings) -> Iterator[MonthEnd]:
    """What a month's end needs, after everything that has ended was rated. A refusal ends with exit code 1."""
    with ledger_desk(settings) as desk:
        yield desk.ending


def month_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """A month as an argument of a command."""
    try:
        calendar_month(value)
    except MonthNameError as fault:
        raise click.UsageError(str(fault)) from None
    return value


def national(number: str) -> str:
    """An E.164 number as csv and json write it: 05012345678."""
    return PhoneNumber(number).national()


def tokyo_text(moment_ms: int) -> str:
    """ISO 8601 in Asia/Tokyo."""
    return from_millis(moment_ms).astimezone(TOKYO).isoformat(timespec="milliseconds")


def now_ms() -> int:
    """The wall clock, in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
