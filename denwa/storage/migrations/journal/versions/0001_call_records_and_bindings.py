"""Call records and bindings"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bindings",
        sa.Column("aor", sa.String(length=40), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("cseq", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("aor", "contact", name=op.f("pk_bindings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_seq", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.String(length=10), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("caller", sa.String(length=40), nullable=False),
        sa.Column("callee", sa.String(length=40), nullable=False),
        sa.Column("class", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_cause", sa.String(length=20), nullable=False),
        sa.Column("sip_status", sa.Integer(), nullable=False),
        sa.Column("forwarded_by", sa.String(length=20), nullable=False),
        sa.Column("voicemail", sa.Integer(), nullable=False),
        sa.Column("alive_at", sa.BigInteger(), nullable=True),
        sa.Column("dialog", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("end_seq", name=op.f("uq_calls_end_seq")),
    )
    op.create_index(op.f("ix_calls_subscriber_started_at"), "calls", ["subscriber", "started_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_calls_subscriber_started_at"), table_name="calls")
    op.drop_table("calls")
    op.drop_table("bindings")
