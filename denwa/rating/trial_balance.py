"""The trial balance: every account, and whether journal, postings, entries, credit, statements and exports agree."""

from __future__ import annotations

from typing import NamedTuple

from denwa.rating.books import AccountTotal, LedgerBooks
from denwa.rating.journal_agreement import journal_differences
from denwa.rating.money import Yen
from denwa.rating.month_check import check_month
from denwa.rating.month_end import MonthEnd, MonthRefusal


class TrialBalance(NamedTuple):
    """`differences`: what does not agree, one text each; `months`: closed ones whose export was made anew."""

    accounts: tuple[AccountTotal, ...]
    months: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def debit_yen(self) -> Yen:
        return sum(account.debit_yen for account in self.accounts)

    @property
    def credit_yen(self) -> Yen:
        return sum(account.credit_yen for account in self.accounts)


def trial_balance(ending: MonthEnd, books: LedgerBooks) -> TrialBalance:
    """Reads everything and waits for nobody: each check sees one state of the ledger, and a posting is whole or not."""
    accounts = tuple(books.accounts())
    months = tuple(closed.name for closed in ending.statements.closed_months())
    shown = TrialBalance(accounts, months, ())
    differences = [str(found) for found in books.differences()]
    if shown.debit_yen != shown.credit_yen:
        differences.append(f"accounts: debit is {shown.debit_yen} yen, credit {shown.credit_yen}")
    journal = journal_differences(ending.journal, ending.ledger, books, ending.statements)
    differences += [str(found) for found in journal]
    for name in months:
        try:
            differences += check_month(ending, books, name).differences
        except MonthRefusal as refusal:
            differences.append(str(refusal))
    return shown._replace(differences=tuple(differences))
