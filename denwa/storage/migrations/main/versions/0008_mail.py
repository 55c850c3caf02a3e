"""Language of a subscriber, warnings, addresses that refuse mail"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("language", sa.String(length=2), server_default="ja", nullable=False))
    op.add_column("messages", sa.Column("warned_at", sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("with_sound", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("outbox", sa.Column("tried_since", sa.BigInteger(), nullable=True))
    op.create_table(
        "refused_addresses",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_refused_addresses")),
    )


def downgrade() -> None:
    op.drop_table("refused_addresses")
    op.drop_column("outbox", "tried_since")
    op.drop_column("outbox", "with_sound")
    op.drop_column("messages", "warned_at")
    op.drop_column("subscribers", "language")
