"""`denwa voicemail pin`: the PIN with which a box is heard from a telephone that is not the subscriber's own (V6)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from denwa.cli.desk import data_folder_key, databases, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.contracts.faults import ContractFault
from denwa.numbering import PhoneNumber
from denwa.storage.pin_store import PinStore
from denwa.storage.voicemail_store import OwnerStore
from denwa.voicemail.pins import LEAST, MOST, PinFault, PinHashes, check_pin


@click.group()
def pin() -> None:
    """PIN of a voicemail box. 留守番電話の暗証番号。

    It opens the box from any telephone over voicemail.access_number; the own phone needs none.
    """


@pin.command("set")
@click.argument("number")
@click.option("--pin", "digits", help=f"{LEAST} to {MOST} digits; asked for when not given, read from stdin with -")
@click.pass_context
def set_(ctx: click.Context, number: str, digits: str | None) -> None:
    """Set or change the PIN; wrong tries are forgotten."""
    settings = settings_of(ctx)
    if digits == "-":
        digits = sys.stdin.readline().strip()
    elif digits is None:
        digits = click.prompt("暗証番号 PIN", hide_input=True, confirmation_prompt=True)
    with _owner(settings, number) as (owner, main):
        try:
            hashed = PinHashes(data_folder_key(main, settings)).hash(owner.e164, check_pin(digits, owner.e164))
        except (PinFault, ContractFault) as fault:
            raise StateError(str(fault)) from None
        PinStore(main).set_pin(owner.e164, hashed, utc_now())
    click.echo(f"{owner.grouped()}: PIN set")
    if not settings.voicemail.access_number:
        click.echo("voicemail.access_number is not set: nobody can use it yet", err=True)


@pin.command()
@click.argument("number")
@click.pass_context
def clear(ctx: click.Context, number: str) -> None:
    """Remove the PIN: the box is heard from the own phone only."""
    with _owner(settings_of(ctx), number) as (owner, main):
        if not PinStore(main).clear_pin(owner.e164):
            raise StateError(f"{owner.grouped()} has no PIN")
    click.echo(f"{owner.grouped()}: PIN removed")


@pin.command()
@click.argument("number")
@click.pass_context
def unlock(ctx: click.Context, number: str) -> None:
    """Open a box again that wrong tries have shut."""
    with _owner(settings_of(ctx), number) as (owner, main):
        PinStore(main).try_was_right(owner.e164)
    click.echo(f"{owner.grouped()}: open")


@pin.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="a JSON object")
@click.pass_context
def show(ctx: click.Context, number: str, as_json: bool) -> None:
    """Whether there is a PIN, and until when wrong tries keep the box shut."""
    with _owner(settings_of(ctx), number) as (owner, main):
        store = PinStore(main)
        found = bool(store.pin_hash(owner.e164))
        until = store.locked_until(owner.e164, utc_now())
    if as_json:
        locked = until.astimezone(TOKYO).isoformat(timespec="seconds") if until else None
        click.echo(json.dumps({"number": owner.national(), "pin": found, "locked_until": locked}))
        return
    click.echo(f"{owner.grouped()}: {'PIN set' if found else 'no PIN'}")
    if until:
        click.echo(f"shut by wrong tries until {until.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}")


@contextmanager
def _owner(settings: Settings, number: str) -> Iterator[tuple[PhoneNumber, Engine]]:
    owner = phone_number(number)
    with databases(settings) as (main, _journal):
        if OwnerStore(main).owner(owner.e164) is None:
            raise StateError(f"{owner.grouped()} is not the number of a subscriber")
        yield owner, main
