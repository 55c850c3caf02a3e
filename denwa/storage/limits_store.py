"""Orders in congestion, holds on subscribers' calls, limits of single subscribers, the operator's alarm mails, and what
calls have cost so far."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Engine, and_, delete, insert, or_, select, type_coerce, update

from denwa.rating.ports import CHARGED_LEGS
from denwa.storage.tables.journal import calls
from denwa.storage.tables.limits import call_holds, congestion_orders, own_limits
from denwa.storage.tables.voicemail import outbox
from denwa.voicemail.letters import Kind, Letter

_PAGE = 2000


class OrderRow(NamedTuple):
    """`kind` and `value` as `denwa.voip.proxy.congestion` names them; `until_at` None: until it is taken back."""

    id: int
    kind: str
    value: str
    from_at: datetime
    until_at: datetime | None
    made_by: str


class HoldRow(NamedTuple):
    """`kind` as `denwa.voip.proxy.fraud` names it; `until_at` None: until a person lifts it."""

    id: int
    subscriber: str  # E.164
    kind: str
    reason: str
    from_at: datetime
    until_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str


class EndedRow(NamedTuple):
    """A call that somebody is charged for. Times in ms since 1970 UTC."""

    subscriber: str
    number_class: str
    callee: str
    answered_ms: int
    ended_ms: int
    duration_ms: int
    end_cause: str


class SqlLimits:
    """Over an engine of `denwa.storage.engine.open_main`. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    # -- orders in congestion (C7) --------------------------------------------------------------------------------

    def orders(self, now: datetime) -> list[OrderRow]:
        """In force or to come, oldest first."""
        o = congestion_orders.c
        standing = and_(o.ended_at.is_(None), or_(o.until_at.is_(None), o.until_at > now))
        query = select(o.id, o.kind, o.value, o.from_at, o.until_at, o.made_by).where(standing).order_by(o.id)
        return [OrderRow(*row) for row in self._rows(query)]

    def give_order(self, kind: str, value: str, now: datetime, until: datetime | None, who: str) -> None:
        """An order of a kind takes the place of the one before."""
        o = congestion_orders.c
        with self._engine.begin() as connection:
            before = update(congestion_orders).where(o.kind == kind, o.ended_at.is_(None))
            connection.execute(before.values(ended_at=now, ended_by=who))
            values = {"kind": kind, "value": value, "from_at": now, "until_at": until, "made_by": who, "ended_by": ""}
            connection.execute(insert(congestion_orders).values(values))

    def end_orders(self, now: datetime, who: str) -> int:
        """Take all back; returns how many were in force."""
        standing = len(self.orders(now))
        with self._engine.begin() as connection:
            ended = update(congestion_orders).where(congestion_orders.c.ended_at.is_(None))
            connection.execute(ended.values(ended_at=now, ended_by=who))
        return standing

    # -- holds (C6) -----------------------------------------------------------------------------------------------

    def holds(self, now: datetime, subscriber: str = "") -> list[HoldRow]:
        """In force, oldest first."""
        h = call_holds.c
        query = select(call_holds).where(h.lifted_at.is_(None), or_(h.until_at.is_(None), h.until_at > now))
        return self._holds(query, subscriber)

    def all_holds(self, subscriber: str) -> list[HoldRow]:
        """Those that are over, too."""
        return self._holds(select(call_holds), subscriber)

    def _holds(self, query: Any, subscriber: str) -> list[HoldRow]:
        if subscriber:
            query = query.where(call_holds.c.subscriber == subscriber)
        return [HoldRow(*row) for row in self._rows(query.order_by(call_holds.c.id))]

    def hold(self, subscriber: str, kind: str, reason: str, now: datetime, until: datetime | None) -> None:
        """A subscriber has one hold of a kind: while one is in force, nothing is added."""
        h = call_holds.c
        standing = (h.subscriber == subscriber, h.kind == kind, h.lifted_at.is_(None))
        with self._engine.begin() as connection:
            found = select(h.id).where(*standing, or_(h.until_at.is_(None), h.until_at > now))
            if connection.scalar(found) is None:
                values = {"subscriber": subscriber, "kind": kind, "reason": reason, "from_at": now, "until_at": until}
                connection.execute(insert(call_holds).values(values | {"lifted_by": ""}))

    def lift(self, subscriber: str, now: datetime, who: str) -> int:
        """End every hold of a subscriber; returns how many were in force."""
        standing = len(self.holds(now, subscriber))
        h = call_holds.c
        with self._engine.begin() as connection:
            lifted = update(call_holds).where(h.subscriber == subscriber, h.lifted_at.is_(None))
            connection.execute(lifted.values(lifted_at=now, lifted_by=who))
        return standing

    def lifted_since(self, moment: datetime) -> dict[str, datetime]:
        """Subscriber -> when a hold of its was last lifted."""
        h = call_holds.c
        query = select(h.subscriber, h.lifted_at).where(h.lifted_at >= moment).order_by(h.lifted_at)
        return {row.subscriber: row.lifted_at for row in self._rows(query)}

    # -- limits of one subscriber (C6) ----------------------------------------------------------------------------

    def own(self) -> dict[str, dict[str, int]]:
        """Subscriber -> name -> value, of all that have limits of their own."""
        o = own_limits.c
        found: dict[str, dict[str, int]] = {}
        for row in self._rows(select(o.subscriber, o.name, o.value).order_by(o.subscriber, o.name)):
            found.setdefault(row.subscriber, {})[row.name] = row.value
        return found

    def set_own(self, subscriber: str, values: Mapping[str, int | None], now: datetime, who: str) -> None:
        """`None` gives a limit back to the service's. Those not named stay as they are."""
        o = own_limits.c
        with self._engine.begin() as connection:
            connection.execute(delete(own_limits).where(o.subscriber == subscriber, o.name.in_(list(values))))
            rows = [
                {"subscriber": subscriber, "name": name, "value": value, "set_at": now, "set_by": who}
                for name, value in values.items()
                if value is not None
            ]
            if rows:
                connection.execute(insert(own_limits), rows)

    # -- alarms ---------------------------------------------------------------------------------------------------

    def mail(self, subject: str, text: str, recipients: Sequence[str], sender: str, now: datetime) -> None:
        """Queue a mail to each of the operator's addresses."""
        letter = Letter(Kind.SERVICE_NOTICE, "", "", "", "", 0, subject=subject, text=text)
        domain = sender.rpartition("@")[2]
        rows = [
            {
                "message_id": f"<alarm-{secrets.token_hex(12)}@{domain}>",
                "kind": "alarm",
                "mailbox": "",
                "recipient": recipient,
                "details": letter.to_json(),
                "state": "waiting",
                "created_at": now,
                "due_at": now,
                "attempts": 0,
                "claimed_by": "",
                "last_error": "",
            }
            for recipient in recipients
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(insert(outbox), rows)

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._reading.connect() as connection:
            return connection.execute(query).all()


def ended_since(journal: Engine, begun_ms: int, ended_ms: int, free: Sequence[str]) -> Iterator[list[EndedRow]]:
    """Charged calls begun since `begun_ms` and ended since `ended_ms`, page by page; `free`: classes left out."""
    c = calls.c
    wanted = (
        c.id, c.subscriber, c["class"], c.callee, type_coerce(c.answered_at, BigInteger),
        type_coerce(c.ended_at, BigInteger), c.duration_ms, c.end_cause,
    )  # fmt: skip
    after = begun_ms << 20  # see denwa.voip.calls.call.COUNTER_BITS
    reading = journal.execution_options(read_only=True)
    while True:
        query = select(*wanted).where(c.id > after, c.end_seq.is_not(None), c.answered_at.is_not(None))
        query = query.where(c.leg.in_(sorted(CHARGED_LEGS)), c["class"].not_in(free)).order_by(c.id).limit(_PAGE)
        with reading.connect() as connection:
            rows = connection.execute(query).all()
        yield [EndedRow(*row[1:]) for row in rows if row[5] >= ended_ms]
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]
