"""Forwardings that the operator stopped"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stopped_forwardings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=False),
        sa.Column("stopped_by", sa.Text(), nullable=False),
        sa.Column("allowed_at", sa.BigInteger(), nullable=True),
        sa.Column("allowed_by", sa.Text(), nullable=False),
        sa.CheckConstraint("(allowed_at IS NULL) = (allowed_by = '')", name=op.f("ck_stopped_forwardings_allowed")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_stopped_forwardings_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stopped_forwardings")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_stopped_forwardings_subscriber"), "stopped_forwardings", ["subscriber"], unique=False)


def downgrade() -> None:
    op.drop_table("stopped_forwardings")
