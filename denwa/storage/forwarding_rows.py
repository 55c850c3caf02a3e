"""Stopped forwardings as the contracts know them: the part of a contracts transaction that reads and writes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from denwa.contracts.stopped_forwarding import StoppedForwarding
from denwa.storage.tables.forwarding import stopped_forwardings


class ForwardingRows:
    """The part of `SqlContractsUnit` that is about stopped forwardings."""

    _connection: Connection
    _who: str
    _now: datetime

    def stopped_forwardings(self, number: str) -> list[StoppedForwarding]:
        table = stopped_forwardings
        query = select(table).where(table.c.subscriber == number, table.c.allowed_at.is_(None)).order_by(table.c.id)
        return [_stopped(row) for row in self._connection.execute(query)]

    def add_stopped_forwarding(self, number: str, target: str, reason: str) -> StoppedForwarding:
        values: dict[str, Any] = {"subscriber": number, "target": target, "reason": reason}
        values |= {"stopped_at": self._now, "stopped_by": self._who, "allowed_by": ""}
        key = self._connection.scalar(insert(stopped_forwardings).values(values).returning(stopped_forwardings.c.id))
        assert key is not None  # RETURNING
        return StoppedForwarding(key, number, target, reason, self._now, self._who)

    def allow_forwarding(self, keys: Collection[int]) -> None:
        where = stopped_forwardings.c.id.in_(keys)
        values = {"allowed_at": self._now, "allowed_by": self._who}
        self._connection.execute(update(stopped_forwardings).where(where).values(**values))


def listed_stopped(engine: Engine, number: str = "") -> list[StoppedForwarding]:
    """Every forwarding that was stopped, oldest first, of one subscriber (E.164) if given."""
    query = select(stopped_forwardings).order_by(stopped_forwardings.c.id)
    if number:
        query = query.where(stopped_forwardings.c.subscriber == number)
    with engine.execution_options(read_only=True).connect() as connection:
        return [_stopped(row) for row in connection.execute(query)]


def _stopped(row: Row[Any]) -> StoppedForwarding:
    return StoppedForwarding(
        row.id, row.subscriber, row.target, row.reason, row.stopped_at, row.stopped_by, row.allowed_at, row.allowed_by
    )
