"""Joins the contract desk to the databases, the numbering plan, the key file and the running service."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from denwa.cli.box_wiring import own_ranges
from denwa.cli.main import StateError
from denwa.config.settings import ConfigurationError, Settings
from denwa.contracts.desk import TOKYO, Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.key_file import KEY_NAME, make_key, read_key
from denwa.contracts.profiles.files import profile_names
from denwa.contracts.sealing import Seal, pepper
from denwa.contracts.web_password import WebPasswords
from denwa.control.socket import tell
from denwa.numbering import NumberFault, PhoneNumber
from denwa.numbering.plan import NumberingPlan
from denwa.numbering.plan_files import PlanFault, load_plan
from denwa.storage.contracts_store import SqlContractsStore
from denwa.storage.engine import open_journal, open_main
from denwa.storage.migrate import SchemaFault, upgrade_all


@dataclass(frozen=True, slots=True)
class Office:
    """The desk with what a command needs around it."""

    desk: Desk
    settings: Settings
    engine: Engine
    plan: NumberingPlan

    @property
    def who(self) -> str:
        return at_the_keyboard()

    def announce(self) -> None:
        """Make the running service take the change up before the command returns."""
        announce(self.settings)


def at_the_keyboard() -> str:
    """Who runs the command, for the change log and the ledger (O1)."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        name = f"uid {os.getuid()}"
    return f"cli:{name}"


def open_desk(engine: Engine, settings: Settings, plan: NumberingPlan) -> Desk:
    """The desk over the main database of these settings. ContractFault when the key file cannot be used."""
    key = data_folder_key(engine, settings)
    return Desk(
        store=SqlContractsStore(engine),
        plan=plan,
        ranges=own_ranges(settings, plan, utc_now().astimezone(TOKYO).date()),
        seal=Seal(key, secrets.token_bytes),
        web_passwords=WebPasswords(pepper(key), secrets.token_bytes),
        random_bytes=secrets.token_bytes,
        realm=settings.realm,
        ring_time=settings.sip.ring_time,
        service_name=settings.mail.service_name,
        profiles=profile_names(settings.billing.profile_directory),
        default_profile=settings.billing.profile,
    )


def data_folder_key(engine: Engine, settings: Settings) -> bytes:
    """The key of the data folder; ContractFault(KEY) when it cannot be used.

    It is made only for a database without subscribers: made anew over sealed passwords it would hide that theirs is
    lost, and a second node on the same database would seal with a key that the first cannot open.
    """
    if not (settings.data_dir / KEY_NAME).exists() and next(iter(SqlContractsStore(engine).each()), None) is None:
        make_key(settings.data_dir, secrets.token_bytes)
    return read_key(settings.data_dir)


@contextmanager
def office(settings: Settings) -> Iterator[Office]:
    """Everything open, faults turned into what `denwa` says to a person."""
    with databases(settings) as (main, _journal), refusals():
        plan = numbering_plan(settings)
        yield Office(open_desk(main, settings, plan), settings, main, plan)


@contextmanager
def databases(settings: Settings, *, migrate: bool = True) -> Iterator[tuple[Engine, Engine]]:
    """Main and journal database, at the newest schema. The data folder is made when there is none."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise StateError(f"{settings.data_dir}: {fault.strerror}") from None
    try:
        main = open_main(settings.database.url, settings.data_dir)
        journal = open_journal(settings.database.url, settings.data_dir)
    except (ArgumentError, NoSuchModuleError):  # its text would repeat the password in the URL
        raise ConfigurationError("database.url: not postgresql://… or sqlite:///…") from None
    try:
        if migrate:
            upgrade_all(main, journal)
        yield main, journal
    except SchemaFault as fault:
        raise StateError(str(fault)) from None
    except DBAPIError as fault:
        raise StateError(f"database: {str(fault.orig).strip().splitlines()[0]}") from None
    finally:
        main.dispose()
        journal.dispose()


def numbering_plan(settings: Settings) -> NumberingPlan:
    try:
        return load_plan(settings.numbering.directory, settings.numbering.operator_file)
    except PlanFault as fault:
        raise ConfigurationError(str(fault)) from None


@contextmanager
def refusals() -> Iterator[None]:
    """A malformed request ends with exit code 2, one that the data does not allow with 1."""
    try:
        yield
    except ContractFault as fault:
        if fault.malformed:
            raise click.UsageError(str(fault)) from None
        raise StateError(str(fault)) from None


def announce(settings: Settings) -> None:
    try:
        answer = tell(settings.data_dir, "subscribers")
    except OSError as fault:
        answer = str(fault)
    if answer not in (None, "ok"):
        raise StateError(f"saved, but the running service has not taken it up: {answer}")


def phone_number(text: str) -> PhoneNumber:
    """A number in any form of N3, as an argument of a command."""
    try:
        return PhoneNumber.parse(text)
    except NumberFault as fault:
        raise click.UsageError(f"{text}: {fault}") from None


def utc_now() -> datetime:
    return datetime.now(UTC)
