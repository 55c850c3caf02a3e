"""The ledger: postings whose entries sum to zero, never changed once written (T13).

A posting says what happened to one contract (a call was charged, a charge was taken back, credit moved) with its whole
working, and books it on accounts. A correction is a posting of its own that names the one it corrects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from denwa.rating.billing_month import BillingMonth
from denwa.rating.charge import Charge
from denwa.rating.money import Yen, whole_yen


class PostingKind(StrEnum):
    CALL = "call"
    REVERSAL = "reversal"  # takes back what an earlier posting booked, in full
    CREDIT_MOVE = "credit"  # a call that ended earlier became known later: the credit is shared out anew (T4)


class Entry(NamedTuple):
    """An amount on an account; debit positive, credit negative."""

    account: str
    yen: Yen


class Posting(NamedTuple):
    """One line of a contract's ledger. Amounts are signed: a reversal carries the negated ones.

    `record_id` is the call record's; (`record_id`, `revision`) is unique, revision 0 is the rating of the call, so
    rating twice cannot charge twice. `month` is the billing month that the posting is billed in, `call_month_start` the
    first day of the month that the call belongs to (they differ for what became known after a month was closed).
    """

    record_id: int
    revision: int
    kind: PostingKind
    subscriber: str
    call_id: str
    ended_ms: int
    month: BillingMonth
    call_month_start: date
    calls: int
    charge: Charge
    credit_yen: Yen  # of this posting; for a CREDIT_MOVE the difference
    charge_yen: Yen
    corrects: int | None = None  # revision of the same record

    @property
    def payable_yen(self) -> Yen:
        return self.charge_yen - self.credit_yen


class RatedCall(NamedTuple):
    """A call as the ledger has it after all corrections."""

    rating: Posting  # the last one that charged it: revision 0, or a later one of kind CALL
    in_force: bool  # False: that rating was taken back
    credit_yen: Yen  # now
    revision: int  # the highest there is


class Correction(NamedTuple):
    """Who corrected a call, and why: goes with a posting that an operator caused."""

    record_id: int
    revision: int
    who: str
    reason: str


class UnbalancedError(AssertionError):
    """A posting's entries do not sum to zero."""


def call_posting(
    record_id: int,
    subscriber: str,
    call_id: str,
    ended_ms: int,
    charge: Charge,
    belongs: BillingMonth,
    billed: BillingMonth,
) -> Posting:
    """The posting that charges a call, with the credit that `charge` carries."""
    return Posting(
        record_id, 0, PostingKind.CALL, subscriber, call_id, ended_ms, billed, belongs.start, 1, charge,
        charge.credit_yen, charge.yen,
    )  # fmt: skip


def reversal(original: Posting, revision: int, billed: BillingMonth, credit_yen: Yen | None = None) -> Posting:
    """Takes back the rating `original` and the credit it has now, billed in the open month `billed`.

    `credit_yen`: the credit of the call now, when credit moved since `original`.
    """
    return original._replace(
        revision=revision,
        kind=PostingKind.REVERSAL,
        month=billed,
        calls=-original.calls,
        credit_yen=-(original.credit_yen if credit_yen is None else credit_yen),
        charge_yen=-original.charge_yen,
        corrects=original.revision,
    )


def credit_move(original: Posting, revision: int, difference: Yen, billed: BillingMonth) -> Posting:
    """Gives the call of `original` `difference` yen more credit (less, when negative) without touching its charge."""
    return original._replace(
        revision=revision,
        kind=PostingKind.CREDIT_MOVE,
        month=billed,
        calls=0,
        credit_yen=difference,
        charge_yen=0,
        corrects=original.revision,
    )


def as_it_stands(postings: Sequence[Posting]) -> RatedCall:
    """What all `postings` of one call (at least its rating, in any order) come to."""
    rating = max((posting for posting in postings if posting.kind is PostingKind.CALL), key=lambda p: p.revision)
    return RatedCall(
        rating,
        bool(sum(posting.calls for posting in postings)),
        sum(posting.credit_yen for posting in postings),
        max(posting.revision for posting in postings),
    )


def entries_of(posting: Posting) -> tuple[Entry, ...]:
    """The entries of a posting; none for a free call. Raises UnbalancedError, TypeError for money that is no int."""
    payable = whole_yen(posting.payable_yen)
    booked = (
        Entry(f"receivable:{posting.subscriber}", payable),
        Entry("credit-granted", whole_yen(posting.credit_yen)),
        Entry(f"revenue:{posting.charge.price.number_class}", -whole_yen(posting.charge_yen)),
    )
    check_balanced(booked)
    return tuple(entry for entry in booked if entry.yen)


def check_balanced(entries: Iterable[Entry]) -> None:
    """Raises UnbalancedError unless the amounts sum to zero."""
    total = sum(entry.yen for entry in entries)
    if total:
        raise UnbalancedError(f"entries sum to {total} yen, not to zero")
