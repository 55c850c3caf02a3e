"""Mailboxes: stored messages, places reserved for calls in progress, and the mail that goes out."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false

from denwa.storage.columns import BigId, UtcMillis
from denwa.storage.tables import metadata

# One row per mailbox ever used: locked while its places are counted, so that two callers cannot make eleven (V3).
mailboxes = Table(
    "mailboxes",
    metadata,
    Column("number", String(20), primary_key=True),  # E.164
)

# A place held by a call that voicemail has taken; gone when the call's outcome is stored.
reservations = Table(
    "reservations",
    metadata,
    Column("lease", String(40), primary_key=True),
    Column("mailbox", String(20), nullable=False),  # E.164
    Column("node", String(40), nullable=False),  # whose spool holds the recording
    Column("made_at", UtcMillis, nullable=False),
    Index(None, "mailbox"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("lease", String(40), nullable=False, unique=True),  # a recording is deposited once
    Column("mailbox", String(20), nullable=False),  # E.164
    Column("caller", String(40), nullable=False),  # E.164, "" when there was none
    Column("hidden_reason", String(20), nullable=False),  # "" | anonymous | payphone | interaction | unavailable
    Column("call_id", Text, nullable=False),  # SIP Call-ID of the caller
    Column("cause", Integer, nullable=False),  # SIP status that brought the call here: 486, 408, 480 ...
    Column("called_at", UtcMillis, nullable=False),  # voicemail answered
    Column("recorded_at", UtcMillis, nullable=False),  # the recording ended; deleted keep_days x 24 h later (V4)
    Column("duration_ms", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes of the WAV
    Column("sound", Text, nullable=False),  # key in the sound store
    Column("heard_at", UtcMillis),
    Column("warned_at", UtcMillis),  # the owner was told that it will be deleted
    Index(None, "mailbox", "recorded_at"),
    Index(None, "recorded_at"),
    sqlite_autoincrement=True,  # the id of a deleted message never names another
)

# carried: accepted with the recording, which the subscriber wants deleted now (V4); sent when that is done.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),  # the mail's Message-ID, the same at every attempt
    Column("kind", String(30), nullable=False),  # name of the template: denwa.voicemail.letters.Kind, alarm …
    Column("mailbox", String(20), nullable=False),  # E.164 of the subscriber it is for
    Column("recipient", Text, nullable=False),
    Column("voicemail", BigInteger),  # id of the message it tells of, NULL for a call notice
    Column("details", Text, nullable=False),  # JSON: what the mail says
    Column("state", String(20), nullable=False),  # waiting | carried | sent | undeliverable
    Column("created_at", UtcMillis, nullable=False),
    Column("due_at", UtcMillis, nullable=False),  # next attempt
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", String(40), nullable=False),  # node that is sending it now, "" for none
    Column("claimed_until", UtcMillis),
    Column("last_error", Text, nullable=False),
    Column("sent_at", UtcMillis),  # accepted by the mail server
    Column("with_sound", Boolean, nullable=False, server_default=false()),  # … with the recording
    Column("tried_since", UtcMillis),  # an operator had it tried again; NULL: since created_at
    Index(None, "state", "due_at"),
    Index(None, "mailbox"),
    Index(None, "voicemail"),
    sqlite_autoincrement=True,
)

# Addresses that a mail server refused. Nothing goes to a blocked one until its owner has another, or it is unblocked.
refused_addresses = Table(
    "refused_addresses",
    metadata,
    Column("address", Text, primary_key=True),
    Column("refusals", Integer, nullable=False),  # in a row
    Column("blocked", Boolean, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("changed_at", UtcMillis, nullable=False),
)
