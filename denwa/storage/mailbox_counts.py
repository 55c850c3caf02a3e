"""How many messages mailboxes hold, heard and not, for the lamps of phones (V6)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, Select, func, select

from denwa.storage.tables.voicemail import mailboxes, messages

AT_ONCE = 500  # mailboxes asked for in one query


class MailboxCounts:
    """(new, heard) by E.164."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.execution_options(read_only=True)

    def everywhere(self) -> dict[str, tuple[int, int]]:
        """Of every mailbox that was ever used."""
        used: Select[Any] = select(mailboxes.c.number)
        with self._reading.begin() as connection:
            found: dict[str, tuple[int, int]] = dict.fromkeys(connection.scalars(used), (0, 0))
            for number, stored, heard in connection.execute(_counted()):
                found[number] = (stored - heard, heard)
        return found

    def of(self, numbers: Collection[str]) -> dict[str, tuple[int, int]]:
        """Of these; (0, 0) for one that has none."""
        found = dict.fromkeys(numbers, (0, 0))
        wanted = list(found)
        with self._reading.begin() as connection:
            for first in range(0, len(wanted), AT_ONCE):
                query = _counted().where(messages.c.mailbox.in_(wanted[first : first + AT_ONCE]))
                for number, stored, heard in connection.execute(query):
                    found[number] = (stored - heard, heard)
        return found


def _counted() -> Select[Any]:
    columns = (messages.c.mailbox, func.count(), func.count(messages.c.heard_at))
    return select(*columns).group_by(messages.c.mailbox)
