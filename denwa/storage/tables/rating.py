"""Rating: the ledger, each contract's credit, how far the journal was read, unratable calls, closed months."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
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

# Why an operator corrected a call, and who did (T13); beside reversals, and calls from revision 1 on.
corrections = Table(
    "corrections",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(["record_id", "revision"], ["postings.record_id", "postings.revision"]),
)

# What is owed or given without a call. Append only.
adjustments = Table(
    "adjustments",
    metadata,
    Column("reference", Text, primary_key=True),  # what is posted twice under one reference is posted once
    Column("kind", String(20), nullable=False),
    Column("subscriber", String(20), nullable=False),  # E.164
    Column("asked_month_start", Date, nullable=False),  # of the month it was meant for
    Column("month_start", Date, nullable=False),  # first and last day of the billing month it is billed in
    Column("month_end", Date, nullable=False),
    Column("yen", Yen, nullable=False),  # tax excluded; positive: the subscriber owes it
    Column("tax", String(12), nullable=False),  # taxed | exempt | out-of-scope
    Column("working", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("corrects", Text, ForeignKey("adjustments.reference"), unique=True),  # taken back at most once
    Column("posted_at", UtcMillis, nullable=False),
    CheckConstraint("yen <> 0", name="yen"),
    Index(None, "month_start", "subscriber"),
    Index(None, "subscriber"),
)

# The entries of one adjustment sum to zero.
adjustment_entries = Table(
    "adjustment_entries",
    metadata,
    Column("reference", Text, ForeignKey("adjustments.reference"), primary_key=True),
    Column("account", Text, primary_key=True),  # receivable:<number>, and the account of the kind
    Column("yen", Yen, nullable=False),  # debit positive
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
    Column("layout", Integer, nullable=False, server_default="1"),  # columns of the export; see rating/month_export.py
    Column("lines_sha256", String(64), nullable=False, server_default=""),  # of the lines beside it, "" in layout 1
)

# What each contract was billed when the month was closed. It books the tax: receivable against consumption-tax.
bills = Table(
    "bills",
    metadata,
    Column("month", String(7), ForeignKey(closed_months.c.name), primary_key=True),  # YYYY-MM
    Column("subscriber", String(20), primary_key=True),  # E.164
    Column("month_start", Date, nullable=False),
    Column("month_end", Date, nullable=False),
    Column("taxed_yen", Yen, nullable=False),  # after credit, with adjustments; so the next two
    Column("exempt_yen", Yen, nullable=False),
    Column("out_of_scope_yen", Yen, nullable=False),
    Column("tax_percent", Integer, nullable=False),
    Column("tax_yen", Yen, nullable=False),
    Column("total_yen", Yen, nullable=False),
    CheckConstraint("total_yen = taxed_yen + exempt_yen + out_of_scope_yen + tax_yen", name="total"),
    Index(None, "subscriber"),
)
