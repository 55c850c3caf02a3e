"""What stops calls beside the contract: the operator's orders in congestion (C7), and holds on subscribers (C6);
and the limits that one subscriber has instead of the service's (C6)."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from denwa.storage.columns import BigId, UtcMillis
from denwa.storage.tables import metadata
from denwa.storage.tables.contracts import subscribers

congestion_orders = Table(
    "congestion_orders",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", String(16), nullable=False),  # priority-only | max-seconds | area
    Column("value", Text, nullable=False),  # seconds, or beginnings of numbers (E.164) with commas; "" for the first
    Column("from_at", UtcMillis, nullable=False),
    Column("until_at", UtcMillis),  # NULL: until it is taken back
    Column("made_by", Text, nullable=False),
    Column("ended_at", UtcMillis),  # when it was taken back
    Column("ended_by", Text, nullable=False),
    Index(None, "ended_at"),
    sqlite_autoincrement=True,
)

call_holds = Table(
    "call_holds",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), nullable=False),  # E.164
    Column("kind", String(16), nullable=False),  # international | throttle
    Column("reason", Text, nullable=False),
    Column("from_at", UtcMillis, nullable=False),
    Column("until_at", UtcMillis),  # NULL: until a person lifts it
    Column("lifted_at", UtcMillis),
    Column("lifted_by", Text, nullable=False),
    Index(None, "subscriber"),
    Index(None, "lifted_at"),
    sqlite_autoincrement=True,
)

own_limits = Table(
    "own_limits",
    metadata,
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), primary_key=True),  # E.164
    Column("name", String(40), primary_key=True),  # of the setting in `limits`
    Column("value", Integer, nullable=False),
    Column("set_at", UtcMillis, nullable=False),
    Column("set_by", Text, nullable=False),
)
