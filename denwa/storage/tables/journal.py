"""The journal: call records and registration bindings, written by the SIP service's writer only."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from denwa.storage.columns import UtcMillis
from denwa.storage.tables import journal_metadata

calls = Table(
    "calls",
    journal_metadata,
    # Made by the service when the call starts: start in ms << 20 | counter. Unique for ever, sorts by start.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    # Set in the commit that ends the call, counting up: raters read "ended since". NULL while the call is up.
    Column("end_seq", BigInteger, unique=True),
    Column("call_id", Text, nullable=False),  # SIP Call-ID as the caller sent it
    Column("leg", String(10), nullable=False),  # outgoing | incoming | forwarded
    Column("subscriber", String(20), nullable=False),  # E.164; who is charged (outgoing, forwarded) or called
    Column("direction", String(10), nullable=False),  # outgoing | incoming
    Column("caller", String(40), nullable=False),  # E.164, or "" when hidden or unknown
    Column("callee", String(40), nullable=False),  # E.164, or as dialled when it is no number
    Column("class", String(20), nullable=False),  # NumberClass of the callee, "" when refused before
    Column("started_at", UtcMillis, nullable=False),
    Column("answered_at", UtcMillis),
    Column("ended_at", UtcMillis),
    Column("duration_ms", BigInteger, nullable=False),
    Column("end_cause", String(20), nullable=False),  # caller|callee|network_fault|lost|... "" while up
    Column("sip_status", Integer, nullable=False),
    Column("forwarded_by", String(20), nullable=False),
    Column("voicemail", Integer, nullable=False),  # 1: answered by the voicemail
    Column("alive_at", UtcMillis),  # last proof of life (C5)
    Column("dialog", Text, nullable=False),  # JSON to take the call up again; "" once ended
    Column("reason", String(40), nullable=False, server_default=""),  # why it was refused or did not ring
    # Why the number is missing or not shown (B4): anonymous|payphone|interaction|unavailable, "" when it is shown
    Column("hidden_reason", String(20), nullable=False, server_default=""),
    Index(None, "subscriber", "started_at"),
)

bindings = Table(
    "bindings",
    journal_metadata,
    Column("aor", String(40), primary_key=True),  # account name of the subscriber
    Column("contact", Text, primary_key=True),  # Contact URI, compared as RFC 3261 §19.1.4 allows
    Column("call_id", Text, nullable=False),
    Column("cseq", BigInteger, nullable=False),
    Column("registered_at", UtcMillis, nullable=False),
    Column("expires_at", UtcMillis, nullable=False),
    Column("flow", Text, nullable=False),  # transport:address:port the REGISTER came from
    Column("user_agent", Text, nullable=False),
    Column("extra", Text, nullable=False),  # JSON: path, instance, reg-id, push parameters
    # Rewritten by every refresh, so: no further index, and on SQLite no table apart from the primary key's tree.
    sqlite_with_rowid=False,
)
