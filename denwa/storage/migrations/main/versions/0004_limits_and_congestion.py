"""Orders in congestion, holds on subscribers, priority subscribers"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "congestion_orders",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_congestion_orders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_congestion_orders_ended_at"), "congestion_orders", ["ended_at"], unique=False)
    op.create_table(
        "call_holds",
        sa.Column("id", _ID, nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_call_holds_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_holds")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_call_holds_subscriber"), "call_holds", ["subscriber"], unique=False)
    op.create_index(op.f("ix_call_holds_lifted_at"), "call_holds", ["lifted_at"], unique=False)
    op.add_column("subscribers", sa.Column("priority", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("subscribers", "priority")
    op.drop_table("call_holds")
    op.drop_table("congestion_orders")
