"""Own greetings in the main database (port `denwa.voicemail.ports.Greetings`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.greetings import greetings
from denwa.voicemail.ports import Greeting


class GreetingStore:
    """Implements Greetings."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def get(self, mailbox: str) -> Greeting | None:
        with self._reading.begin() as connection:
            return _get(connection, mailbox)

    def set(self, greeting: Greeting) -> Greeting | None:
        with self._engine.begin() as connection:
            # Two who set one at once: the second waits for the first here, and gets the first's back.
            owner = select(subscribers.c.number).where(subscribers.c.number == greeting.mailbox)
            connection.execute(owner.with_for_update())
            before = _get(connection, greeting.mailbox)
            values = asdict(greeting)
            added = _dialect(connection).insert(greetings).values(values)
            connection.execute(added.on_conflict_do_update(index_elements=["mailbox"], set_=values))
            return before

    def clear(self, mailbox: str) -> Greeting | None:
        with self._engine.begin() as connection:
            gone = delete(greetings).where(greetings.c.mailbox == mailbox).returning(*greetings.c)
            row = connection.execute(gone).one_or_none()
            return None if row is None else Greeting(**row._asdict())

    def ended(self, limit: int) -> list[Greeting]:
        query = select(greetings).join(subscribers, greetings.c.mailbox == subscribers.c.number)
        with self._reading.begin() as connection:
            found = connection.execute(query.where(subscribers.c.state == "terminated").limit(limit))
            return [Greeting(**row._asdict()) for row in found]


def _get(connection: Connection, mailbox: str) -> Greeting | None:
    row = connection.execute(select(greetings).where(greetings.c.mailbox == mailbox)).one_or_none()
    return None if row is None else Greeting(**row._asdict())


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
