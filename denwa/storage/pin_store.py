"""PINs of voicemail boxes in the main database (port `denwa.voicemail.ports.Pins`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from denwa.storage.tables.box_access import mailbox_pins, mailbox_tries
from denwa.storage.tables.contracts import subscribers
from denwa.voicemail.pins import FORGET_AFTER, lock_after


class PinStore:
    """Implements Pins."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def pin_hash(self, number: str) -> str:
        with self._reading.begin() as connection:
            query = select(mailbox_pins.c.pin_hash).where(mailbox_pins.c.number == number)
            return connection.scalar(query) or ""

    def set_pin(self, number: str, pin_hash: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            row = {"pin_hash": pin_hash, "set_at": now}
            added = _dialect(connection).insert(mailbox_pins).values(number=number, **row)
            connection.execute(added.on_conflict_do_update(index_elements=["number"], set_=row))
            connection.execute(delete(mailbox_tries).where(mailbox_tries.c.number == number))

    def clear_pin(self, number: str) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(delete(mailbox_pins).where(mailbox_pins.c.number == number)).rowcount > 0

    def begin_try(self, number: str, now: datetime) -> datetime | None:
        t = mailbox_tries.c
        with self._engine.begin() as connection:
            fresh = {"number": number, "failures": 0, "failed_at": now}
            connection.execute(_dialect(connection).insert(mailbox_tries).values(fresh).on_conflict_do_nothing())
            row = connection.execute(select(mailbox_tries).where(t.number == number).with_for_update()).one()
            if row.locked_until is not None and row.locked_until > now:
                until: datetime = row.locked_until
                return until
            failures = row.failures + 1 if now - row.failed_at < FORGET_AFTER else 1
            lock = lock_after(failures)
            changed = mailbox_tries.update().where(t.number == number)
            locked_until = None if lock is None else now + lock
            connection.execute(changed.values(failures=failures, failed_at=now, locked_until=locked_until))
            return None

    def try_was_right(self, number: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(mailbox_tries).where(mailbox_tries.c.number == number))

    def locked_until(self, number: str, now: datetime) -> datetime | None:
        with self._reading.begin() as connection:
            until = connection.scalar(select(mailbox_tries.c.locked_until).where(mailbox_tries.c.number == number))
        return until if until is not None and until > now else None

    def forget(self, now: datetime) -> None:
        ended = select(subscribers.c.number).where(subscribers.c.state == "terminated")
        t = mailbox_tries.c
        old = (t.failed_at < now - FORGET_AFTER, or_(t.locked_until.is_(None), t.locked_until < now))
        with self._engine.begin() as connection:
            connection.execute(delete(mailbox_pins).where(mailbox_pins.c.number.in_(ended)))
            connection.execute(delete(mailbox_tries).where(*old))


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
