"""The end of a billing month: what stands in the way of closing it, its statements, closing it once (L3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from denwa.rating.billing_month import BillingMonth, billing_month_named, billing_month_of, tokyo_day
from denwa.rating.month_export import LAYOUT, MonthExport, export_month
from denwa.rating.ports import Accounts, ClosedMonth, EndedCall, JournalReader, LedgerStore, StatementReader
from denwa.rating.statement import Statement, statements_of
from denwa.rating.tax import TaxRates


class MonthRefusal(Exception):
    """The month cannot be closed, or not exported as it was closed; the text says why."""


class Hindrances(NamedTuple):
    """Why a month cannot be closed now."""

    name: str  # YYYY-MM
    not_over: tuple[BillingMonth, ...]  # billing months of contracts that go on
    up: tuple[EndedCall, ...]  # calls of the month that have not ended
    unrated: tuple[EndedCall, ...]

    def __bool__(self) -> bool:
        return bool(self.not_over or self.up or self.unrated)

    def texts(self) -> list[str]:
        """One sentence each, for a person."""
        said = []
        if self.not_over:
            last = max(month.end for month in self.not_over)
            said.append(f"a billing month that started in {self.name} lasts until the end of {last}")
        if self.up:
            said.append(f"calls that have not ended: {len(self.up)} (denwa calls --active)")
        if self.unrated:
            said.append(f"calls that are not rated: {len(self.unrated)} (denwa month show {self.name})")
        return said


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """`YYYY-MM` names the billing months that start in that calendar month, whatever a contract's start day is."""

    journal: JournalReader
    accounts: Accounts
    ledger: LedgerStore
    statements: StatementReader
    tax: TaxRates
    written: Callable[[str], str]  # a subscriber's number in the form it has in files

    def hindrances(self, name: str, now_ms: int) -> Hindrances:
        """What stands in the way of closing month `name`. MonthNameError for what is no month."""
        months = [billing_month_named(name, bill_day) for bill_day in sorted(self.accounts.bill_days() | {1})]
        first, end = min(month.start_ms for month in months), max(month.end_ms for month in months)
        ended, up = self.journal.answered_between(first, end)
        terms = self.accounts.terms({call.subscriber for call in (*ended, *up)})

        def belongs(call: EndedCall) -> bool:
            account = terms.get(call.subscriber)
            bill_day = account.bill_day if account else 1  # whose it is must be found out before the month is closed
            return billing_month_of(tokyo_day(call.answered_ms), bill_day).name == name

        mine = [call for call in ended if belongs(call)]
        rated = self.statements.rated({call.record_id for call in mine})
        return Hindrances(
            name,
            tuple(month for month in months if now_ms < month.end_ms),
            tuple(call for call in up if belongs(call)),
            tuple(call for call in mine if call.record_id not in rated),
        )

    def statements_of(self, name: str, subscriber: str = "") -> Sequence[Statement]:
        """Statements of month `name` as the ledger has them now, by subscriber; of one subscriber (E.164) if given."""
        first = billing_month_named(name, 1)
        return statements_of(
            self.statements.sums(first.start, first.end, subscriber),
            self.tax,
            (booked.adjustment for booked in self.statements.adjustments(first.start, first.end, subscriber)),
        )

    def export(self, name: str) -> MonthExport:
        """The export. MonthRefusal when the month was closed and the ledger does not give the same bytes any more."""
        closed = self.statements.closed(name)
        export = self._export(name, self.statements_of(name), closed.layout if closed else LAYOUT)
        if closed is not None:
            _check_same("statements", closed, closed.sha256, export.sha256)
            _check_same("lines", closed, closed.lines_sha256, export.lines_sha256)
        return export

    def close(self, name: str, now_ms: int) -> MonthExport:
        """Close month `name`; no rating runs meanwhile. MonthRefusal when it is closed or something hinders it."""
        with self.ledger.transaction() as ledger:
            if name in ledger.closed_months():
                raise MonthRefusal(f"{name} is closed already; later corrections are billed in the next month")
            hindrances = self.hindrances(name, now_ms)
            if hindrances:
                raise MonthRefusal(f"{name} cannot be closed: " + "; ".join(hindrances.texts()))
            statements = self.statements_of(name)
            export = self._export(name, statements, LAYOUT)
            ledger.close_month(ClosedMonth(name, now_ms, export.sha256, LAYOUT, export.lines_sha256), statements)
        return export

    def _export(self, name: str, statements: Sequence[Statement], layout: int) -> MonthExport:
        first = billing_month_named(name, 1)
        corrected = self.statements.corrected(first.start, first.end)
        adjustments = self.statements.adjustments(first.start, first.end)
        return export_month(name, statements, self.written, corrected, adjustments, layout)


def _check_same(what: str, closed: ClosedMonth, then: str, now: str) -> None:
    if then != now:
        raise MonthRefusal(
            f"{closed.name} was closed with checksum {then} of the {what}, but the ledger and tax data now give {now}"
        )
