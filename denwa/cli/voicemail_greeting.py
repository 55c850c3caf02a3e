"""`denwa voicemail greeting`: what a subscriber's callers hear before the tone (V2)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from denwa.cli.desk import at_the_keyboard, databases, phone_number
from denwa.cli.main import StateError, settings_of
from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.numbering import PhoneNumber
from denwa.storage.greeting_store import GreetingStore
from denwa.storage.voicemail_store import OwnerStore
from denwa.voicemail.greetings import FOLDER, OwnGreetings
from denwa.voicemail.letters import minutes_seconds
from denwa.voicemail.setup import open_sounds, voicemail_folder
from denwa.voicemail.sound.faults import SoundFault

LARGEST = 64 * 1024 * 1024  # bytes; 60 s of 48 kHz stereo in 64-bit float are 46 MB


@dataclass(frozen=True, slots=True)
class _Box:
    owner: PhoneNumber
    greetings: OwnGreetings


@click.group()
def greeting() -> None:
    """Own greeting of a subscriber. 留守番電話の応答メッセージ。

    In force with the next call, also of a running service.
    """


@greeting.command("set")
@click.argument("number")
@click.argument("file", metavar="FILE.wav", type=click.Path(path_type=Path))
@click.pass_context
def set_(ctx: click.Context, number: str, file: Path) -> None:
    """Play FILE.wav to callers: 8 to 48 kHz, mono or stereo, PCM or float, up to 60 s. It is trimmed and made as loud
    as the service's own."""
    try:
        if file.stat().st_size > LARGEST:
            raise StateError(f"{file}: too large for 60 s of sound")
        data = file.read_bytes()
    except OSError as fault:
        raise StateError(f"{file}: {fault.strerror}") from None
    with _box(settings_of(ctx), number) as box:
        try:
            made = box.greetings.set(box.owner.e164, data, source="file", by=at_the_keyboard())
        except SoundFault as fault:
            raise StateError(f"{file}: {fault}") from None
        except OSError as fault:
            raise StateError(f"the greeting cannot be stored: {fault}") from None
    click.echo(f"{box.owner.grouped()}: own greeting, {minutes_seconds(made.duration_ms)}")


@greeting.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="a JSON object")
@click.option("--out", type=click.Path(path_type=Path), help="also write its WAV to this file; - for stdout")
@click.pass_context
def show(ctx: click.Context, number: str, as_json: bool, out: Path | None) -> None:
    """Which greeting callers hear, and since when."""
    with _box(settings_of(ctx), number) as box:
        found = box.greetings.get(box.owner.e164)
        if out is not None:
            if found is None:
                raise StateError(f"{box.owner.grouped()} has no own greeting")
            try:
                _save(box.greetings.read(found), out)
            except OSError as fault:
                raise StateError(f"{out}: {fault}") from None
            if out == Path("-"):
                return
    since = found.made_at.astimezone(TOKYO) if found else None
    if as_json:
        own = found and {
            "duration_ms": found.duration_ms,
            "size": found.size,
            "source": found.source,
            "made_at": since and since.isoformat(timespec="milliseconds"),
            "made_by": found.made_by,
        }
        click.echo(json.dumps({"number": box.owner.national(), "own": own}, ensure_ascii=False))
    elif found is None:
        click.echo(f"{box.owner.grouped()}: the service's greeting")
    else:
        click.echo(
            f"{box.owner.grouped()}: own greeting, {minutes_seconds(found.duration_ms)}, by {found.source}"
            f" since {since:%Y-%m-%d %H:%M:%S} ({found.made_by})"
        )


@greeting.command()
@click.argument("number")
@click.pass_context
def clear(ctx: click.Context, number: str) -> None:
    """Play the service's greeting again; the own one is deleted for good."""
    with _box(settings_of(ctx), number) as box:
        if not box.greetings.clear(box.owner.e164):
            raise StateError(f"{box.owner.grouped()} has no own greeting")
    click.echo(f"{box.owner.grouped()}: the service's greeting")


@contextmanager
def _box(settings: Settings, number: str) -> Iterator[_Box]:
    owner = phone_number(number)
    with databases(settings) as (main, _journal):
        if OwnerStore(main).owner(owner.e164) is None:
            raise StateError(f"{owner.grouped()} is not the number of a subscriber")
        folder = voicemail_folder(settings.data_dir) / FOLDER
        yield _Box(owner, OwnGreetings(GreetingStore(main), open_sounds(settings), folder))


def _save(data: bytes, out: Path) -> None:
    if out == Path("-"):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        out.write_bytes(data)
