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

_ATTEMPTS = 5  # to prepare a close while nothing is posted into the month


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
        up: list[EndedCall] = []
        unrated: list[EndedCall] = []
        for page in self.journal.answered_between(first, end):
            mine = self._of_month(name, page)
            rated = self.statements.rated({call.record_id for call in mine})
            for call in mine:
                if not call.end_seq:
                    up.append(call)
                elif call.record_id not in rated:
                    unrated.append(call)
        return Hindrances(name, tuple(month for month in months if now_ms < month.end_ms), tuple(up), tuple(unrated))

    def _of_month(self, name: str, calls: Sequence[EndedCall]) -> list[EndedCall]:
        terms = self.accounts.terms({call.subscriber for call in calls})

        def belongs(call: EndedCall) -> bool:
            account = terms.get(call.subscriber)
            bill_day = account.bill_day if account else 1  # whose it is must be found out before the month is closed
            return billing_month_of(tokyo_day(call.answered_ms), bill_day).name == name

        return [call for call in calls if belongs(call)]

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
        """Close month `name`. MonthRefusal when it is closed or something hinders it.

        The export is made beside whatever else goes on; raters wait only while the result is written, if nothing was
        posted into the month meanwhile.
        """
        first = billing_month_named(name, 1)
        if self.statements.closed(name) is not None:
            raise _closed_already(name)
        hindrances = self.hindrances(name, now_ms)
        if hindrances:
            raise MonthRefusal(f"{name} cannot be closed: " + "; ".join(hindrances.texts()))
        for _ in range(_ATTEMPTS):
            size = self.statements.size(first.start, first.end)
            statements = self.statements_of(name)
            export = self._export(name, statements, LAYOUT)
            with self.ledger.transaction() as ledger:
                if name in ledger.closed_months():
                    raise _closed_already(name)
                if self.statements.size(first.start, first.end) == size:
                    closed = ClosedMonth(name, now_ms, export.sha256, LAYOUT, export.lines_sha256)
                    ledger.close_month(closed, statements)
                    return export
        raise MonthRefusal(f"{name} cannot be closed: something is posted into it all the time; try again")

    def _export(self, name: str, statements: Sequence[Statement], layout: int) -> MonthExport:
        first = billing_month_named(name, 1)
        corrected = self.statements.corrected(first.start, first.end)
        adjustments = self.statements.adjustments(first.start, first.end)
        return export_month(name, statements, self.written, corrected, adjustments, layout)


def _closed_already(name: str) -> MonthRefusal:
    return MonthRefusal(f"{name} is closed already; later corrections are billed in the next month")


def _check_same(what: str, closed: ClosedMonth, then: str, now: str) -> None:
    if then != now:
        raise MonthRefusal(
            f"{closed.name} was closed with checksum {then} of the {what}, but the ledger and tax data now give {now}"
        )
