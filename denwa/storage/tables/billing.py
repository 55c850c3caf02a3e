"""Billing life: bills and whether they are paid, the agent's results, measures, notices."""

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, String, Table, Text, UniqueConstraint

from denwa.storage.columns import BigId, UtcMillis, Yen
from denwa.storage.tables import metadata
from denwa.storage.tables.contracts import subscribers

# Closed months whose bills are in `claims`.
claimed_months = Table(
    "claimed_months",
    metadata,
    Column("name", String(7), primary_key=True),  # YYYY-MM
)

# What is owed for a closed month (a row of `bills` with something to pay), and what became of it.
claims = Table(
    "claims",
    metadata,
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), primary_key=True),  # E.164
    Column("month", String(7), primary_key=True),  # YYYY-MM
    Column("period_start", Date, nullable=False),
    Column("period_end", Date, nullable=False),
    Column("total_yen", Yen, nullable=False),  # tax included
    Column("late_interest_yen", Yen, nullable=False),  # part of the total on which no interest is due
    Column("due_on", Date, nullable=False),
    Column("state", String(10), nullable=False),  # due | unpaid | noticed | suspended | released | paid
    Column("paid_on", Date),
    Column("interest_yen", Yen),  # of paid bills: what late payment has cost; NULL while that is not known
    CheckConstraint("(state = 'paid') = (paid_on IS NOT NULL)", name="paid_on"),
    Index(None, "state", "due_on"),
)

# What the billing agent said, row by row of its files. Append only.
payment_results = Table(
    "payment_results",
    metadata,
    Column("reference", Text, primary_key=True),  # the agent's
    Column("subscriber", String(20), nullable=False),  # E.164
    Column("month", String(7), nullable=False),
    Column("outcome", String(10), nullable=False),  # paid | unpaid
    Column("paid_on", Date),
    Column("amount_yen", Yen, nullable=False),
    Column("read_at", UtcMillis, nullable=False),
    Column("who", Text, nullable=False),
    Index(None, "subscriber", "month"),
)

# Suspensions and terminations by the operator (L2). Days are of Asia/Tokyo.
measures = Table(
    "measures",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), nullable=False),  # E.164
    Column("kind", String(12), nullable=False),  # suspension | termination
    Column("cause", String(10), nullable=False),  # unpaid | misuse | request | dormant
    Column("month", String(7), nullable=False),  # of the unpaid bill, "" for other causes
    Column("from_day", Date, nullable=False),
    Column("until_day", Date),  # last day; NULL: until the cause is gone
    Column("state", String(10), nullable=False),  # announced | in-force | ended | withdrawn
    Column("made_at", UtcMillis, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("began_at", UtcMillis),
    Column("ended_at", UtcMillis),  # or was withdrawn
    Index(None, "subscriber"),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

# What subscribers were told (K9).
notices = Table(
    "notices",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("subscriber", String(20), ForeignKey(subscribers.c.number), nullable=False),  # E.164
    Column("kind", String(12), nullable=False),  # suspension | resumption | withdrawal | ...
    Column("about", Text, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("measure", BigId, ForeignKey(measures.c.id)),
    Column("state", String(10), nullable=False),  # waiting | given | failed | dropped
    Column("given_on", Date),
    Column("channel", Text, nullable=False),  # mail, letter, ...; "" while it was not given
    Column("mail_id", Text, nullable=False),  # Message-ID in the outbox, "" when it did not go by mail
    Column("written_at", UtcMillis, nullable=False),
    UniqueConstraint("subscriber", "kind", "about"),
    CheckConstraint("(state = 'given') = (given_on IS NOT NULL)", name="given_on"),
    Index(None, "state"),
    Index(None, "measure"),
    sqlite_autoincrement=True,
)
