"""Limits that one subscriber has instead of the service's"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_limits",
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber"], ["subscribers.number"], name=op.f("fk_own_limits_subscriber_subscribers")
        ),
        sa.PrimaryKeyConstraint("subscriber", "name", name=op.f("pk_own_limits")),
    )


def downgrade() -> None:
    op.drop_table("own_limits")
