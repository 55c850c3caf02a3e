"""Checks that the two databases say the same as the rules (`denwa db check`). They read and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
)

from denwa.rating.books import Difference
from denwa.storage.ledger_checks import broken, ledger_differences
from denwa.storage.migrate import JOURNAL, MAIN, current
from denwa.storage.tables.billing import claims, measures, payment_results
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import bills


def check_schema(main: Engine, journal: Engine) -> list[Difference]:
    """Both schemas are at the newest revision. The other checks need that."""
    found = []
    for schema, engine in ((MAIN, main), (JOURNAL, journal)):
        revision = current(schema, engine)
        if revision != schema.head:
            what = f"{schema.name}: schema is {revision or 'missing'}, not {schema.head}: run `denwa db upgrade`"
            found.append(Difference(what, (), 1))
    return found


def check_main(engine: Engine, realm: str) -> list[Difference]:
    """Contracts and ledger. `realm`: the digest realm in force."""
    with engine.execution_options(read_only=True).connect() as connection:
        return [*_contracts(connection, realm), *_billing(connection), *ledger_differences(connection)]


def check_journal(engine: Engine) -> list[Difference]:
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
    rules["forwarded call records that are not as long as their call (F4)"] = _apart_from_their_call()
    with engine.execution_options(read_only=True).connect() as connection:
        return list(_broken(connection, calls.c.id, rules))


def _apart_from_their_call() -> ColumnElement[bool]:
    """A forwarded call is answered and ended with the call that it belongs to, as long as that one is kept."""
    whole = calls.alias()
    never = func.coalesce(type_coerce(whole.c.answered_at, BigInteger), 0)
    still = func.coalesce(type_coerce(whole.c.ended_at, BigInteger), 0)
    kept = select(whole.c.call_id).where(whole.c.leg != "forwarded")
    same = select(whole.c.call_id, never, still).where(whole.c.leg != "forwarded")
    here = tuple_(
        calls.c.call_id,
        func.coalesce(type_coerce(calls.c.answered_at, BigInteger), 0),
        func.coalesce(type_coerce(calls.c.ended_at, BigInteger), 0),
    )
    return and_(calls.c.leg == "forwarded", calls.c.call_id.in_(kept), here.not_in(same))


def _contracts(connection: Connection, realm: str) -> Iterator[Difference]:
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


def _billing(connection: Connection) -> Iterator[Difference]:
    in_force = measures.c.state == "in-force"
    suspends = select(measures.c.id).where(measures.c.subscriber == subscribers.c.number, in_force).exists()
    rule = (subscribers.c.state == "suspended") != suspends
    what = "subscribers whose state and suspensions do not go together (L2)"
    yield from _broken(connection, subscribers.c.number, {what: rule})
    of_month = and_(bills.c.subscriber == claims.c.subscriber, bills.c.month == claims.c.month)
    closed = select(bills.c.total_yen).where(of_month).scalar_subquery()
    collected = and_(
        payment_results.c.subscriber == claims.c.subscriber,
        payment_results.c.month == claims.c.month,
        payment_results.c.outcome == "paid",
    )
    paid = select(payment_results.c.reference).where(collected).exists()
    rules: dict[str, ColumnElement[bool]] = {
        "bills to be paid that are not those of the closed month (L3)": claims.c.total_yen != func.coalesce(closed, 0),
        "bills whose payment and the agent's results do not go together (L3)": (claims.c.state == "paid") != paid,
    }
    for what, rule in rules.items():
        yield from broken(connection, what, select(claims.c.subscriber, claims.c.month).where(rule))


def _broken(
    connection: Connection, key: ColumnElement[Any], rules: dict[str, ColumnElement[bool]]
) -> Iterator[Difference]:
    for what, rule in rules.items():
        yield from broken(connection, what, select(key).where(func.coalesce(rule, false())))


def _millis(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger)
