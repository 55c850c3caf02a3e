"""`denwa mail`: the outbox, addresses that refuse mail, and a test of the mail server (M4)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from denwa.cli.desk import databases, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.config.settings import Settings
from denwa.numbering import NumberFault, PhoneNumber
from denwa.storage.outbox_store import OutboxStore
from denwa.voicemail.letters import JAPAN, Kind, Letter, LetterFault, Sender, message_id
from denwa.voicemail.mail.templates import LANGUAGES
from denwa.voicemail.mail.writing import compose, on_the_wire
from denwa.voicemail.ports import DeliveryFault, MailState
from denwa.voicemail.setup import open_templates, open_transport
from denwa.voicemail.transport import SmtpTransport, Step

STATES = ("waiting", "sent", "carried", "undeliverable")


@contextmanager
def outbox(ctx: click.Context) -> Iterator[OutboxStore]:
    with databases(settings_of(ctx)) as (main, _journal):
        yield OutboxStore(main)


@click.group()
def mail() -> None:
    """メールの送信状況。Mails to subscribers: what became of them, and a test. ID as `list` shows it."""


@mail.command("list")
@click.option("--state", type=click.Choice(STATES))
@click.option("--number", default="", help="to one subscriber")
@click.option("--most", type=click.IntRange(1), default=100, show_default=True, help="so many, the newest")
@click.option("--json", "as_json", is_flag=True, help="a JSON array")
@click.pass_context
def list_(ctx: click.Context, state: str | None, number: str, most: int, as_json: bool) -> None:
    """Mails, newest first; traces of sent ones are kept for 30 days."""
    mailbox = phone_number(number).e164 if number else ""
    with outbox(ctx) as store:
        found = store.mails(state or "", mailbox, most)
    if as_json:
        click.echo(json.dumps([_described(one) for one in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        whose = _grouped(one.mailbox) if one.mailbox else "-"
        click.echo(f"{one.id:>6}  {one.state:<13}  {whose:<13}  {one.kind:<19}  {_when(one)}")


@mail.command()
@click.argument("mail_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="a JSON object")
@click.pass_context
def show(ctx: click.Context, mail_id: int, as_json: bool) -> None:
    """What became of one mail. Its text is the subscriber's, and is not shown."""
    with outbox(ctx) as store:
        found = store.mail(mail_id)
    if found is None:
        raise StateError(f"there is no mail {mail_id}")
    if as_json:
        click.echo(json.dumps(_described(found), ensure_ascii=False))
        return
    for key, value in _described(found).items():
        click.echo(f"{key:<14}  {'' if value is None else value}".rstrip())


@mail.command()
@click.argument("mail_id", metavar="ID", type=int)
@click.pass_context
def retry(ctx: click.Context, mail_id: int) -> None:
    """Try a mail that was not sent now, and for five days from now; unblocks its address."""
    with outbox(ctx) as store:
        if not store.retry(mail_id, utc_now()):
            found = store.mail(mail_id)
            raise StateError(f"mail {mail_id} was sent" if found else f"there is no mail {mail_id}")
    click.echo(f"mail {mail_id} is tried within 15 seconds")


@mail.command()
@click.option("--json", "as_json", is_flag=True, help="a JSON array")
@click.pass_context
def blocked(ctx: click.Context, as_json: bool) -> None:
    """Addresses that nothing is sent to, since they refused mail."""
    with outbox(ctx) as store:
        found = store.blocked()
    if as_json:
        rows = [{"address": one.address, "since": _iso(one.changed_at), "reason": one.last_error} for one in found]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for one in found:
        click.echo(f"{one.address}  {_japan(one.changed_at)}  {one.last_error}")


@mail.command()
@click.argument("address")
@click.pass_context
def unblock(ctx: click.Context, address: str) -> None:
    """Send to an address again, also what waits for it."""
    with outbox(ctx) as store:
        if not store.unblock(address, utc_now()):
            raise StateError(f"{address}: has not refused mail")
    click.echo(f"{address} gets mail again")


@mail.command()
@click.argument("address")
@click.option("--language", type=click.Choice(LANGUAGES), default="ja", show_default=True)
@click.pass_context
def test(ctx: click.Context, address: str, language: str) -> None:
    """Send a test mail to ADDRESS through the configured mail server, and say how far it comes."""
    settings = settings_of(ctx)
    sender = Sender(settings.mail.sender, settings.mail.service_name)
    letter = Letter(Kind.TEST, "", "", "", "", 0, language=language)
    try:
        recipient = on_the_wire(address)
        written = message_id(f"test-{secrets.token_hex(12)}", sender.address)
        message = compose(letter, open_templates(settings), sender, address, written, utc_now())
    except (LetterFault, ValueError):
        raise click.UsageError(f"{address} is no mail address") from None
    transport = open_transport(settings)
    steps = _Steps(settings)
    try:
        if isinstance(transport, SmtpTransport):
            transport.send(message, sender.address, recipient, steps.tell)
        else:
            transport.deliver(message, sender.address, recipient)
            click.echo(f"no mail server is set (mail.smtp_url): kept in {transport.folder}")
    except DeliveryFault as fault:
        raise StateError(f"{steps.at}: {fault}") from None
    click.echo(f"Message-ID  {written}")


class _Steps:
    """Says each step that was taken; `at` is the one that comes next, where a fault is."""

    def __init__(self, settings: Settings) -> None:
        skipped = () if "@" in settings.mail.smtp_url else (Step.LOGIN,)
        self._left = [step for step in Step if step not in skipped]

    @property
    def at(self) -> str:
        return str(self._left[0]) if self._left else "mail"

    def tell(self, step: Step, text: str) -> None:
        self._left = [one for one in self._left if one is not step]
        click.echo(f"{step:<10}  {text}")


def _described(one: MailState) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state,
        "kind": one.kind,
        "number": _national(one.mailbox) if one.mailbox else "",
        "recipient": one.recipient,
        "message_id": one.message_id,
        "created_at": _iso(one.created_at),
        "attempts": one.attempts,
        "next_attempt": _iso(one.due_at) if one.state == "waiting" else None,
        "sent_at": _iso(one.sent_at) if one.sent_at else None,
        "with_sound": one.with_sound,
        "voicemail": one.voicemail,
        "last_error": one.last_error,
        "address_blocked": one.blocked,
    }


def _when(one: MailState) -> str:
    if one.sent_at is not None:
        return f"{_japan(one.sent_at)}{'  with the recording' * one.with_sound}"
    if one.state == "undeliverable":
        return f"given up after {one.attempts} attempts: {one.last_error}"
    tried = f", attempt {one.attempts}: {one.last_error}" if one.attempts else ""
    return f"next {_japan(one.due_at)}{tried}"


def _grouped(number: str) -> str:
    try:
        return PhoneNumber.parse(number).grouped()
    except NumberFault:
        return number


def _national(number: str) -> str:
    try:
        return PhoneNumber.parse(number).national()
    except NumberFault:
        return number


def _iso(moment: datetime) -> str:
    return moment.astimezone(JAPAN).isoformat(timespec="milliseconds")


def _japan(moment: datetime) -> str:
    return moment.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")
