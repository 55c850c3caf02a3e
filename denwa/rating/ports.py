"""What rating needs from outside: ended calls, what is known of a contract, a ledger to write into."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import NamedTuple, Protocol

from denwa.rating.adjustment import Adjustment
from denwa.rating.arithmetic.usage import UsedCall
from denwa.rating.billing_month import BillingMonth, billing_month_of
from denwa.rating.ledger import Correction, Posting, RatedCall
from denwa.rating.money import Yen
from denwa.rating.statement import LedgerSum, Statement
from denwa.rating.tariff import TaxClass

CHARGED_LEGS = ("outgoing", "forwarded")


class EndedCall(NamedTuple):
    """An answered call that has ended and whose leg is charged. Times in ms since 1970 UTC."""

    record_id: int
    end_seq: int
    call_id: str
    leg: str
    subscriber: str  # E.164
    number_class: str
    answered_ms: int
    ended_ms: int
    duration_ms: int
    end_cause: str
    callee: str  # E.164, or as dialled when it is no number


class FoundCall(NamedTuple):
    """An ended call, with the number that was called: E.164, or as dialled when it is no number."""

    call: EndedCall
    callee: str


class AccountTerms(NamedTuple):
    """What rating must know of a contract."""

    number: str  # E.164
    service_start_ms: int
    bill_day: int  # 1–28


class CreditState(NamedTuple):
    """T4: one total per contract. The last_ fields are of the call that ends last among those that used credit."""

    granted_yen: Yen
    used_yen: Yen
    last_ended_ms: int
    last_call_id: str


class Problem(NamedTuple):
    """A call that cannot be rated, and why. It stays visible until it is rated."""

    record_id: int
    subscriber: str
    call_id: str
    problem: str


class Marks(NamedTuple):
    """How far the journal has been read, as `end_seq`.

    A database that commits out of order can show a lower `end_seq` after a higher one. So everything above `swept` is
    looked at a second time, at least one sweep interval after it was first read.
    """

    read: int
    swept: int
    sweep_to: int  # `read` at the last sweep
    sweep_at_ms: int


class Progress(NamedTuple):
    """Where rating stands: the marks (see Marks), and how many calls could not be rated."""

    read: int
    swept: int
    sweep_at_ms: int
    problems: int


class ClosedMonth(NamedTuple):
    """A closed month, with what its export must come out as for ever."""

    name: str  # YYYY-MM
    closed_at_ms: int
    sha256: str  # of the export file
    layout: int = 1  # its columns, see month_export.py
    lines_sha256: str = ""  # of the file of lines, "" in layout 1


class BookedAdjustment(NamedTuple):
    """An adjustment in the ledger: its month is the one it is billed in."""

    adjustment: Adjustment
    asked_month_start: date  # of the month it was meant for
    posted_ms: int

    @property
    def asked(self) -> Adjustment:
        """The adjustment as it was asked for."""
        billed = self.adjustment.month
        return self.adjustment._replace(month=billing_month_of(self.asked_month_start, billed.start.day))


class Bill(NamedTuple):
    """What a contract was billed for a month that is closed; amounts after credit, with adjustments."""

    subscriber: str  # E.164
    month: BillingMonth
    taxed_yen: Yen
    exempt_yen: Yen
    out_of_scope_yen: Yen
    tax_percent: int
    tax_yen: Yen
    total_yen: Yen


class BilledPosting(NamedTuple):
    """A posting with what the journal knows of its call: `leg` and `callee` are "" when the record was deleted."""

    posting: Posting
    leg: str
    callee: str  # E.164, or as dialled
    answered_ms: int


class Accounts(Protocol):
    """Contracts, as far as rating is concerned."""

    def terms(self, numbers: Collection[str]) -> dict[str, AccountTerms]:
        """Terms of those of `numbers` that are (or were) subscribers."""
        ...

    def bill_days(self) -> set[int]:
        """Every bill day that a contract has."""
        ...


class JournalReader(Protocol):
    """Reads the journal's call records; never writes."""

    @property
    def commits_in_order(self) -> bool:
        """True when a record can never appear with an `end_seq` lower than one that was readable before."""
        ...

    def last_end_seq(self) -> int:
        """The highest `end_seq` there is, 0 when no call has ended."""
        ...

    def ended_after(self, end_seq: int, limit: int, up_to: int | None = None) -> tuple[Sequence[EndedCall], int]:
        """Charged calls among the next `limit` ended records after `end_seq`, and the `end_seq` read up to."""
        ...

    def ended(self, record_ids: Collection[int]) -> Sequence[EndedCall]:
        """Charged calls among `record_ids`, ended or not found ones left out."""
        ...

    def find(self, call_id: str, leg: str = "") -> Sequence[FoundCall]:
        """Charged calls that have ended, by SIP Call-ID, oldest first; of one leg if given."""
        ...

    def answered_between(self, first_ms: int, end_ms: int) -> Iterator[Sequence[EndedCall]]:
        """Charged calls answered in the half-open interval, in pages; `end_seq` and end are 0 while a call is up."""
        ...


