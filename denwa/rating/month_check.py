"""Whether the export files, the statements and the ledger of a month agree to the yen."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from denwa.rating.adjustment import ACCOUNTS, AdjustmentKind
from denwa.rating.billing_month import billing_month_named
from denwa.rating.books import BookedSum, LedgerBooks
from denwa.rating.money import Yen
from denwa.rating.month_end import MonthEnd, MonthRefusal
from denwa.rating.month_export import MonthExport
from denwa.rating.ports import Bill
from denwa.rating.statement import Statement
from denwa.rating.tariff import PRICED_CLASSES

# What is compared, in the order of the table: the export's columns, and the sums of accounts.
_CHARGES = tuple(f"{name.replace('-', '_')}_yen" for name in PRICED_CLASSES)
_KINDS = tuple(f"{kind.value.replace('-', '_')}_yen" for kind in AdjustmentKind)
AMOUNTS = ("charge_yen", "credit_yen", "adjustment_yen", "payable_yen", "tax_yen", "total_yen")
_WITH_TAX = ("tax_yen", "total_yen")
_RECEIVABLE, _TAX, _CREDIT, _REVENUE = "receivable:", "consumption-tax", "credit-granted", "revenue:"
_ADJUSTMENT_ACCOUNTS = frozenset(ACCOUNTS.values())
_ATTEMPTS = 5

Amounts = Mapping[str, Yen]
Key = tuple[str, str]  # subscriber as files write it, first day of the month


class Compared(NamedTuple):
    """One amount of the whole month, three times. `ledger_yen` is None for tax that is not booked yet."""

    name: str
    export_yen: Yen
    statements_yen: Yen
    ledger_yen: Yen | None


class MonthCheck(NamedTuple):
    """The sums of the month, and every difference found; none: all agree."""

    name: str
    closed: bool
    subscribers: int
    compared: tuple[Compared, ...]
    differences: tuple[str, ...]


def check_month(
    ending: MonthEnd, books: LedgerBooks, name: str, files: Mapping[str, bytes | None] | None = None
) -> MonthCheck:
    """Compare, contract by contract, what the export says, what the statements say, and what is booked.

    `files`: the export's files as they lie in a folder (None for one that is missing); without them the export is made
    anew. Nobody waits for it: when something was posted into the month meanwhile, it begins again. MonthRefusal as
    `export` says, and when the month does not come to rest.
    """
    first = billing_month_named(name, 1)
    for _ in range(_ATTEMPTS):
        before = (ending.statements.size(first.start, first.end), ending.statements.closed(name))
        checked = _check(ending, books, name, files)
        if before == (ending.statements.size(first.start, first.end), ending.statements.closed(name)):
            return checked
    raise MonthRefusal(f"{name} cannot be checked: something is posted into it all the time; try again")


def _check(ending: MonthEnd, books: LedgerBooks, name: str, files: Mapping[str, bytes | None] | None) -> MonthCheck:
    export = ending.export(name)
    closed = ending.statements.closed(name)
    first = billing_month_named(name, 1)
    statements = _by_contract(ending.statements_of(name), ending.written)
    booked = _booked(books.booked(first.start, first.end), ending.written)
    given = export.files()
    differences = list(_files_unlike(given, files)) if files is not None else []
    read = given | {file: content for file, content in (files or {}).items() if content is not None}
    exported = _exported(read[export.file_name].decode(errors="replace"), differences)
    differences += _control_unlike(read, export, exported)
    tax_booked = closed is not None and closed.layout > 1
    differences += _unlike("the export", "the statements", exported, statements, AMOUNTS)
    ledger_amounts = tuple(amount for amount in AMOUNTS if tax_booked or amount not in _WITH_TAX)
    differences += _unlike("the ledger", "the statements", booked, statements, ledger_amounts)
    if tax_booked:
        bills = {_key(bill, ending.written): {"total_yen": bill.total_yen} for bill in ending.statements.bills(name)}
        differences += _unlike("the bills", "the statements", bills, statements, ("total_yen",))
    compared = tuple(
        Compared(
            amount,
            _total(exported, amount),
            _total(statements, amount),
            _total(booked, amount) if amount in ledger_amounts else None,
        )
        for amount in AMOUNTS
    )
    return MonthCheck(name, closed is not None, len(statements), compared, tuple(differences))


def _key(one: Statement | Bill, written: Callable[[str], str]) -> Key:
    return written(one.subscriber), one.month.start.isoformat()


def _by_contract(statements: Iterable[Statement], written: Callable[[str], str]) -> dict[Key, Amounts]:
    return {
        _key(statement, written): {
            "charge_yen": statement.charge_yen,
            "credit_yen": statement.credit_yen,
            "adjustment_yen": statement.adjustment_yen,
            "payable_yen": statement.total_yen - statement.tax_yen,
            "tax_yen": statement.tax_yen,
            "total_yen": statement.total_yen,
        }
        for statement in statements
    }


def _booked(sums: Sequence[BookedSum], written: Callable[[str], str]) -> dict[Key, Amounts]:
    """The same amounts from the accounts: what is charged stands on the credit side."""
    found: dict[Key, dict[str, Yen]] = {}
    for one in sums:
        amounts = found.setdefault(
            (written(one.subscriber), one.month_start.isoformat()), dict.fromkeys((*AMOUNTS, "unknown"), 0)
        )
        amount, sign = _meaning(one.account)
        amounts[amount] += sign * one.yen
    for amounts in found.values():
        amounts["payable_yen"] = amounts["total_yen"] - amounts["tax_yen"]
    return dict(found)


def _meaning(account: str) -> tuple[str, int]:
    if account.startswith(_RECEIVABLE):
        return "total_yen", 1
    if account == _TAX:
        return "tax_yen", -1
    if account == _CREDIT:
        return "credit_yen", 1
    if account in _ADJUSTMENT_ACCOUNTS:
        return "adjustment_yen", -1
    return ("charge_yen", -1) if account.startswith(_REVENUE) else ("unknown", 1)


def _exported(text: str, differences: list[str]) -> dict[Key, Amounts]:
    """The amounts of the export file, read as the billing agent reads it; each row must add up."""
    found: dict[Key, Amounts] = {}
    for line, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), 2):
        try:
            charges = sum(int(row[name]) for name in _CHARGES)
            adjusted = sum(int(row.get(kind) or 0) for kind in _KINDS)
            amounts = {
                "charge_yen": charges,
                "credit_yen": int(row["credit_yen"]),
                "adjustment_yen": adjusted,
                "payable_yen": int(row["total_yen"]) - int(row["tax_yen"]),
                "tax_yen": int(row["tax_yen"]),
                "total_yen": int(row["total_yen"]),
            }
            key = row["subscriber"], row["period_start"]
        except (KeyError, TypeError, ValueError) as fault:
            differences.append(f"the export: line {line} cannot be read: {fault}")
            continue
        if key in found:
            differences.append(f"the export: line {line}: {key[0]} {key[1]} is there twice")
        whole = charges - amounts["credit_yen"] + adjusted + amounts["tax_yen"]
        if whole != amounts["total_yen"]:
            differences.append(f"the export: line {line}: total {amounts['total_yen']}, but its parts sum to {whole}")
        found[key] = amounts
    return found


def _files_unlike(given: Mapping[str, bytes], files: Mapping[str, bytes | None]) -> Iterator[str]:
    for name, content in given.items():
        found = files.get(name)
        if found is None:
            yield f"{name}: is missing"
        elif found != content:
            yield f"{name}: is not what the ledger gives (SHA-256 {_sha256(found)}, not {_sha256(content)})"


def _control_unlike(files: Mapping[str, bytes], export: MonthExport, exported: Mapping[Key, Amounts]) -> Iterator[str]:
    """Control totals and checksums against the files beside them, as the billing agent checks them."""
    name = f"denwa-{export.name}.control.csv"
    control = dict(line[:2] for line in csv.reader(io.StringIO(files[name].decode(errors="replace"))) if len(line) > 1)
    due = {
        "subscribers": len(exported),
        "credit_yen": _total(exported, "credit_yen"),
        "tax_yen": _total(exported, "tax_yen"),
        "total_yen": _total(exported, "total_yen"),
        "sha256": _sha256(files[export.file_name]),
    }
    for key, value in due.items():
        if control.get(key) != str(value):
            yield f"{name}: {key} is {control.get(key)}, but {export.file_name} has {value}"
    for line in files[f"denwa-{export.name}.sha256"].decode(errors="replace").splitlines():
        digest, _, file = line.partition("  ")
        if file not in files or _sha256(files[file]) != digest:
            yield f"denwa-{export.name}.sha256: {file} does not have the checksum {digest}"


def _unlike(
    one: str, other: str, ours: Mapping[Key, Amounts], theirs: Mapping[Key, Amounts], names: Sequence[str]
) -> Iterator[str]:
    nothing: Amounts = {}
    for key in sorted(ours.keys() | theirs.keys()):
        mine, its = ours.get(key, nothing), theirs.get(key, nothing)
        for name in (*names, "unknown"):
            if mine.get(name, 0) != its.get(name, 0):
                yield f"{key[0]} from {key[1]}: {name} is {mine.get(name, 0)} in {one}, {its.get(name, 0)} in {other}"


def _total(amounts: Mapping[Key, Amounts], name: str) -> Yen:
    return sum(one.get(name, 0) for one in amounts.values())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
