"""Rating: the ledger, each contract's credit, how far the journal was read, unratable calls, closed months."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from denwa.storage.columns import UtcMillis, Yen
from denwa.storage.tables import metadata

# Append only: no row is ever changed or deleted (T13). The primary key makes rating the same call twice impossible.
postings = Table(
    "postings",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),  # id of the call record in the journal
    Column("revision", Integer, primary_key=True, autoincrement=False),  # 0: the rating of the call; then corrections
    Column("corrects", Integer),  # revision of the same record that this one corrects
    Column("kind", String(10), nullable=False),  # call | reversal | credit
    Column("subscriber", String(20), nullable=False),  # E.164
    Column("call_id", Text, nullable=False),
    Column("ended_ms", BigInteger, nullable=False),  # credit is used in the order of ends (T4)
    Column("month_start", Date, nullable=False),  # first and last day of the billing month it is billed in
    Column("month_end", Date, nullable=False),
    Column("call_month_start", Date, nullable=False),  # of the month the call belongs to (T5)
    Column("calls", Integer, nullable=False),  # 1, -1 in a reversal, 0 where only money moves
    Column("number_class", String(20), nullable=False),
    Column("tax", String(10), nullable=False),  # taxed | exempt
    # The working of the charge:
    Column("duration_ms", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("unit_ms", BigInteger, nullable=False),
    Column("yen_per_unit", Yen, nullable=False),
    Column("unfinished_dropped", Boolean, nullable=False),  # T3
    Column("tariff", Text, nullable=False),
    Column("tariff_date", Date, nullable=False),
    # Signed amounts of this posting:
    Column("charge_yen", Yen, nullable=False),
    Column("credit_yen", Yen, nullable=False),
    Column("posted_at", UtcMillis, nullable=False),
    CheckConstraint("(revision = 0) = (corrects IS NULL)", name="corrects"),
    Index(None, "month_start", "subscriber"),
    Index(None, "subscriber"),
)

# The entries of one posting sum to zero.
entries = Table(
    "entries",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),  # receivable:<number> | credit-granted | revenue:<class>
    Column("yen", Yen, nullable=False),  # debit positive
    ForeignKeyConstraint(["record_id", "revision"], ["postings.record_id", "postings.revision"]),
)

credit_accounts = Table(
    "credit_accounts",
    metadata,
    Column("subscriber", String(20), primary_key=True),
    Column("granted_yen", Yen, nullable=False),
    Column("used_yen", Yen, nullable=False),
    # Of the calls that used credit, the one that ended last.
    Column("last_ended_ms", BigInteger, nullable=False),
    Column("last_call_id", Text, nullable=False),
    CheckConstraint("used_yen >= 0 AND used_yen <= granted_yen", name="used"),
)

# One row; its lock makes raters take turns.
rating_marks = Table(
    "rating_marks",
    metadata,
    Column("name", String(10), primary_key=True),
    Column("read", BigInteger, nullable=False),  # end_seq
    Column("swept", BigInteger, nullable=False),
    Column("sweep_to", BigInteger, nullable=False),
    Column("sweep_at_ms", BigInteger, nullable=False),
)

rating_problems = Table(
    "rating_problems",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("subscriber", String(20), nullable=False),
    Column("call_id", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("found_at", UtcMillis, nullable=False),
    Column("solved_at", UtcMillis),  # rated after all
    Index(None, "solved_at"),
)

closed_months = Table(
    "closed_months",
    metadata,
    Column("name", String(7), primary_key=True),  # YYYY-MM
    Column("closed_at", UtcMillis, nullable=False),
    Column("sha256", String(64), nullable=False),  # of the export: it must come out the same for ever
)
