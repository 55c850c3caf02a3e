"""PINs of voicemail boxes, and wrong tries"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailbox_pins",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("pin_hash", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mailbox_pins")),
    )
    op.create_table(
        "mailbox_tries",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mailbox_tries")),
    )
    op.create_index(op.f("ix_mailbox_tries_failed_at"), "mailbox_tries", ["failed_at"], unique=False)


def downgrade() -> None:
    op.drop_table("mailbox_tries")
    op.drop_table("mailbox_pins")
