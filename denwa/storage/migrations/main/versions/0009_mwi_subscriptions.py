"""Subscriptions of phones to their mailboxes"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mwi_subscriptions",
        sa.Column("local_tag", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("remote_tag", sa.Text(), nullable=False),
        sa.Column("local", sa.Text(), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column("routes", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("remote_cseq", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("local_tag", name=op.f("pk_mwi_subscriptions")),
    )
    op.create_index(op.f("ix_mwi_subscriptions_expires_at"), "mwi_subscriptions", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_mwi_subscriptions_expires_at"), table_name="mwi_subscriptions")
    op.drop_table("mwi_subscriptions")
