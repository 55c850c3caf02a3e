"""What `denwa ledger` shows: postings, adjustments, the trial balance, as tables and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from denwa.cli.rating_desk import national, tokyo_text
from denwa.rating.books import AccountTotal
from denwa.rating.ledger import Posting, PostingKind
from denwa.rating.ports import BookedAdjustment
from denwa.rating.trial_balance import TrialBalance

_TABLE_WIDTH = 200  # when the output is no terminal
_FIRST = "料金 charge"
_COLOURS = {
    PostingKind.REVERSAL: "赤 red",
    PostingKind.CALL: "黒 black",
    PostingKind.CREDIT_MOVE: "特典 credit",
}


def posting_text(line: dict[str, Any]) -> str:
    """One line for a person."""
    colour = _FIRST if not line["revision"] else _COLOURS[PostingKind(line["kind"])]
    return (
        f"{colour}  {line['month']}  {line['call_id']}  {line['working']}: "
        f"charge {line['charge_yen']:+d}, credit {line['credit_yen']:+d}, to pay {line['payable_yen']:+d} yen"
    )


def posting_fields(posting: Posting) -> dict[str, Any]:
    """A posting as JSON shows it."""
    return {
        "record_id": posting.record_id,
        "revision": posting.revision,
        "corrects": posting.corrects,
        "kind": posting.kind.value,
        "subscriber": national(posting.subscriber),
        "call_id": posting.call_id,
        "month": posting.month.name,
        "belongs_to": posting.call_month_start.isoformat(),
        "class": posting.charge.price.number_class,
        "tariff": f"{posting.charge.tariff} {posting.charge.tariff_date}",
        "working": posting.charge.text(),
        "calls": posting.calls,
        "charge_yen": posting.charge_yen,
        "credit_yen": posting.credit_yen,
        "payable_yen": posting.payable_yen,
    }


def adjustment_fields(booked: BookedAdjustment) -> dict[str, Any]:
    """An adjustment as JSON shows it."""
    one = booked.adjustment
    return {
        "reference": one.reference,
        "kind": one.kind.value,
        "subscriber": national(one.subscriber),
        "month": one.month.name,
        "asked_month": f"{booked.asked_month_start:%Y-%m}",
        "yen": one.yen,
        "tax": one.tax.value,
        "working": one.working,
        "reason": one.reason,
        "who": one.who,
        "corrects": one.corrects,
        "posted_at": tokyo_text(booked.posted_ms),
    }


def print_adjustments(found: Sequence[BookedAdjustment]) -> None:
    """Adjustments as a table."""
    console = Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH)
    table = Table(
        "番号 number", "料金月 month", "種別 kind", "税 tax", "金額 yen", "計算 working", "理由 reason", "担当 who"
    )
    for booked in found:
        one = booked.adjustment
        table.add_row(
            national(one.subscriber), one.month.name, one.kind.value, one.tax.value, str(one.yen),
            one.working, one.reason, one.who,
        )  # fmt: skip
    console.print(table, markup=False)


def balance_fields(shown: TrialBalance) -> dict[str, Any]:
    """The trial balance as JSON shows it."""
    return {
        "accounts": [_account_fields(account) for account in shown.accounts],
        "debit_yen": shown.debit_yen,
        "credit_yen": shown.credit_yen,
        "checked_months": list(shown.months),
        "differences": list(shown.differences),
    }


def _account_fields(account: AccountTotal) -> dict[str, Any]:
    return account._asdict() | {"balance_yen": account.balance_yen}


def print_balance(shown: TrialBalance) -> None:
    """The trial balance as a table."""
    console = Console(width=None if sys.stdout.isatty() else _TABLE_WIDTH)
    table = Table(title="試算表 trial balance")
    table.add_column("勘定 account")
    for heading in ("借方 debit", "貸方 credit", "残高 balance"):
        table.add_column(heading, justify="right")
    for account in shown.accounts:
        table.add_row(account.account, str(account.debit_yen), str(account.credit_yen), str(account.balance_yen))
    table.add_section()
    table.add_row("計 all", str(shown.debit_yen), str(shown.credit_yen), str(shown.debit_yen - shown.credit_yen))
    console.print(table)
    if not shown.differences:
        months = f"; closed months: {', '.join(shown.months)}" if shown.months else ""
        console.print(f"一致 everything agrees: journal, postings, entries, credit, statements{months}", markup=False)
