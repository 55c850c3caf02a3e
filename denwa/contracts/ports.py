"""What contracts need from outside: a store with transactions, how a dialled number is read, rules of the rating."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import NamedTuple, Protocol

from denwa.contracts.billing_life import Bill
from denwa.contracts.dormancy import QuietContract
from denwa.contracts.measures import Measure
from denwa.contracts.notices import Notice, NoticeState
from denwa.contracts.payments import PaymentResult
from denwa.contracts.stopped_forwarding import StoppedForwarding
from denwa.contracts.subscriber import State, Subscriber
from denwa.numbering import Reading, Refusal


class Change(NamedTuple):
    """One entry of the change log (O1)."""

    seq: int
    at: datetime
    who: str
    subscriber: str
    what: str


class ContractsUnit(Protocol):
    """One transaction. Only one runs at a time on a database, so what it reads stays true until it ends."""

    def find(self, number: str) -> Subscriber | None: ...

    def given(self, numbers: Sequence[str]) -> set[str]:
        """Those of `numbers` (at most 1,000) that were ever given to a subscriber."""
        ...

    def given_from(self, first: str, last: str) -> Iterator[str]:
        """Numbers ever given from `first` to `last`, in order, read as they are asked for."""
        ...

    def add(self, subscribers: Sequence[Subscriber], what: str) -> None:
        """Put new subscribers in; each gets an entry `what` in the change log."""
        ...

    def replace(self, subscriber: Subscriber, what: str) -> None:
        """Write every column of a subscriber that exists."""
        ...

    def stock_position(self, first: str) -> str | None:
        """The number from which the range that begins at `first` is searched; None when it is untouched."""
        ...

    def move_stock(self, first: str, last: str, position: str) -> None: ...

    def blocked(self, number: str) -> list[str]: ...

    def block(self, number: str, blocked: str) -> None: ...

    def unblock(self, number: str, blocked: str) -> None: ...

    def numbers_on_card(self, card_token: str) -> list[str]:
        """Numbers ever given on a payment card, of ended contracts too, in the order in which they were given (T7)."""
        ...

    def log(self, numbers: Sequence[str], what: str) -> None:
        """An entry in the change log of each number, without a change of the subscriber itself (O1)."""
        ...

    def bills(self, number: str) -> list[Bill]:
        """Bills that are not paid, by month."""
        ...

    def bill(self, number: str, month: str) -> Bill | None: ...

    def add_bills(self, month: str, bills: Sequence[Bill]) -> None:
        """Take the bills of a closed month in, and remember that its bills were taken in."""
        ...

    def put_bill(self, bill: Bill) -> None: ...

    def put_interest(self, bills: Sequence[Bill]) -> None:
        """Write what late payment of these bills has cost."""
        ...

    def bills_of(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Bill]:
        """The bills, paid ones too, of pairs of number and month (at most 1,000)."""
        ...

    def payment_results(self, references: Collection[str]) -> dict[str, PaymentResult]:
        """Those results that were read before under one of `references` (at most 1,000)."""
        ...

    def put_results(self, results: Sequence[tuple[PaymentResult, Bill]]) -> None:
        """Keep what the agent said with the bills as they are after it; each gets an entry in the change log."""
        ...

    def measures(self, number: str) -> list[Measure]:
        """Measures that are announced or in force, in the order in which they were made."""
        ...

    def add_measure(self, measure: Measure) -> Measure:
        """The measure with its key."""
        ...

    def put_measure(self, measure: Measure) -> None:
        """Write state and day; the moment at which it began or ended is kept with it."""
        ...

    def notices(self, number: str) -> list[Notice]:
        """Every notice to the subscriber, in the order in which they were written."""
        ...

    def add_notice(self, notice: Notice) -> None:
        """Nothing changes when (subscriber, kind, about) is there already."""
        ...

    def put_notice(self, notice: Notice) -> None: ...

    def stopped_forwardings(self, number: str) -> list[StoppedForwarding]:
        """Those of a subscriber that may not be set again, in the order in which they were stopped (F5)."""
        ...

    def add_stopped_forwarding(self, number: str, target: str, reason: str) -> StoppedForwarding:
        """The stop with its key."""
        ...

    def allow_forwarding(self, keys: Collection[int]) -> None: ...

    def mail(self, notice: Notice, recipient: str, mail_id: str) -> None:
        """Hand a notice to the mail that goes out, with this transaction, once for one Message-ID."""
        ...


class ContractsStore(Protocol):
    def changing(self, who: str, now: datetime) -> AbstractContextManager[ContractsUnit]:
        """A transaction that is committed when the block ends and undone when it raises."""
        ...

    def find(self, number: str) -> Subscriber | None: ...

    def each(self, state: State | None = None) -> Iterable[Subscriber]:
        """Subscribers by number, all or those in one state."""
        ...

    def blocked(self, number: str) -> list[str]:
        """The blocklist in the order in which it was made."""
        ...

    def changes(self, number: str) -> list[Change]:
        """The change log of one subscriber, oldest first."""
        ...


class DialPlan(Protocol):
    """The part of the numbering plan that contracts use."""

    def read(self, dialled: str, on: date) -> Reading | Refusal: ...


class ListedBill(NamedTuple):
    """A bill as the operator sees it: with the agent's last reference for it, "" before the first result."""

    bill: Bill
    reference: str


