"""Whether the ledger's tables contradict one another: SQL alone, so that millions of postings are checked in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, case, func, literal, or_, select, union_all

from denwa.rating.books import Difference
from denwa.storage.tables.rating import (
    adjustment_entries,
    adjustments,
    bills,
    credit_accounts,
    entries,
    postings,
)

_SHOWN = 20  # of one kind; their number is always told in full


def ledger_differences(connection: Connection) -> Iterator[Difference]:
    """Every broken rule of the ledger, none when it is sound."""
    for name, table in (("entries", entries), ("entries of adjustments", adjustment_entries)):
        total = connection.scalar(select(func.coalesce(func.sum(table.c.yen), 0)))
        if total != 0:
            yield Difference(f"ledger: all {name} sum to {total} yen, not 0", (), 1)
    for what, query in _RULES.items():
        yield from broken(connection, f"ledger: {what}", query())


def broken(connection: Connection, what: str, query: Select[Any]) -> Iterator[Difference]:
    """The rows that break a rule; the columns of `query` name a row."""
    found = query.subquery()
    count = connection.scalar(select(func.count()).select_from(found))
    if count:
        rows = connection.execute(select(found).order_by(*found.c).limit(_SHOWN)).all()
        yield Difference(what, tuple("/".join(map(str, row)) for row in rows), count)


def _unbalanced() -> Select[Any]:
    key = (entries.c.record_id, entries.c.revision)
    return select(*key).group_by(*key).having(func.sum(entries.c.yen) != 0)


def _unbalanced_adjustments() -> Select[Any]:
    key = adjustment_entries.c.reference
    return select(key).group_by(key).having(func.sum(adjustment_entries.c.yen) != 0)


def _entries_alone() -> Select[Any]:
    same = and_(entries.c.record_id == postings.c.record_id, entries.c.revision == postings.c.revision)
    return (
        select(entries.c.record_id, entries.c.revision)
        .distinct()
        .outerjoin(postings, same)
        .where(postings.c.record_id.is_(None))
    )


def _entries_unlike_posting() -> Select[Any]:
    """Each account of a posting has just what the posting says."""
    columns = postings.c
    due: dict[str, tuple[ColumnElement[str], ColumnElement[int]]] = {
        "receivable": (literal("receivable:") + columns.subscriber, columns.charge_yen - columns.credit_yen),
        "credit": (literal("credit-granted"), columns.credit_yen),
        "revenue": (literal("revenue:") + columns.number_class, -columns.charge_yen),
    }
    same = and_(entries.c.record_id == columns.record_id, entries.c.revision == columns.revision)
    wrong = [
        func.coalesce(func.sum(case((entries.c.account == account, entries.c.yen), else_=0)), 0) != yen
        for account, yen in due.values()
    ]
    known = [account for account, _ in due.values()]
    other = func.sum(case((entries.c.account.in_(known), 0), (entries.c.account.is_(None), 0), else_=1)) > 0
    return (
        select(columns.record_id, columns.revision)
        .outerjoin(entries, same)
        .group_by(
            columns.record_id, columns.revision, columns.subscriber, columns.number_class,
            columns.charge_yen, columns.credit_yen,
        )
        .having(or_(*wrong, other))
    )  # fmt: skip


def _entries_unlike_adjustment() -> Select[Any]:
    columns = adjustments.c
    receivable = literal("receivable:") + columns.subscriber
    mine = func.coalesce(
        func.sum(case((adjustment_entries.c.account == receivable, adjustment_entries.c.yen), else_=0)), 0
    )
    return (
        select(columns.reference)
        .outerjoin(adjustment_entries, adjustment_entries.c.reference == columns.reference)
        .group_by(columns.reference, columns.subscriber, columns.yen)
        .having(or_(mine != columns.yen, func.count(adjustment_entries.c.account) != 2))
    )


def _wrongly_taken_back() -> Select[Any]:
    back, original = adjustments.alias("back"), adjustments.alias("original")
    return (
        select(back.c.reference)
        .join(original, original.c.reference == back.c.corrects)
        .where(
            or_(
                back.c.yen != -original.c.yen,
                back.c.subscriber != original.c.subscriber,
                back.c.tax != original.c.tax,
                back.c.kind != original.c.kind,
            )
        )
    )


def _calls_out_of_bounds() -> Select[Any]:
    """A call is charged once or not at all, never less than nothing, and credit is within its charge."""
    columns = postings.c
    calls, charge, credit = (func.sum(column) for column in (columns.calls, columns.charge_yen, columns.credit_yen))
    return (
        select(columns.record_id)
        .group_by(columns.record_id)
        .having(
            or_(
                calls.not_in([0, 1]), and_(calls == 0, charge != 0), charge < 0, credit < 0, credit > charge,
                func.min(columns.revision) != 0,
            )
        )
    )  # fmt: skip


def _credit_used() -> Select[Any]:
    used = _credit_by_contract()
    return (
        select(credit_accounts.c.subscriber)
        .outerjoin(used, used.c.subscriber == credit_accounts.c.subscriber)
        .where(credit_accounts.c.used_yen != func.coalesce(used.c.yen, 0))
    )


def _credit_above_the_grant() -> Select[Any]:
    used = _credit_by_contract()
    return (
        select(used.c.subscriber)
        .outerjoin(credit_accounts, used.c.subscriber == credit_accounts.c.subscriber)
        .where(used.c.yen > func.coalesce(credit_accounts.c.granted_yen, 0))
    )


def _credit_by_contract() -> Subquery:
    columns = postings.c
    return select(columns.subscriber, func.sum(columns.credit_yen).label("yen")).group_by(columns.subscriber).subquery()


def _unlike_bill() -> Select[Any]:
    """What was billed for a closed month is what the ledger has for it, tax left aside."""
    booked = union_all(
        select(
            postings.c.subscriber, postings.c.month_start, (postings.c.charge_yen - postings.c.credit_yen).label("yen")
        ),
        select(adjustments.c.subscriber, adjustments.c.month_start, adjustments.c.yen),
        select(bills.c.subscriber, bills.c.month_start, bills.c.tax_yen - bills.c.total_yen),
    ).subquery()
    sums = (
        select(booked.c.subscriber, booked.c.month_start)
        .group_by(booked.c.subscriber, booked.c.month_start)
        .having(func.sum(booked.c.yen) != 0)
        .subquery()
    )
    billed = and_(bills.c.subscriber == sums.c.subscriber, bills.c.month_start == sums.c.month_start)
    return select(sums.c.subscriber, sums.c.month_start).join(bills, billed)


_RULES = {
    "postings whose entries do not sum to 0": _unbalanced,
    "adjustments whose entries do not sum to 0": _unbalanced_adjustments,
    "entries without a posting": _entries_alone,
    "postings whose entries are not what they say": _entries_unlike_posting,
    "adjustments whose entries are not what they say": _entries_unlike_adjustment,
    "adjustments that do not take back just what they correct (T13)": _wrongly_taken_back,
    "calls charged twice, below 0, or with more credit than charge (T13)": _calls_out_of_bounds,
    "credit used is not the sum of its postings (T4)": _credit_used,
    "more credit given than granted (T4)": _credit_above_the_grant,
    "bills that are not what the ledger has for their month (L3)": _unlike_bill,
}
