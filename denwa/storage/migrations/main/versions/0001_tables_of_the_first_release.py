"""Tables of the first release"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_changes_subscriber"), "changes", ["subscriber"], unique=False)
    op.create_table(
        "closed_months",
        sa.Column("name", sa.String(length=7), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_closed_months")),
    )
    op.create_table(
        "credit_accounts",
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("granted_yen", sa.BigInteger(), nullable=False),
        sa.Column("used_yen", sa.BigInteger(), nullable=False),
        sa.Column("last_ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_call_id", sa.Text(), nullable=False),
        sa.CheckConstraint("used_yen >= 0 AND used_yen <= granted_yen", name=op.f("ck_credit_accounts_used")),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_credit_accounts")),
    )
    op.create_table(
        "mailboxes",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mailboxes")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lease", sa.String(length=40), nullable=False),
        sa.Column("mailbox", sa.String(length=20), nullable=False),
        sa.Column("caller", sa.String(length=40), nullable=False),
        sa.Column("hidden_reason", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Integer(), nullable=False),
        sa.Column("called_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sound", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("lease", name=op.f("uq_messages_lease")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_messages_mailbox_recorded_at"), "messages", ["mailbox", "recorded_at"], unique=False)
    op.create_index(op.f("ix_messages_recorded_at"), "messages", ["recorded_at"], unique=False)
    op.create_table(
        "number_stock",
        sa.Column("first", sa.String(length=20), nullable=False),
        sa.Column("last", sa.String(length=20), nullable=False),
        sa.Column("next", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("first", name=op.f("pk_number_stock")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("mailbox", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("voicemail", sa.BigInteger(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=40), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_mailbox"), "outbox", ["mailbox"], unique=False)
    op.create_index(op.f("ix_outbox_state_due_at"), "outbox", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_outbox_voicemail"), "outbox", ["voicemail"], unique=False)
    op.create_table(
        "postings",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("corrects", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("month_start", sa.Date(), nullable=False),
        sa.Column("month_end", sa.Date(), nullable=False),
        sa.Column("call_month_start", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("number_class", sa.String(length=20), nullable=False),
        sa.Column("tax", sa.String(length=10), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("unit_ms", sa.BigInteger(), nullable=False),
        sa.Column("yen_per_unit", sa.BigInteger(), nullable=False),
        sa.Column("unfinished_dropped", sa.Boolean(), nullable=False),
        sa.Column("tariff", sa.Text(), nullable=False),
        sa.Column("tariff_date", sa.Date(), nullable=False),
        sa.Column("charge_yen", sa.BigInteger(), nullable=False),
        sa.Column("credit_yen", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(revision = 0) = (corrects IS NULL)", name=op.f("ck_postings_corrects")),
        sa.PrimaryKeyConstraint("record_id", "revision", name=op.f("pk_postings")),
    )
    op.create_index(op.f("ix_postings_month_start_subscriber"), "postings", ["month_start", "subscriber"], unique=False)
    op.create_index(op.f("ix_postings_subscriber"), "postings", ["subscriber"], unique=False)
    op.create_table(
        "rating_marks",
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("swept", sa.BigInteger(), nullable=False),
        sa.Column("sweep_to", sa.BigInteger(), nullable=False),
        sa.Column("sweep_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rating_marks")),
    )
    op.create_table(
        "rating_problems",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("solved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_rating_problems")),
    )
    op.create_index(op.f("ix_rating_problems_solved_at"), "rating_problems", ["solved_at"], unique=False)
    op.create_table(
        "reservations",
        sa.Column("lease", sa.String(length=40), nullable=False),
        sa.Column("mailbox", sa.String(length=20), nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lease", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_mailbox"), "reservations", ["mailbox"], unique=False)
    op.create_table(
        "subscribers",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mail", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("service_start", sa.BigInteger(), nullable=False),
        sa.Column("bill_day", sa.Integer(), nullable=False),
        sa.Column("ring_time", sa.Integer(), nullable=False),
        sa.Column("voicemail", sa.Boolean(), nullable=False),
        sa.Column("mail_notice", sa.String(length=10), nullable=False),
        sa.Column("delete_after_mail", sa.Boolean(), nullable=False),
        sa.Column("forward_mode", sa.String(length=10), nullable=False),
        sa.Column("forward_target", sa.String(length=20), nullable=False),
        sa.Column("reject_anonymous", sa.Boolean(), nullable=False),
        sa.Column("international", sa.Boolean(), nullable=False),
        sa.Column("codecs", sa.String(length=10), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("ha1_md5", sa.String(length=32), nullable=False),
        sa.Column("ha1_sha256", sa.String(length=64), nullable=False),
        sa.Column("sip_password_sealed", sa.Text(), nullable=False),
        sa.Column("web_password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(forward_mode = 'off') = (forward_target = '')", name=op.f("ck_subscribers_forward_target")
        ),
        sa.CheckConstraint("bill_day BETWEEN 1 AND 28", name=op.f("ck_subscribers_bill_day")),
        sa.CheckConstraint("ring_time BETWEEN 5 AND 60", name=op.f("ck_subscribers_ring_time")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("account", name=op.f("uq_subscribers_account")),
    )
    op.create_index(op.f("ix_subscribers_mail"), "subscribers", ["mail"], unique=False)
    op.create_index(op.f("ix_subscribers_state"), "subscribers", ["state"], unique=False)
    op.create_table(
        "blocked_numbers",
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("blocked", sa.String(length=20), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_blocked_numbers_subscriber")),
        sa.PrimaryKeyConstraint("subscriber", "blocked", name=op.f("pk_blocked_numbers")),
    )
    op.create_table(
        "entries",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id", "revision"],
            ["postings.record_id", "postings.revision"],
            name=op.f("fk_entries_record_id_revision"),
        ),
        sa.PrimaryKeyConstraint("record_id", "revision", "account", name=op.f("pk_entries")),
    )


def downgrade() -> None:
    op.drop_table("entries")
    op.drop_table("blocked_numbers")
    op.drop_index(op.f("ix_subscribers_state"), table_name="subscribers")
    op.drop_index(op.f("ix_subscribers_mail"), table_name="subscribers")
    op.drop_table("subscribers")
    op.drop_index(op.f("ix_reservations_mailbox"), table_name="reservations")
    op.drop_table("reservations")
    op.drop_index(op.f("ix_rating_problems_solved_at"), table_name="rating_problems")
    op.drop_table("rating_problems")
    op.drop_table("rating_marks")
    op.drop_index(op.f("ix_postings_subscriber"), table_name="postings")
    op.drop_index(op.f("ix_postings_month_start_subscriber"), table_name="postings")
    op.drop_table("postings")
    op.drop_index(op.f("ix_outbox_voicemail"), table_name="outbox")
    op.drop_index(op.f("ix_outbox_state_due_at"), table_name="outbox")
    op.drop_index(op.f("ix_outbox_mailbox"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("number_stock")
    op.drop_index(op.f("ix_messages_recorded_at"), table_name="messages")
    op.drop_index(op.f("ix_messages_mailbox_recorded_at"), table_name="messages")
    op.drop_table("messages")
    op.drop_table("mailboxes")
    op.drop_table("credit_accounts")
    op.drop_table("closed_months")
    op.drop_index(op.f("ix_changes_subscriber"), table_name="changes")
    op.drop_table("changes")
