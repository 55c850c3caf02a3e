"""Checks that the two databases say the same as the rules (`denwa db check`). They read and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from denwa.storage.migrate import JOURNAL, MAIN, current
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import credit_accounts, entries, postings

_SHOWN = 20  # of one kind; their number is always told in full


class Inconsistency(NamedTuple):
    """One broken rule: where, and which rows."""

    what: str
    rows: list[str]
    number: int

    def __str__(self) -> str:
        more = f" and {self.number - len(self.rows)} more" if self.number > len(self.rows) else ""
        return f"{self.what}: {', '.join(self.rows)}{more}" if self.rows else self.what


def check_schema(main: Engine, journal: Engine) -> list[Inconsistency]:
    """Both schemas are at the newest revision. The other checks need that."""
    found = []
    for schema, engine in ((MAIN, main), (JOURNAL, journal)):
        revision = current(schema, engine)
        if revision != schema.head:
            what = f"{schema.name}: schema is {revision or 'missing'}, not {schema.head}: run `denwa db upgrade`"
            found.append(Inconsistency(what, [], 1))
    return found


def check_main(engine: Engine, realm: str) -> list[Inconsistency]:
    """Contracts and ledger. `realm`: the digest realm in force."""
    with engine.execution_options(read_only=True).connect() as connection:
        return [*_contracts(connection, realm), *_ledger(connection)]


def check_journal(engine: Engine) -> list[Inconsistency]:
    """Call records: each as long as from its answer to its end (C4), each end numbered once."""
    ended, answered = calls.c.ended_at.is_not(None), calls.c.answered_at.is_not(None)
    rules = {
        "call records whose duration is not end minus answer": and_(
            ended, answered, calls.c.duration_ms != _millis(calls.c.ended_at) - _millis(calls.c.answered_at)
        ),
        "call records that end before they begin": or_(
            calls.c.ended_at < calls.c.started_at,
            calls.c.answered_at < calls.c.started_at,
            calls.c.duration_ms < 0,
        ),
        "unanswered call records with a duration": and_(not_(answered), calls.c.duration_ms != 0),
        "call records where end and end number do not go together": ended != calls.c.end_seq.is_not(None),
    }
    twice = select(calls.c.end_seq).where(calls.c.end_seq.is_not(None)).group_by(calls.c.end_seq)
    rules["call records that share an end number"] = calls.c.end_seq.in_(twice.having(func.count() > 1))
    with engine.execution_options(read_only=True).connect() as connection:
        return list(_broken(connection, calls.c.id, rules))


def _contracts(connection: Connection, realm: str) -> Iterator[Inconsistency]:
    terminated = subscribers.c.state == "terminated"
    rules: dict[str, ColumnElement[bool]] = {
        "subscribers with forwarding and voicemail both on (F2)": and_(
            subscribers.c.forward_mode != "off", subscribers.c.voicemail == true()
        ),
        "subscribers whose state and end of contract do not go together": terminated
        != subscribers.c.ended_at.is_not(None),
        "subscribers whose SIP account is not the end of the number (N2)": subscribers.c.number
        != "+8150" + subscribers.c.account,
        f"subscribers whose SIP password was set for another realm than {realm}": and_(
            subscribers.c.realm != realm, not_(terminated)
        ),
    }
    yield from _broken(connection, subscribers.c.number, rules)


def _ledger(connection: Connection) -> Iterator[Inconsistency]:
    total = connection.scalar(select(func.coalesce(func.sum(entries.c.yen), 0)))
    if total != 0:
        yield Inconsistency(f"ledger: all entries sum to {total} yen, not 0", [], 1)
    postings_of = (entries.c.record_id, entries.c.revision)
    unbalanced = select(*postings_of).group_by(*postings_of).having(func.sum(entries.c.yen) != 0)
    yield from _report(connection, "ledger: postings whose entries do not sum to 0", unbalanced)
    used = (
        select(postings.c.subscriber, func.sum(postings.c.credit_yen).label("yen"))
        .group_by(postings.c.subscriber)
        .subquery()
    )
    wrong = (
        select(credit_accounts.c.subscriber)
        .outerjoin(used, used.c.subscriber == credit_accounts.c.subscriber)
        .where(credit_accounts.c.used_yen != func.coalesce(used.c.yen, 0))
    )
    yield from _report(connection, "ledger: credit used is not the sum of its postings (T4)", wrong)


def _broken(
    connection: Connection, key: ColumnElement[Any], rules: dict[str, ColumnElement[bool]]
) -> Iterator[Inconsistency]:
    for what, rule in rules.items():
        yield from _report(connection, what, select(key).where(func.coalesce(rule, false())))


def _report(connection: Connection, what: str, query: Select[Any]) -> Iterator[Inconsistency]:
    found = query.subquery()
    count = connection.scalar(select(func.count()).select_from(found))
    if count:
        rows = connection.execute(select(found).limit(_SHOWN)).all()
        yield Inconsistency(what, ["/".join(map(str, row)) for row in rows], count)


def _millis(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger)
