"""Subscriptions of phones to their mailboxes (V6), so that a phone is told in the same dialog after a restart."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from denwa.storage.columns import UtcMillis
from denwa.storage.tables import metadata

mwi_subscriptions = Table(
    "mwi_subscriptions",
    metadata,
    Column("local_tag", String(64), primary_key=True),  # made by the service, unguessable
    Column("account", String(40), nullable=False),  # SIP account of the subscriber
    Column("call_id", Text, nullable=False),
    Column("remote_tag", Text, nullable=False),
    Column("local", Text, nullable=False),  # From of a NOTIFY, with its tag
    Column("remote", Text, nullable=False),  # To of a NOTIFY, with its tag
    Column("routes", Text, nullable=False),  # the route set, one a line
    Column("event", Text, nullable=False),  # the whole Event header
    Column("target", Text, nullable=False),  # Contact that the phone named last
    Column("flow", Text, nullable=False),  # transport:address:port its last SUBSCRIBE came from
    Column("remote_cseq", BigInteger, nullable=False),
    Column("expires_at", UtcMillis, nullable=False),
    Index(None, "expires_at"),
)
