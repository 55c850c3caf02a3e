"""`denwa calls`: call records, and calls in progress."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from denwa.cli.desk import databases, phone_number
from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_desk import rated_databases
from denwa.control.socket import tell
from denwa.numbering import NumberFault, PhoneNumber
from denwa.rating.billing_month import TOKYO
from denwa.storage.call_listing import CallListing, ListedCall
from denwa.voicemail.letters import caller_names

COLUMNS = (
    "call_id", "leg", "subscriber", "direction", "caller", "callee", "class", "started_at", "answered_at", "ended_at",
    "duration_ms", "end_cause", "sip_status", "forwarded_by", "voicemail", "units", "charge_yen",
    "reason", "hidden_reason",
)  # fmt: skip
_TABLE_WIDTH = 200  # when the output is no terminal
_WORKING_WIDTH = 160


class Moment(click.ParamType[datetime]):
    """An ISO 8601 date or time; without an offset it is meant in Tokyo. A date used as an end includes the day."""

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if len(value) <= len("2026-11-21"):
                day = date.fromisoformat(value) + timedelta(days=1 if self._end else 0)
                return datetime(day.year, day.month, day.day, tzinfo=TOKYO)
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no ISO 8601 date or time, such as 2026-11-21 or 2026-11-21T09:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=TOKYO)


@click.group(invoke_without_command=True)
@click.option("--from", "first", type=Moment(), help="calls that started at this time or later")
@click.option("--to", "before", type=Moment(end=True), help="calls that started before this time; a date is included")
@click.option("--subscriber", help="only this subscriber's")
@click.option("--format", "form", type=click.Choice(["table", "csv", "jsonl"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
@click.option("--active", is_flag=True, help="calls in progress")
@click.option("--show-working", "working", is_flag=True, help="also how each charge came about (column `working`)")
@click.pass_context
def calls(
    ctx: click.Context,
    first: datetime | None,
    before: datetime | None,
    subscriber: str | None,
    form: str,
    as_json: bool,
    active: bool,
    working: bool,
) -> None:
    """Call records, with units and charge (tax excluded). 通話記録(料金は税別)。"""
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    columns = (*COLUMNS, "working") if working else COLUMNS
    number = phone_number(subscriber).e164 if subscriber else ""
    if active:
        if first or before:
            raise click.UsageError("--active lists the calls in progress now: --from and --to do not go with it")
        with databases(settings) as (main, journal):
            _write(CallListing(main, journal).active(subscriber=number), form, as_json, columns)
        return
    with rated_databases(settings) as (main, journal, _):
        _write(CallListing(main, journal).calls(first=first, before=before, subscriber=number), form, as_json, columns)


@calls.command()
@click.argument("call_id")
@click.pass_context
def cut(ctx: click.Context, call_id: str) -> None:
    """End a call in progress: both sides get BYE. 通話を切断する。"""
    settings = settings_of(ctx)
    answer = tell(settings.data_dir, f"cut {call_id}")
    if answer is None:
        raise StateError(f"no service runs on {settings.data_dir}")
    word, _, count = answer.partition(" ")
    if word != "ok":
        raise StateError(answer)
    if count == "0":
        raise StateError(f"no call {call_id} is in progress (denwa calls --active --json lists them)")
    click.echo(f"切断しました。 Ended: {call_id}")


def _write(listed: Iterable[ListedCall], form: str, as_json: bool, columns: Sequence[str]) -> None:
    if as_json:
        click.echo(json.dumps([_fields(call, columns) for call in listed], ensure_ascii=False, indent=2))
    elif form == "jsonl":
        for call in listed:
            sys.stdout.write(json.dumps(_fields(call, columns), ensure_ascii=False) + "\n")
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_fields(call, columns) for call in listed)
    else:
        _write_table(listed, working="working" in columns)


def _fields(call: ListedCall, columns: Sequence[str]) -> dict[str, Any]:
    values = call._asdict() | {
        "subscriber": national_or_dialled(call.subscriber),
        "caller": national_or_dialled(call.caller),
        "callee": national_or_dialled(call.callee),
        "class": call.number_class,
        "started_at": _tokyo(call.started_at),
        "answered_at": _tokyo(call.answered_at),
        "ended_at": _tokyo(call.ended_at),
        "forwarded_by": national_or_dialled(call.forwarded_by),
        "voicemail": "yes" if call.voicemail else "no",
    }
    return {column: values[column] for column in columns}


def _write_table(listed: Iterable[ListedCall], *, working: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH + _WORKING_WIDTH * working, markup=False)
    table = Table()
    for heading in ("開始 started", "種別 leg", "発信 caller", "着信 callee", "区分 class"):
        table.add_column(heading)
    for heading in ("通話 duration", "単位 units", "料金(税別) yen"):
        table.add_column(heading, justify="right")
    for heading in ("結果 end", "留守録 voicemail"):
        table.add_column(heading)
    if working:
        table.add_column("計算 working", overflow="fold")
    for call in listed:
        going_on = call.answered_at is not None and call.ended_at is None
        table.add_row(
            f"{call.started_at.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}",
            f"{call.leg} {_grouped(call.forwarded_by)}".rstrip(),
            _grouped(call.caller) or caller_names("", call.hidden_reason)[0],
            _grouped(call.callee),
            call.number_class,
            "" if going_on else _duration(call.duration_ms),
            "" if call.units is None else str(call.units),
            "" if call.charge_yen is None else str(call.charge_yen),
            "通話中 in progress" if going_on else f"{call.end_cause} {call.sip_status} {call.reason}".rstrip(),
            "yes" if call.voicemail else "",
            *[call.working or ""] * working,
        )
    if table.row_count:
        console.print(table)
    else:
        console.print("通話記録はありません。 No calls.")


def _tokyo(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(TOKYO).isoformat(timespec="milliseconds")


def national_or_dialled(number: str) -> str:
    """How csv and json write who was called: 0312345678, or what was dialled where that is no number."""
    return PhoneNumber(number).national() if _is_number(number) else number


def _grouped(number: str) -> str:
    return PhoneNumber(number).grouped() if _is_number(number) else number


def _is_number(text: str) -> bool:
    if not text.startswith("+"):
        return False
    try:
        PhoneNumber(text)
    except NumberFault:
        return False
    return True


def _duration(duration_ms: int) -> str:
    seconds, millis = divmod(duration_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}.{millis:03d}"
