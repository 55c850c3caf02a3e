"""Subscriptions of phones to their mailboxes in the main database (port `denwa.voip.mwi.ports.SubscriptionStore`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from denwa.storage.columns import from_millis, to_millis
from denwa.storage.tables.subscriptions import mwi_subscriptions
from denwa.voip.mwi.ports import SubscriptionEntry

AT_ONCE = 500  # rows or keys in a statement


class MwiSubscriptionStore:
    """Implements SubscriptionStore. Raises SQLAlchemyError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, entries: Collection[SubscriptionEntry], over: Collection[str]) -> None:
        dialect: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        added = dialect.insert(mwi_subscriptions)
        columns = {column.name: added.excluded[column.name] for column in mwi_subscriptions.c}
        upsert = added.on_conflict_do_update(index_elements=["local_tag"], set_=columns)
        gone = sorted(over)
        with self._engine.begin() as connection:
            if entries:
                connection.execute(upsert, [_row(entry) for entry in entries])
            for first in range(0, len(gone), AT_ONCE):
                tags = mwi_subscriptions.c.local_tag.in_(gone[first : first + AT_ONCE])
                connection.execute(delete(mwi_subscriptions).where(tags))

    def subscriptions(self, now_ms: int) -> list[SubscriptionEntry]:
        now = from_millis(now_ms)
        with self._engine.begin() as connection:
            connection.execute(delete(mwi_subscriptions).where(mwi_subscriptions.c.expires_at <= now))
            found = connection.execute(select(mwi_subscriptions).order_by(mwi_subscriptions.c.expires_at))
            return [SubscriptionEntry._make((*row[:-1], to_millis(row.expires_at))) for row in found]


def _row(entry: SubscriptionEntry) -> dict[str, Any]:
    row = entry._asdict()
    return {**row, "expires_at": from_millis(row.pop("expires_ms"))}
