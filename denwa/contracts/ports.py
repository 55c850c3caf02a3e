"""What contracts need from outside: a store with transactions, and how a dialled number is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import NamedTuple, Protocol

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
