"""The ledger on SQLite and PostgreSQL (port `denwa.rating.ports.LedgerStore`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from denwa.rating.ledger import Correction, Posting, RatedCall, entries_of
from denwa.rating.ports import BookedAdjustment, ClosedMonth, CreditState, Marks, Problem, Progress
from denwa.rating.statement import Statement
from denwa.storage.adjustment_rows import adjustments_where, append_adjustments
from denwa.storage.bill_rows import bill_row, closed_month_of
from denwa.storage.columns import from_millis
from denwa.storage.posting_rows import append, charged_calls, posting_of, posting_row
from denwa.storage.tables.rating import (
    adjustments,
    bills,
    closed_months,
    corrections,
    credit_accounts,
    entries,
    postings,
    rating_marks,
    rating_problems,
)

_JOURNAL = "journal"
_KEYS_AT_ONCE = 500  # parameters of one IN list


def chunks(values: Iterable[Any], size: int = _KEYS_AT_ONCE) -> Iterator[list[Any]]:
    """`values` in lists of at most `size`, as an IN list takes them."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def rated_among(connection: Connection, record_ids: Iterable[int]) -> set[int]:
    """Those of `record_ids` that have been rated."""
    found: set[int] = set()
    for chunk in chunks(record_ids):
        query = select(postings.c.record_id).where(postings.c.revision == 0, postings.c.record_id.in_(chunk))
        found.update(connection.scalars(query))
    return found


class SqlLedger:
    """The append-only ledger. Each transaction holds the lock of `rating_marks` (SQLite: of the database)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def progress(self) -> Progress:
        """Where rating stands, without waiting for a writer."""
        columns = rating_marks.c
        waiting = select(func.count()).where(rating_problems.c.solved_at.is_(None)).scalar_subquery()
        query = select(columns.read, columns.swept, columns.sweep_at_ms, waiting).where(columns.name == _JOURNAL)
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        return Progress(*row) if row else Progress(0, 0, 0, 0)

    @contextmanager
    def transaction(self) -> Iterator[SqlLedgerTransaction]:
        """Commits when the block ends, rolls back when it raises; raters take turns."""
        with self._engine.begin() as connection:
            yield SqlLedgerTransaction(connection)


class SqlLedgerTransaction:
    """Port `LedgerTransaction` on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        first = {"name": _JOURNAL, "read": 0, "swept": 0, "sweep_to": 0, "sweep_at_ms": 0}
        connection.execute(self._insert(rating_marks).values(first).on_conflict_do_nothing())
        columns = rating_marks.c
        row = connection.execute(
            select(columns.read, columns.swept, columns.sweep_to, columns.sweep_at_ms)
            .where(columns.name == _JOURNAL)
            .with_for_update()
        ).one()
        self._marks = Marks(*row)

    def marks(self) -> Marks:
        return self._marks

    def known(self, record_ids: Collection[int]) -> set[int]:
        return rated_among(self._connection, record_ids)

    def credit(self, subscribers: Collection[str]) -> dict[str, CreditState]:
        columns = credit_accounts.c
        states: dict[str, CreditState] = {}
        for chunk in chunks(subscribers):
            query = select(credit_accounts).where(columns.subscriber.in_(chunk)).with_for_update()
            states |= {row[0]: CreditState(*row[1:]) for row in self._connection.execute(query)}
        return states

    def charged(self, subscriber: str) -> list[RatedCall]:
        return charged_calls(self._connection, subscriber)

    def credited(self, subscriber: str) -> list[RatedCall]:
        return charged_calls(self._connection, subscriber, with_credit=True)

    def postings_of(self, record_id: int) -> list[Posting]:
        query = select(postings).where(postings.c.record_id == record_id).order_by(postings.c.revision)
        return [posting_of(row) for row in self._connection.execute(query)]

    def problems(self, limit: int) -> list[int]:
        columns = rating_problems.c
        query = select(columns.record_id).where(columns.solved_at.is_(None)).order_by(columns.record_id).limit(limit)
        return list(self._connection.scalars(query))

    def closed_months(self) -> dict[str, ClosedMonth]:
        return {month.name: month for month in map(closed_month_of, self._connection.execute(select(closed_months)))}

    def post(self, posted: Sequence[Posting], now_ms: int) -> None:
        if not posted:
            return
        append(self._connection, postings, [(*posting_row(posting), now_ms) for posting in posted])
        booked = [
            (posting.record_id, posting.revision, entry.account, entry.yen)
            for posting in posted
            for entry in entries_of(posting)
        ]
        if booked:
            append(self._connection, entries, booked)

    def put_credit(self, states: dict[str, CreditState]) -> None:
        if not states:
            return
        insert = self._insert(credit_accounts)
        changing = {name: insert.excluded[name] for name in ("used_yen", "last_ended_ms", "last_call_id")}
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=["subscriber"], set_=changing),
            [{"subscriber": subscriber} | state._asdict() for subscriber, state in states.items()],
        )

    def put_problems(self, problems: Sequence[Problem], solved: Collection[int], now_ms: int) -> None:
        at = from_millis(now_ms)
        if problems:
            insert = self._insert(rating_problems)
            self._connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["record_id"], set_={"problem": insert.excluded.problem, "solved_at": None}
                ),
                [problem._asdict() | {"found_at": at} for problem in problems],
            )
        columns = rating_problems.c
        waiting = select(columns.record_id).where(columns.solved_at.is_(None))
        for chunk in chunks(set(self._connection.scalars(waiting)).intersection(solved)):
            self._connection.execute(update(rating_problems).where(columns.record_id.in_(chunk)).values(solved_at=at))

    def put_marks(self, marks: Marks) -> None:
        self._connection.execute(update(rating_marks).where(rating_marks.c.name == _JOURNAL).values(**marks._asdict()))
        self._marks = marks

    def put_corrections(self, made: Sequence[Correction]) -> None:
        append(self._connection, corrections, list(made))

    def adjustments(self, references: Collection[str]) -> dict[str, BookedAdjustment]:
        return {
            booked.adjustment.reference: booked
            for chunk in chunks(references)
            for booked in adjustments_where(self._connection, adjustments.c.reference.in_(chunk))
        }

    def taken_back(self, references: Collection[str]) -> dict[str, str]:
        columns = adjustments.c
        return {
            original: back
            for chunk in chunks(references)
            for original, back in self._connection.execute(
                select(columns.corrects, columns.reference).where(columns.corrects.in_(chunk))
            )
        }

    def post_adjustments(self, booked: Sequence[BookedAdjustment]) -> None:
        append_adjustments(self._connection, booked)

    def close_month(self, month: ClosedMonth, statements: Sequence[Statement]) -> None:
        self._connection.execute(
            closed_months.insert().values(
                name=month.name,
                closed_at=from_millis(month.closed_at_ms),
                sha256=month.sha256,
                layout=month.layout,
                lines_sha256=month.lines_sha256,
            )
        )
        if statements:
            append(self._connection, bills, [bill_row(month.name, statement) for statement in statements])
