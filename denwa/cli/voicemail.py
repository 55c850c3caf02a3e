"""`denwa voicemail`: messages of a subscriber (V3-V5)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from denwa.cli.desk import databases, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.cli.voicemail_greeting import greeting
from denwa.cli.voicemail_pin import pin
from denwa.cli.voicemail_store import store
from denwa.config.settings import Settings
from denwa.control.socket import tell
from denwa.numbering import PhoneNumber
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.letters import JAPAN, caller_names, minutes_seconds
from denwa.voicemail.ports import Message, SoundStore
from denwa.voicemail.setup import open_sounds


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One subscriber's messages as a command sees them: those whose time is over are gone (V4)."""

    number: PhoneNumber
    store: MailboxStore
    sounds: SoundStore
    keep: timedelta
    now: datetime
    outbox: OutboxStore

    def messages(self) -> list[Message]:
        return [m for m in self.store.messages(self.number.e164) if self.deadline(m) > self.now]

    def message(self, message_id: int) -> Message:
        for message in self.messages():
            if message.id == message_id:
                return message
        raise StateError(f"{self.number.grouped()}: no message {message_id}")

    def deadline(self, message: Message) -> datetime:
        return message.recording.recorded_at + self.keep


@contextmanager
def mailbox(settings: Settings, number: str) -> Iterator[Mailbox]:
    owner = phone_number(number)
    with databases(settings) as (main, _journal):
        if OwnerStore(main).owner(owner.e164) is None:
            raise StateError(f"{owner.grouped()} is not the number of a subscriber")
        keep = timedelta(days=settings.voicemail.keep_days)
        yield Mailbox(owner, MailboxStore(main), open_sounds(settings), keep, utc_now(), OutboxStore(main))


@click.group()
def voicemail() -> None:
    """Messages of a subscriber. NUMBER in every form; ID as `list` shows it."""


voicemail.add_command(greeting)
voicemail.add_command(pin)
voicemail.add_command(store)


@voicemail.command("list")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="a JSON array")
@click.pass_context
def list_(ctx: click.Context, number: str, as_json: bool) -> None:
    """Stored messages, oldest first."""
    settings = settings_of(ctx)
    with mailbox(settings, number) as box:
        found = box.messages()
        described = [_described(box, message) for message in found]
        if as_json:
            click.echo(json.dumps(described, ensure_ascii=False, indent=1))
            return
        for message in found:
            deadline = _japan(box.deadline(message), "%m-%d %H:%M")
            click.echo(
                f"{message.id:>6}  {_japan(message.recording.called_at)}  {_caller(message):<16}"
                f"  {minutes_seconds(message.recording.duration_ms)}  kept until {deadline}"
            )
        click.echo(f"{len(found)}/{settings.voicemail.max_messages}")


@voicemail.command()
@click.argument("number")
@click.argument("message_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="a JSON object")
@click.pass_context
def show(ctx: click.Context, number: str, message_id: int, as_json: bool) -> None:
    """Everything known of one message."""
    with mailbox(settings_of(ctx), number) as box:
        message = box.message(message_id)
        described = _described(box, message) | {"mails": _mails(box, message)}
    if as_json:
        click.echo(json.dumps(described, ensure_ascii=False))
        return
    for key, value in described.items():
        said = ", ".join(f"{one['id']} {one['state']}" for one in value) if key == "mails" else value
        click.echo(f"{key:<14}  {said}".rstrip())


@voicemail.command()
@click.argument("number")
@click.argument("message_id", metavar="ID", type=int)
@click.option("--out", type=click.Path(path_type=Path), help="the WAV file to write; - for stdout")
@click.pass_context
def get(ctx: click.Context, number: str, message_id: int, out: Path | None) -> None:
    """Save the sound of a message as WAV (voicemail-ID.wav in this folder if not told otherwise)."""
    with mailbox(settings_of(ctx), number) as box:
        message = box.message(message_id)
        try:
            sound = box.sounds.read(message.recording.sound)
        except FileNotFoundError:
            raise StateError(f"message {message_id}: its sound is missing") from None
        except OSError as fault:
            raise StateError(f"message {message_id}: {fault}") from None
    if out == Path("-"):
        sys.stdout.buffer.write(sound)
        sys.stdout.buffer.flush()
        return
    target = out or Path(f"voicemail-{message_id}.wav")
    try:
        target.write_bytes(sound)
    except OSError as fault:
        raise StateError(f"{target}: {fault.strerror}") from None
    click.echo(str(target))


@voicemail.command()
@click.argument("number")
@click.argument("message_id", metavar="ID", type=int)
@click.pass_context
def delete(ctx: click.Context, number: str, message_id: int) -> None:
    """Delete a message for good: it cannot be restored."""
    settings = settings_of(ctx)
    with mailbox(settings, number) as box:
        message = box.message(message_id)
        try:
            box.sounds.delete(message.recording.sound)
        except OSError as fault:
            raise StateError(f"message {message_id} cannot be deleted now: {fault}") from None
        box.store.forget(message.id)
    _announce(settings, box.number)
    click.echo(f"message {message_id} deleted")


def _announce(settings: Settings, number: PhoneNumber) -> None:
    """Lamps of the subscriber's phones go out with the last message (V6)."""
    try:
        answer = tell(settings.data_dir, f"mailboxes {number.e164}")
    except OSError as fault:
        answer = str(fault)
    if answer not in (None, "ok"):
        raise StateError(f"deleted, but the running service has not taken it up: {answer}")


def _described(box: Mailbox, message: Message) -> dict[str, Any]:
    recording = message.recording
    return {
        "id": message.id,
        "number": box.number.national(),
        "caller": "" if not recording.caller else caller_names(recording.caller, "")[0],
        "hidden_reason": recording.hidden_reason,
        "called_at": _iso(recording.called_at),
        "recorded_at": _iso(recording.recorded_at),
        "duration_ms": recording.duration_ms,
        "size": recording.size,
        "cause": recording.cause,
        "call_id": recording.call_id,
        "heard": message.heard_at is not None,
        "kept_until": _iso(box.deadline(message)),
    }


def _mails(box: Mailbox, message: Message) -> list[dict[str, Any]]:
    """What became of the mails that tell of the message; `denwa mail show ID` says more."""
    return [
        {"id": one.id, "state": one.state, "with_sound": one.with_sound, "last_error": one.last_error}
        for one in box.outbox.of_message(message.id)
    ]


def _caller(message: Message) -> str:
    """For the table: grouped, or why there is no number."""
    recording = message.recording
    name = caller_names(recording.caller, recording.hidden_reason)[0]
    return PhoneNumber.parse(recording.caller).grouped() if name.isdecimal() else name


def _iso(moment: datetime) -> str:
    return moment.astimezone(JAPAN).isoformat(timespec="milliseconds")


def _japan(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return moment.astimezone(JAPAN).strftime(form)
