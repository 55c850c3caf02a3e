"""The ledger's books: accounts with debit and credit, as a bookkeeper reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol

from denwa.rating.ledger import Correction, Posting
from denwa.rating.money import Yen


class AccountTotal(NamedTuple):
    """An account with everything that was ever booked on it. `credit_yen` is not signed."""

    account: str
    debit_yen: Yen
    credit_yen: Yen

    @property
    def balance_yen(self) -> Yen:
        """Debit positive."""
        return self.debit_yen - self.credit_yen


class BookedSum(NamedTuple):
    """What was booked on one account for one contract and billing month; debit positive."""

    subscriber: str  # E.164
    month_start: date
    account: str
    yen: Yen


class RatedRecord(NamedTuple):
    """A call record that was rated, as the ledger knows it."""

    record_id: int
    subscriber: str  # E.164
    call_id: str


class Difference(NamedTuple):
    """A broken rule of the books: what, and which rows."""

    what: str
    rows: tuple[str, ...]
    number: int  # of rows; `rows` may name the first of them only

    def __str__(self) -> str:
        more = f" and {self.number - len(self.rows)} more" if self.number > len(self.rows) else ""
        return f"{self.what}: {', '.join(self.rows)}{more}" if self.rows else self.what


class LedgerBooks(Protocol):
    """Reads the entries, not the postings that they were made from; sees what is committed."""

    def accounts(self) -> Sequence[AccountTotal]:
        """Every account, by name."""
        ...

    def booked(self, first_day: date, last_day: date) -> Sequence[BookedSum]:
        """What was booked for months that start from `first_day` to `last_day`; tax once the month is closed."""
        ...

    def rated_calls(self, after: int, limit: int) -> Sequence[RatedRecord]:
        """The next `limit` rated records with an id above `after`, by id."""
        ...

    def history(self, record_id: int) -> Sequence[tuple[Posting, Correction | None]]:
        """Every posting of a call, by revision, with who caused it if a person did."""
        ...

    def differences(self) -> Sequence[Difference]:
        """Where entries, postings, credit and bills contradict one another."""
        ...
