"""Whether the ledger has every charged call of the journal, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from denwa.rating.books import Difference, LedgerBooks
from denwa.rating.ports import EndedCall, JournalReader, LedgerStore, StatementReader

_AT_ONCE = 1000
_SHOWN = 20  # of one kind; their number is always told in full


def journal_differences(
    journal: JournalReader, ledger: LedgerStore, books: LedgerBooks, statements: StatementReader
) -> Iterator[Difference]:
    """Rated calls that are not in the journal, or under another subscriber there; and calls that rating passed over.

    Calls that cannot be rated are no difference: they are told as such. Reads both in pages, by their keys.
    """
    found: dict[str, list[str]] = {}
    for call in _rated_unlike(journal, books):
        found.setdefault("rated calls that the journal does not have so", []).append(call)
    for call in _passed_over(journal, ledger, statements):
        found.setdefault("ended calls that are neither rated nor told as a problem", []).append(call)
    for what, calls in found.items():
        yield Difference(f"ledger: {what}", tuple(calls[:_SHOWN]), len(calls))


def _rated_unlike(journal: JournalReader, books: LedgerBooks) -> Iterator[str]:
    after = -1
    while rated := books.rated_calls(after, _AT_ONCE):
        after = rated[-1].record_id
        recorded = {call.record_id: call for call in journal.ended([call.record_id for call in rated])}
        for call in rated:
            record = recorded.get(call.record_id)
            if record is None:
                yield f"{call.record_id} ({call.subscriber} {call.call_id})"
            elif (record.subscriber, record.call_id) != (call.subscriber, call.call_id):
                yield f"{call.record_id} ({call.subscriber} {call.call_id}, now {record.subscriber} {record.call_id})"


def _passed_over(journal: JournalReader, ledger: LedgerStore, statements: StatementReader) -> Iterator[str]:
    progress = ledger.progress()
    up_to = progress.read if journal.commits_in_order else progress.swept  # a sweep may still find what is above
    told = {problem.record_id for problem in statements.problems()}
    after = 0
    while after < up_to:
        calls, read = journal.ended_after(after, _AT_ONCE, up_to)
        if read == after:
            break
        after = read
        yield from _unrated(calls, statements, told)


def _unrated(calls: Sequence[EndedCall], statements: StatementReader, told: set[int]) -> Iterator[str]:
    rated = statements.rated({call.record_id for call in calls})
    for call in calls:
        if call.record_id not in rated and call.record_id not in told:
            yield f"{call.record_id} ({call.subscriber} {call.call_id})"
