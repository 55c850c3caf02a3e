"""The voicemail box by phone (V6): PINs, and wrong tries counted until the right one comes or they are forgotten."""

from sqlalchemy import Column, Integer, String, Table, Text

from denwa.storage.columns import UtcMillis
from denwa.storage.tables import metadata

mailbox_pins = Table(
    "mailbox_pins",
    metadata,
    Column("number", String(20), primary_key=True),  # E.164
    Column("pin_hash", Text, nullable=False),
    Column("set_at", UtcMillis, nullable=False),
)

# Also of numbers that have no box: nobody learns by being locked out which numbers have one.
mailbox_tries = Table(
    "mailbox_tries",
    metadata,
    Column("number", String(20), primary_key=True),  # as it was keyed, read as E.164
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcMillis, nullable=False, index=True),
    Column("locked_until", UtcMillis),
)