class ListedNotice(NamedTuple):
    """A notice as the operator sees it. `mail`: where it goes by mail, "" when there is no address; `delivery`: what
    became of the mail: waiting | sent | undeliverable, "" when there is no trace (any more)."""

    notice: Notice
    mail: str
    delivery: str


class ClosedBill(NamedTuple):
    """What a contract was billed when a month was closed; yen, tax included (`late_interest_yen` is part of it)."""

    subscriber: str
    month: str
    period_start: date
    period_end: date
    total_yen: int
    late_interest_yen: int


class BillingStore(Protocol):
    """What the daily step and its lists read; each method sees what is committed."""

    def changing(self, who: str, now: datetime) -> AbstractContextManager[ContractsUnit]:
        """As in ContractsStore."""
        ...

    def months_to_take_in(self) -> list[str]:
        """Closed months whose bills were not taken in."""
        ...

    def closed_bills(self, month: str) -> list[ClosedBill]: ...

    def unsettled(self, due_before: date | None) -> list[str]:
        """Numbers with a bill that failed or a measure that is announced or in force; with `due_before` also those with
        a bill due before that day without a result."""
        ...

    def quiet_contracts(self) -> list[QuietContract]:
        """Every contract that has not ended, by number."""
        ...

    def dormancy_notices(self) -> dict[str, list[Notice]]:
        """Notices of dormancy by number."""
        ...

    def listed_notices(self, state: NoticeState | None = None, number: str = "") -> list[ListedNotice]: ...

    def undelivered(self) -> list[Notice]:
        """Notices given by mail whose mail came to be undeliverable."""
        ...

    def listed_bills(self, *, number: str = "", unpaid: bool = False) -> list[ListedBill]: ...

    def paid_without_interest(self) -> list[Bill]:
        """Paid bills of which it is not known what late payment has cost."""
        ...

    def listed_measures(self, number: str = "", *, live: bool = False) -> list[Measure]:
        """Measures by number and age; `live`: only those announced or in force."""
        ...


class LateInterestRule(Protocol):
    def __call__(self, subscriber: str, principal_yen: int, due_on: date, paid_on: date) -> tuple[int, str]:
        """T11, by the terms of this subscriber (E.164; L4): (yen, working); 0 yen when none is due."""
        ...


class InterestLedger(Protocol):
    def __call__(self, bill: Bill, yen: int, working: str, who: str, now: datetime) -> None:
        """Charge the interest on a bill that was paid late; the same bill again changes nothing."""
        ...


class NumberFeeLedger(Protocol):
    def __call__(self, who: str, now: datetime) -> list[tuple[str, str]]:
        """T7: charge the fees for further numbers on one card that are not in the ledger yet.

        What was charged now: (E.164, working). Doing it again charges nothing.
        """
        ...


class DormancyRule(Protocol):
    def __call__(self, contract: QuietContract) -> date:
        """The first day on which the contract has had 12 months in a row without a bill."""
        ...
