"""Subscribers' own greetings; the service's guidance is played to callers of everybody else (V2)."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, String, Table, Text

from denwa.storage.columns import UtcMillis
from denwa.storage.tables import metadata
from denwa.storage.tables.contracts import subscribers

greetings = Table(
    "greetings",
    metadata,
    Column("mailbox", String(20), ForeignKey(subscribers.c.number), primary_key=True),  # E.164
    Column("sound", Text, nullable=False, unique=True),  # key in the sound store; each greeting has a new one
    Column("duration_ms", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes of the WAV
    Column("source", String(10), nullable=False),  # file | phone
    Column("made_at", UtcMillis, nullable=False),
    Column("made_by", Text, nullable=False),  # who set it; "phone" for the subscriber at the telephone
    CheckConstraint("duration_ms > 0", name="duration"),
)
