"""A rater in a process of its own: `python -m tests.storage.rater_process MAIN_URL JOURNAL_URL [HOLD_AT]`.

Says `ready`, rates from the first line of its standard input until nothing is left, says how many calls it rated. With
HOLD_AT it stops for ever in the middle of its HOLD_AT-th transaction, everything written and nothing committed, and
says `holding`.
"""

from __future__ import annotations

import sys

from denwa.rating.ports import Marks
from denwa.rating.rate_calls import Rater
from denwa.storage.ended_calls import SqlJournalReader
from denwa.storage.engine import open_engine
from denwa.storage.rating_accounts import SqlAccounts
from denwa.storage.rating_store import SqlLedger, SqlLedgerTransaction
from tests.rating.journal_rows import NOW_MS
from tests.rating.shipped import BOOK

CALLS_AT_ONCE = 25


def say(text: str) -> None:
    print(text, flush=True)


def hold_at(transaction: int) -> None:
    put_marks = SqlLedgerTransaction.put_marks
    seen = 0

    def put_and_perhaps_hold(self: SqlLedgerTransaction, marks: Marks) -> None:
        nonlocal seen
        seen += 1
        put_marks(self, marks)
        if seen == transaction:
            say("holding")
            sys.stdin.read()

    SqlLedgerTransaction.put_marks = put_and_perhaps_hold  # type: ignore[method-assign]


def main(main_url: str, journal_url: str, held_transaction: str = "") -> None:
    if held_transaction:
        hold_at(int(held_transaction))
    engines = open_engine(main_url), open_engine(journal_url)
    rater = Rater(SqlJournalReader(engines[1]), SqlLedger(engines[0]), SqlAccounts(engines[0]), BOOK)
    rater.ledger.progress()
    say("ready")
    sys.stdin.readline()
    rated, more = 0, True
    while more:
        step = rater.rate_ended_calls(NOW_MS, CALLS_AT_ONCE)
        rated, more = rated + step.rated, step.more
    say(str(rated))


if __name__ == "__main__":
    main(*sys.argv[1:])
