"""`denwa db`: schema migration, consistency of records and ledger."""

from __future__ import annotations

import secrets

import click

from denwa.cli.desk import databases
from denwa.cli.main import StateError, settings_of
from denwa.cli.voicemail_store import stray_texts
from denwa.config.settings import Settings
from denwa.contracts.faults import ContractFault
from denwa.contracts.key_file import read_key
from denwa.contracts.sealing import Seal
from denwa.storage.consistency import check_journal, check_main, check_schema
from denwa.storage.contracts_store import SqlContractsStore
from denwa.storage.migrate import upgrade_all
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.setup import open_sounds


@click.group()
def db() -> None:
    """The databases: schema migration and consistency."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Bring both schemas to the newest revision; keeps all data."""
    with databases(settings_of(ctx), migrate=False) as (main, journal):
        for done in upgrade_all(main, journal) or ["nothing to do"]:
            click.echo(done)


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check schema, contracts, call records, ledger and the sounds of messages; changes nothing."""
    settings = settings_of(ctx)
    with databases(settings, migrate=False) as (main, journal):
        found = [str(one) for one in check_schema(main, journal)]
        if not found:
            found = [str(one) for one in (*check_main(main, settings.realm), *check_journal(journal))]
            found += _check_key(SqlContractsStore(main), settings)
            found += _check_sounds(MailboxStore(main), settings)
    for fault in found:
        click.echo(fault, err=True)
    if found:
        raise StateError(f"{len(found)} faults found")
    click.echo("schema, contracts, call records, ledger and sounds are consistent")


def _check_sounds(mailboxes: MailboxStore, settings: Settings) -> list[str]:
    """Every message has its sound and every sound its message."""
    try:
        sounds = open_sounds(settings)
        sounds.key_file.refuse_if_lost()
        return stray_texts(settings, sounds, mailboxes)
    except OSError as fault:
        return [str(fault)]


def _check_key(store: SqlContractsStore, settings: Settings) -> list[str]:
    """The key file opens what the database keeps sealed: the first subscriber's password stands for all."""
    for first in store.each():
        try:
            seal = Seal(read_key(settings.data_dir), secrets.token_bytes)
            seal.open(first.account, first.credentials.sealed_password)
        except ContractFault as fault:
            return [str(fault)]
        return []
    return []
