"""Contracts in the main database: the port `ContractsStore` of denwa/contracts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, text, update

from denwa.contracts.ports import Change
from denwa.contracts.subscriber import (
    CodecPreference,
    Forward,
    ForwardMode,
    Language,
    MailNotice,
    SipCredentials,
    State,
    Subscriber,
)
from denwa.storage.billing_rows import BillingRows
from denwa.storage.forwarding_rows import ForwardingRows
from denwa.storage.tables.contracts import blocked_numbers, changes, number_stock, subscribers

# PostgreSQL: one writer of contracts at a time, as on SQLite. So numbers are given in order, and an entry of
# `changes` never becomes visible after one with a higher `seq`. Any constant will do.
_WRITERS_LOCK = 0x64656E7761
_PAGE = 1000


class SqlContractsStore:
    """Over an engine of `denwa.storage.engine.open_main`. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = engine.execution_options(read_only=True)

    @contextmanager
    def changing(self, who: str, now: datetime) -> Iterator[SqlContractsUnit]:
        with self.engine.begin() as connection:
            lock_contracts(connection)
            yield SqlContractsUnit(connection, who, now)

    def find(self, number: str) -> Subscriber | None:
        with self._reading.connect() as connection:
            return _find(connection, number)

    def each(self, state: State | None = None) -> Iterable[Subscriber]:
        """Read page by page, so that a long list neither fills memory nor keeps a transaction open."""
        after = ""
        while True:
            query = select(subscribers).where(subscribers.c.number > after).order_by(subscribers.c.number).limit(_PAGE)
            if state is not None:
                query = query.where(subscribers.c.state == str(state))
            with self._reading.connect() as connection:
                rows = connection.execute(query).all()
            yield from map(_subscriber, rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def blocked(self, number: str) -> list[str]:
        with self._reading.connect() as connection:
            return _blocked(connection, number)

    def changes(self, number: str) -> list[Change]:
        query = select(changes).where(changes.c.subscriber == number).order_by(changes.c.seq)
        with self._reading.connect() as connection:
            return [Change(row.seq, row.at, row.who, row.subscriber, row.what) for row in connection.execute(query)]


class SqlContractsUnit(BillingRows, ForwardingRows):
    """The port `ContractsUnit`: one transaction of one writer."""

    def find(self, number: str) -> Subscriber | None:
        return _find(self._connection, number)

    def given(self, numbers: Sequence[str]) -> set[str]:
        query = select(subscribers.c.number).where(subscribers.c.number.in_(numbers))
        return set(self._connection.scalars(query))

    def given_from(self, first: str, last: str) -> Iterator[str]:
        compare = subscribers.c.number >= first
        while True:
            query = select(subscribers.c.number).where(compare, subscribers.c.number <= last)
            page = self._connection.scalars(query.order_by(subscribers.c.number).limit(_PAGE)).all()
            yield from page
            if len(page) < _PAGE:
                return
            compare = subscribers.c.number > page[-1]

    def add(self, new: Sequence[Subscriber], what: str) -> None:
        self._connection.execute(insert(subscribers), [_values(subscriber) for subscriber in new])
        self.log([subscriber.number for subscriber in new], what)

    def replace(self, subscriber: Subscriber, what: str) -> None:
        where = subscribers.c.number == subscriber.number
        self._connection.execute(update(subscribers).where(where).values(_values(subscriber)))
        self.log([subscriber.number], what)

    def stock_position(self, first: str) -> str | None:
        return self._connection.scalar(select(number_stock.c.next).where(number_stock.c.first == first))

    def move_stock(self, first: str, last: str, position: str) -> None:
        values = {"last": last, "next": position}
        moved = self._connection.execute(update(number_stock).where(number_stock.c.first == first).values(values))
        if moved.rowcount == 0:
            self._connection.execute(insert(number_stock).values(first=first, **values))

    def blocked(self, number: str) -> list[str]:
        return _blocked(self._connection, number)

    def block(self, number: str, blocked: str) -> None:
        row = {"subscriber": number, "blocked": blocked, "added_at": self._now}
        self._connection.execute(insert(blocked_numbers).values(row))
        self.log([number], "blocklist: one added")  # B6: which number it is stays in the blocklist

    def unblock(self, number: str, blocked: str) -> None:
        where = (blocked_numbers.c.subscriber == number, blocked_numbers.c.blocked == blocked)
        self._connection.execute(delete(blocked_numbers).where(*where))
        self.log([number], "blocklist: one removed")


def lock_contracts(connection: Connection) -> None:
    """Wait until no other transaction writes contracts; held to the end of this one. SQLite's BEGIN did it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS_LOCK})


def _find(connection: Connection, number: str) -> Subscriber | None:
    row = connection.execute(select(subscribers).where(subscribers.c.number == number)).one_or_none()
    return None if row is None else _subscriber(row)


def _blocked(connection: Connection, number: str) -> list[str]:
    query = select(blocked_numbers.c.blocked).where(blocked_numbers.c.subscriber == number)
    return list(connection.scalars(query.order_by(blocked_numbers.c.added_at, blocked_numbers.c.blocked)))


def _values(subscriber: Subscriber) -> dict[str, Any]:
    credentials, forward = subscriber.credentials, subscriber.forward
    return {
        "number": subscriber.number,
        "account": subscriber.account,
        "name": subscriber.name,
        "mail": subscriber.mail,
        "state": str(subscriber.state),
        "service_start": subscriber.service_start,
        "bill_day": subscriber.bill_day,
        "ring_time": subscriber.ring_time,
        "voicemail": subscriber.voicemail,
        "mail_notice": str(subscriber.mail_notice),
        "delete_after_mail": subscriber.delete_after_mail,
        "forward_mode": str(forward.mode),
        "forward_target": forward.target,
        "reject_anonymous": subscriber.reject_anonymous,
        "international": subscriber.international,
        "codecs": str(subscriber.codecs),
        "priority": subscriber.priority,
        "language": str(subscriber.language),
        "profile": subscriber.profile,
        "realm": credentials.realm,
        "ha1_md5": credentials.ha1_md5,
        "ha1_sha256": credentials.ha1_sha256,
        "sip_password_sealed": credentials.sealed_password,
        "web_password_hash": subscriber.web_password_hash,
        "card_token": subscriber.card_token,
        "created_at": subscriber.created_at,
        "changed_at": subscriber.changed_at,
        "ended_at": subscriber.ended_at,
    }


def _subscriber(row: Row[Any]) -> Subscriber:
    return Subscriber(
        number=row.number,
        account=row.account,
        name=row.name,
        mail=row.mail,
        service_start=row.service_start,
        bill_day=row.bill_day,
        credentials=SipCredentials(row.realm, row.ha1_md5, row.ha1_sha256, row.sip_password_sealed),
        created_at=row.created_at,
        changed_at=row.changed_at,
        web_password_hash=row.web_password_hash,
        card_token=row.card_token,
        state=State(row.state),
        ring_time=row.ring_time,
        voicemail=row.voicemail,
        mail_notice=MailNotice(row.mail_notice),
        delete_after_mail=row.delete_after_mail,
        forward=Forward(ForwardMode(row.forward_mode), row.forward_target),
        reject_anonymous=row.reject_anonymous,
        international=row.international,
        codecs=CodecPreference(row.codecs),
        priority=row.priority,
        language=Language(row.language),
        profile=row.profile,
        ended_at=row.ended_at,
    )
