"""Subscribers' own greetings"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "greetings",
        sa.Column("mailbox", sa.String(length=20), nullable=False),
        sa.Column("sound", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.CheckConstraint("duration_ms > 0", name=op.f("ck_greetings_duration")),
        sa.ForeignKeyConstraint(["mailbox"], ["subscribers.number"], name=op.f("fk_greetings_mailbox")),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_greetings")),
        sa.UniqueConstraint("sound", name=op.f("uq_greetings_sound")),
    )


def downgrade() -> None:
    op.drop_table("greetings")
