"""Mailboxes and their owners in the main database (ports of `denwa.voicemail`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite

from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.greetings import greetings
from denwa.storage.tables.voicemail import mailboxes, messages, outbox, reservations
from denwa.voicemail.ports import Envelope, Message, Owner, Recording


class OwnerStore:
    """Implements Owners over the subscribers' table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)

    def owner(self, number: str) -> Owner | None:
        s = subscribers.c
        query = select(s.number, s.account, s.mail, s.mail_notice, s.delete_after_mail, s.language)
        with self._engine.begin() as connection:
            row = connection.execute(query.where(s.number == number, s.state != "terminated")).one_or_none()
        return None if row is None else Owner(*row)


class MailboxStore:
    """Implements Mailboxes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def reserve(
        self, lease: str, mailbox: str, node: str, now: datetime, limit: int, kept_since: datetime | None = None
    ) -> bool:
        with self._engine.begin() as connection:
            _lock(connection, mailbox)
            held = _count(connection, reservations.c.mailbox, mailbox)
            if _stored(connection, mailbox, kept_since) + held >= limit:
                return False
            place = {"lease": lease, "mailbox": mailbox, "node": node, "made_at": now}
            connection.execute(insert(reservations).values(place))
            return True

    def free(self, leases: Iterable[str]) -> None:
        given_back = list(leases)
        if given_back:
            with self._engine.begin() as connection:
                connection.execute(delete(reservations).where(reservations.c.lease.in_(given_back)))

    def held(self, node: str) -> list[str]:
        with self._reading.begin() as connection:
            return list(connection.scalars(select(reservations.c.lease).where(reservations.c.node == node)))

    def renew(self, leases: Iterable[str], now: datetime) -> None:
        kept = list(leases)
        if kept:
            with self._engine.begin() as connection:
                renewed = update(reservations).where(reservations.c.lease.in_(kept))
                connection.execute(renewed.values(made_at=now))

    def release_dead(self, before: datetime) -> int:
        with self._engine.begin() as connection:
            return connection.execute(delete(reservations).where(reservations.c.made_at < before)).rowcount

    def deposit(
        self, recording: Recording, envelope: Envelope | None, now: datetime, warning: Envelope | None = None
    ) -> int | None:
        with self._engine.begin() as connection:
            _lock(connection, recording.mailbox)
            connection.execute(delete(reservations).where(reservations.c.lease == recording.lease))
            values = {name: getattr(recording, name) for name in recording.__slots__}
            added = _insert_new(connection, messages).values(values).returning(messages.c.id)
            message_id: int | None = connection.execute(added).scalar_one_or_none()
            if message_id is None:
                return None
            stored = _stored(connection, recording.mailbox)
            if envelope is not None:
                letter = envelope.letter.counted(stored)
                queue_mail(connection, Envelope(envelope.message_id, envelope.recipient, letter), message_id, now)
            if warning is not None and warning.letter.stored == stored:
                queue_mail(connection, warning, None, now)
            return message_id

    def notice(self, lease: str, mailbox: str, envelope: Envelope | None, now: datetime) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(reservations).where(reservations.c.lease == lease))
            if envelope is not None:
                queue_mail(connection, envelope, None, now)

    def messages(self, mailbox: str) -> list[Message]:
        query = select(messages).where(messages.c.mailbox == mailbox)
        return self._list(query.order_by(messages.c.recorded_at, messages.c.id))

    def message(self, message_id: int) -> Message | None:
        found = self._list(select(messages).where(messages.c.id == message_id))
        return found[0] if found else None

    def heard(self, message_id: int, now: datetime) -> None:
        with self._engine.begin() as connection:
            unheard = (messages.c.id == message_id, messages.c.heard_at.is_(None))
            connection.execute(update(messages).where(*unheard).values(heard_at=now))

    def due(self, recorded_until: datetime, limit: int) -> list[Message]:
        # Two queries, as each has an index of its own.
        old = select(messages).where(messages.c.recorded_at <= recorded_until).limit(limit)
        ended = select(subscribers.c.number).where(subscribers.c.state == "terminated")
        unowned = select(messages).where(messages.c.mailbox.in_(ended), messages.c.recorded_at > recorded_until)
        return self._list(old) or self._list(unowned.limit(limit))

    def oldest(self) -> datetime | None:
        with self._reading.begin() as connection:
            found: datetime | None = connection.scalar(select(func.min(messages.c.recorded_at)))
            return found

    def to_discard(self) -> list[Message]:
        mailed = select(outbox.c.voicemail).where(outbox.c.state == "carried")
        return self._list(select(messages).where(messages.c.id.in_(mailed)))

    def forget(self, message_id: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(messages).where(messages.c.id == message_id))
            carried = (outbox.c.voicemail == message_id, outbox.c.state == "carried")
            connection.execute(update(outbox).where(*carried).values(state="sent"))

    def sounds(self) -> set[str]:
        with self._reading.begin() as connection:
            return set(connection.scalars(union_all(select(messages.c.sound), select(greetings.c.sound))))

    def totals(self) -> tuple[int, int]:
        with self._reading.begin() as connection:
            stored = connection.scalar(select(func.count()).select_from(messages))
            held = connection.scalar(select(func.count()).select_from(reservations))
            return stored or 0, held or 0

    def _list(self, query: Any) -> list[Message]:
        with self._reading.begin() as connection:
            return [message_of(row) for row in connection.execute(query)]


def message_of(row: Row[Any]) -> Message:
    fields = row._asdict()
    recording = Recording(**{name: fields[name] for name in Recording.__slots__})
    return Message(fields["id"], recording, fields["heard_at"])


def _lock(connection: Connection, mailbox: str) -> None:
    """Everybody who counts or fills this mailbox waits here (SQLite has one writer anyway)."""
    connection.execute(_insert_new(connection, mailboxes).values(number=mailbox))
    connection.execute(select(mailboxes.c.number).where(mailboxes.c.number == mailbox).with_for_update())


def _stored(connection: Connection, mailbox: str, kept_since: datetime | None = None) -> int:
    if kept_since is None:
        return _count(connection, messages.c.mailbox, mailbox)
    kept = (messages.c.mailbox == mailbox, messages.c.recorded_at > kept_since)
    return connection.scalar(select(func.count()).where(*kept)) or 0


def _count(connection: Connection, column: Any, mailbox: str) -> int:
    return connection.scalar(select(func.count()).where(column == mailbox)) or 0


def queue_mail(connection: Connection, envelope: Envelope, voicemail: int | None, now: datetime) -> None:
    """Once for one Message-ID, however often a call's outcome is stored."""
    connection.execute(
        _insert_new(connection, outbox).values(
            message_id=envelope.message_id,
            kind=str(envelope.letter.kind),
            mailbox=envelope.letter.mailbox,
            recipient=envelope.recipient,
            voicemail=voicemail,
            details=envelope.letter.to_json(),
            state="waiting",
            created_at=now,
            due_at=now,
            attempts=0,
            claimed_by="",
            last_error="",
        )
    )


def _insert_new(connection: Connection, table: Any) -> Any:
    """An INSERT that changes nothing when a unique column has the value already."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()
