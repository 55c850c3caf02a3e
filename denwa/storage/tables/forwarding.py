"""Forwardings that the operator stopped (F5)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table, Text

from denwa.storage.columns import BigId, UtcMillis
from denwa.storage.tables import metadata
from denwa.storage.tables.contracts import subscribers

stopped_forwardings = Table(
    "stopped_forwardings",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), nullable=False),  # E.164
    Column("target", String(20), nullable=False),  # E.164
    Column("reason", Text, nullable=False),
    Column("stopped_at", UtcMillis, nullable=False),
    Column("stopped_by", Text, nullable=False),
    Column("allowed_at", UtcMillis),  # NULL: the subscriber may not set it again
    Column("allowed_by", Text, nullable=False),
    CheckConstraint("(allowed_at IS NULL) = (allowed_by = '')", name="allowed"),
    Index(None, "subscriber"),
    sqlite_autoincrement=True,
)