class LedgerTransaction(Protocol):
    """One transaction on the ledger, alone with it until it ends."""

    def marks(self) -> Marks: ...

    def known(self, record_ids: Collection[int]) -> set[int]:
        """Those of `record_ids` that are rated."""
        ...

    def credit(self, subscribers: Collection[str]) -> dict[str, CreditState]: ...

    def charged(self, subscriber: str) -> Sequence[RatedCall]:
        """Every call of the contract that is charged something after all corrections."""
        ...

    def credited(self, subscriber: str) -> Sequence[RatedCall]:
        """Those of `charged` that have credit now; at most as many as the credit has yen."""
        ...

    def postings_of(self, record_id: int) -> Sequence[Posting]:
        """Every posting of a call, by revision; none when it is not rated."""
        ...

    def problems(self, limit: int) -> list[int]:
        """Record ids of calls that could not be rated, oldest first."""
        ...

    def closed_months(self) -> dict[str, ClosedMonth]: ...

    def post(self, postings: Sequence[Posting], now_ms: int) -> None: ...

    def put_credit(self, states: dict[str, CreditState]) -> None: ...

    def put_problems(self, problems: Sequence[Problem], solved: Collection[int], now_ms: int) -> None: ...

    def put_marks(self, marks: Marks) -> None: ...

    def put_corrections(self, made: Sequence[Correction]) -> None:
        """Who caused postings of `post`, and why."""
        ...

    def adjustments(self, references: Collection[str]) -> dict[str, BookedAdjustment]:
        """Those of `references` that there are."""
        ...

    def taken_back(self, references: Collection[str]) -> dict[str, str]:
        """Those of `references` that are taken back, each with the reference of what takes it back."""
        ...

    def post_adjustments(self, booked: Sequence[BookedAdjustment]) -> None: ...

    def close_month(self, month: ClosedMonth, statements: Sequence[Statement]) -> None:
        """Close a month and keep what each contract is billed, which books the tax."""
        ...


class StatementReader(Protocol):
    """Reads the ledger for statements; sees what is committed."""

    def sums(self, first_day: date, last_day: date, subscriber: str = "") -> Sequence[LedgerSum]:
        """Sums of the postings billed in months that start from `first_day` to `last_day`."""
        ...

    def size(self, first_day: date, last_day: date) -> tuple[int, int]:
        """How many postings and adjustments are billed in those months. None ever goes, so size tells change."""
        ...

    def adjustments(self, first_day: date, last_day: date, subscriber: str = "") -> Sequence[BookedAdjustment]:
        """Adjustments billed in months that start from `first_day` to `last_day`, in the order they were posted."""
        ...

    def postings(self, subscriber: str, first_day: date, last_day: date) -> Sequence[Posting]:
        """Every posting billed to one contract in those months, in the order in which the calls ended."""
        ...

    def corrected(self, first_day: date, last_day: date) -> Sequence[Posting]:
        """Postings billed in those months that are not a call's first rating in the month of the call."""
        ...

    def bills(self, name: str, subscriber: str = "") -> Sequence[Bill]:
        """What was billed when month `name` was closed, by subscriber; none while it is open."""
        ...

    def rated(self, record_ids: Collection[int]) -> set[int]:
        """Those of `record_ids` that are rated."""
        ...

    def closed(self, name: str) -> ClosedMonth | None: ...

    def closed_months(self) -> Sequence[ClosedMonth]:
        """Every closed month, by name."""
        ...

    def problems(self) -> Sequence[Problem]:
        """Calls that cannot be rated, oldest first."""
        ...


class LedgerStore(Protocol):
    def progress(self) -> Progress:
        """How far rating is, looked up without waiting for a transaction that runs."""
        ...

    def transaction(self) -> AbstractContextManager[LedgerTransaction]:
        """Commits when the block ends, rolls back when it raises. One at a time, over all processes."""
        ...


class ContractHistory(Protocol):
    """What one contract used and is billed for, from the ledger."""

    def months(
        self, subscribers: Collection[str], first_day: date, last_day: date
    ) -> dict[str, dict[date, dict[TaxClass, Yen]]]:
        """What is payable for the calls that belong to billing months that start from `first_day` to `last_day`.

        By subscriber, first day of the month and tax class; after credit, with all corrections, wherever billed.
        """
        ...

    def calls(self, subscriber: str, first_day: date, last_day: date) -> Sequence[UsedCall]:
        """The calls that belong to those months, by the time they were answered; those taken back are left out."""
        ...

    def billed(self, subscriber: str, month: BillingMonth) -> Sequence[BilledPosting]:
        """Every posting that is billed in `month`, by the time the call was answered."""
        ...
