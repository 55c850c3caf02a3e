"""Contracts: subscribers with their settings and secrets, blocklists, the stock of numbers, the log of changes."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, false

from denwa.storage.columns import BigId, UtcMillis
from denwa.storage.tables import metadata

# A row stays when the contract ends (N1: its number is never given again).
subscribers = Table(
    "subscribers",
    metadata,
    Column("number", String(20), primary_key=True),  # E.164
    Column("account", String(20), nullable=False, unique=True),  # SIP user: the 8 digits after 050 (N2)
    Column("name", Text, nullable=False),
    Column("mail", Text, nullable=False),  # "" when none was given
    Column("state", String(12), nullable=False),  # active | suspended | terminated
    Column("service_start", UtcMillis, nullable=False),
    Column("bill_day", Integer, nullable=False),  # 1-28 (T5)
    Column("ring_time", Integer, nullable=False),  # seconds, 5-60 (V1)
    Column("voicemail", Boolean, nullable=False),
    Column("mail_notice", String(10), nullable=False),  # none | notice | attach (M1)
    Column("delete_after_mail", Boolean, nullable=False),  # V4
    Column("forward_mode", String(10), nullable=False),  # off | always | noanswer (F1)
    Column("forward_target", String(20), nullable=False),  # E.164, "" when off
    Column("reject_anonymous", Boolean, nullable=False),  # B2
    Column("international", Boolean, nullable=False),  # N6
    Column("codecs", String(10), nullable=False),  # phone | mobile | wifi (C3)
    Column("profile", Text, nullable=False),  # operator profile (L4), "" for the default
    Column("realm", Text, nullable=False),  # the realm that the two HA1 were made for
    Column("ha1_md5", String(32), nullable=False),  # hex
    Column("ha1_sha256", String(64), nullable=False),  # hex
    Column("sip_password_sealed", Text, nullable=False),  # readable only with the key file of the data folder
    Column("web_password_hash", Text, nullable=False),  # Argon2id, "" while no My Page password is set
    Column("created_at", UtcMillis, nullable=False),
    Column("changed_at", UtcMillis, nullable=False),
    Column("ended_at", UtcMillis),  # set with state terminated
    Column("card_token", Text, nullable=False, server_default=""),  # of the payment card, never its number (L1, T7)
    Column("priority", Boolean, nullable=False, server_default=false()),  # calls also in congestion (C7)
    Column("language", String(2), nullable=False, server_default="ja"),  # of mails: ja | en
    CheckConstraint("bill_day BETWEEN 1 AND 28", name="bill_day"),
    CheckConstraint("ring_time BETWEEN 5 AND 60", name="ring_time"),
    CheckConstraint("(forward_mode = 'off') = (forward_target = '')", name="forward_target"),
    Index(None, "mail"),
    Index(None, "state"),
    Index(None, "card_token"),
)

blocked_numbers = Table(
    "blocked_numbers",
    metadata,
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), primary_key=True),
    Column("blocked", String(20), primary_key=True),  # E.164 (B1)
    Column("added_at", UtcMillis, nullable=False),
)

number_stock = Table(
    "number_stock",
    metadata,
    # One row per own range of the operator, made when the first number is taken from it.
    Column("first", String(20), primary_key=True),  # E.164
    Column("last", String(20), nullable=False),  # E.164, included
    Column("next", String(20), nullable=False),  # every number below was given or passed over; after `last`: used up
)

# Who changed what and when (O1), and the feed by which running services learn of it.
# Rows are written under one lock, so a lower `seq` never appears after a higher one was read.
changes = Table(
    "changes",
    metadata,
    Column("seq", BigId, primary_key=True),
    Column("at", UtcMillis, nullable=False),
    Column("who", Text, nullable=False),
    Column("subscriber", String(20), nullable=False),  # E.164
    Column("what", Text, nullable=False),  # never a secret
    Index(None, "subscriber"),
    sqlite_autoincrement=True,  # a number once used is not used again, whatever is deleted
)
