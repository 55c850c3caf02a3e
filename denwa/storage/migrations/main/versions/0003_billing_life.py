"""Billing life: bills and whether they are paid, suspensions and terminations, notices, payment cards"""

from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
_TOKYO = timezone(timedelta(hours=9))


def upgrade() -> None:
    op.create_table(
        "claimed_months",
        sa.Column("name", sa.String(length=7), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_claimed_months")),
    )
    op.create_table(
        "payment_results",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_payment_results")),
    )
    op.create_index(
        op.f("ix_payment_results_subscriber_month"), "payment_results", ["subscriber", "month"], unique=False
    )
    op.create_table(
        "claims",
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("total_yen", sa.BigInteger(), nullable=False),
        sa.Column("late_interest_yen", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("interest_yen", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'paid') = (paid_on IS NOT NULL)", name=op.f("ck_claims_paid_on")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_claims_subscriber")),
        sa.PrimaryKeyConstraint("subscriber", "month", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_state_due_on"), "claims", ["state", "due_on"], unique=False)
    op.create_table(
        "measures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("cause", sa.String(length=10), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_measures_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measures")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_measures_state"), "measures", ["state"], unique=False)
    op.create_index(op.f("ix_measures_subscriber"), "measures", ["subscriber"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("measure", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'given') = (given_on IS NOT NULL)", name=op.f("ck_notices_given_on")),
        sa.ForeignKeyConstraint(["measure"], ["measures.id"], name=op.f("fk_notices_measure")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscribers.number"], name=op.f("fk_notices_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("subscriber", "kind", "about", name=op.f("uq_notices_subscriber_kind_about")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notices_measure"), "notices", ["measure"], unique=False)
    op.create_index(op.f("ix_notices_state"), "notices", ["state"], unique=False)
    op.add_column("subscribers", sa.Column("card_token", sa.Text(), server_default="", nullable=False))
    op.create_index(op.f("ix_subscribers_card_token"), "subscribers", ["card_token"], unique=False)
    _keep_earlier_suspensions(op.get_bind())


def downgrade() -> None:
    op.drop_index(op.f("ix_subscribers_card_token"), table_name="subscribers")
    op.drop_column("subscribers", "card_token")
    op.drop_table("notices")
    op.drop_table("measures")
    op.drop_table("claims")
    op.drop_table("payment_results")
    op.drop_table("claimed_months")


def _keep_earlier_suspensions(connection: sa.Connection) -> None:
    """Suspensions made before measures were kept stand in the change log only (K7 counts them on any date)."""
    log = sa.text(
        "SELECT at, who, subscriber, what FROM changes WHERE what IN ('suspended', 'active', 'terminated') ORDER BY seq"
    )
    spans: list[dict[str, Any]] = []
    running: dict[str, dict[str, Any]] = {}
    for at, who, subscriber, what in connection.execute(log):
        if what == "suspended":
            running[subscriber] = {"at": at, "who": who, "subscriber": subscriber, "ended": None}
            spans.append(running[subscriber])
        elif subscriber in running:
            running.pop(subscriber)["ended"] = at
    table = sa.table(
        "measures",
        *(sa.column(name) for name in ("subscriber", "kind", "cause", "month", "state", "made_at", "made_by")),
        sa.column("from_day", sa.Date()),
        sa.column("began_at"),
        sa.column("ended_at"),
    )
    rows = [
        {
            "subscriber": span["subscriber"],
            "kind": "suspension",
            "cause": "request",
            "month": "",
            "from_day": datetime.fromtimestamp(span["at"] // 1000, _TOKYO).date(),
            "state": "in-force" if span["ended"] is None else "ended",
            "made_at": span["at"],
            "made_by": span["who"],
            "began_at": span["at"],
            "ended_at": span["ended"],
        }
        for span in spans
    ]
    if rows:
        connection.execute(sa.insert(table), rows)
