"""`denwa voicemail store`: where the sounds of messages and greetings are, and the key that seals them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from denwa.cli.desk import databases, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.config.settings import Settings
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.setup import open_sounds, voicemail_folder
from denwa.voicemail.sound_store.rekeying import Resealed, forget_old_keys, new_key, reseal_all
from denwa.voicemail.sound_store.sealed import SealedSounds
from denwa.voicemail.strays import find_strays


@click.group()
def store() -> None:
    """The store of sounds, and the key that seals them."""


@store.command()
@click.option("--open", "open_all", is_flag=True, help="open every sound, too")
@click.pass_context
def check(ctx: click.Context, open_all: bool) -> None:
    """Try the store, and compare it with the messages; changes nothing. Exit code 1 when something is not right."""
    settings = settings_of(ctx)
    with databases(settings) as (main, _journal), _words():
        sounds = open_sounds(settings)
        sounds.key_file.refuse_if_lost()
        found = [*sounds.faults(), *stray_texts(settings, sounds, MailboxStore(main))]
        keys = sorted(sounds.keys())
        found += _unopened(sounds, keys) if open_all else []
        names = ", ".join(key.id.hex() for key in reversed(sounds.key_file.keys())) or "none yet"
    for text in found:
        click.echo(text, err=True)
    if found:
        raise StateError(f"{len(found)} faults found")
    click.echo(f"{len(keys)} sounds, {'all open' if open_all else 'not opened'}; keys, newest first: {names}")


@store.command()
@click.option("--continue", "go_on", is_flag=True, help="no new key: finish what was interrupted")
@click.pass_context
def rekey(ctx: click.Context, go_on: bool) -> None:
    """Make a new key and seal every sound with it. Back the key file up before and after."""
    settings = settings_of(ctx)
    with databases(settings), _words():
        sounds = open_sounds(settings)
        if not go_on:
            click.echo(f"new key {new_key(sounds)} in {sounds.key_file.path}: copy the file to a safe place")
        done = reseal_all(sounds)
    _tell(done)
    click.echo("the keys before stay in the file until `denwa voicemail store forget-keys`")


@store.command("forget-keys")
@click.pass_context
def forget_keys(ctx: click.Context) -> None:
    """Remove every key but the newest from the key file, once no sound needs them."""
    settings = settings_of(ctx)
    with databases(settings), _words():
        forgotten = forget_old_keys(open_sounds(settings), utc_now())
    click.echo(f"{forgotten} keys removed")


def stray_texts(settings: Settings, sounds: SealedSounds, mailboxes: MailboxStore) -> list[str]:
    """What does not belong together in the store, the database and the spool. Raises OSError."""
    spool = voicemail_folder(settings.data_dir) / "spool"
    return find_strays(mailboxes, sounds, spool, utc_now()).texts()


def _unopened(sounds: SealedSounds, keys: list[str]) -> Iterator[str]:
    for key in keys:
        try:
            sounds.read(key)
        except FileNotFoundError:  # deleted meanwhile
            continue
        except OSError as fault:
            yield str(fault)


def _tell(done: Resealed) -> None:
    for text in done.faults:
        click.echo(text, err=True)
    if done.faults:
        raise StateError(f"{done.count} sounds sealed with the newest key, {len(done.faults)} could not be")
    click.echo(f"{done.count} sounds sealed with the newest key")


@contextmanager
def _words() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise StateError(str(fault)) from None
