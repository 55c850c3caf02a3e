"""Adjustments, corrections by hand, and what was billed when a month was closed"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adjustments",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("asked_month_start", sa.Date(), nullable=False),
        sa.Column("month_start", sa.Date(), nullable=False),
        sa.Column("month_end", sa.Date(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.String(length=12), nullable=False),
        sa.Column("working", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("corrects", sa.Text(), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("yen <> 0", name=op.f("ck_adjustments_yen")),
        sa.ForeignKeyConstraint(["corrects"], ["adjustments.reference"], name=op.f("fk_adjustments_corrects")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_adjustments")),
        sa.UniqueConstraint("corrects", name=op.f("uq_adjustments_corrects")),
    )
    op.create_index(
        op.f("ix_adjustments_month_start_subscriber"), "adjustments", ["month_start", "subscriber"], unique=False
    )
    op.create_index(op.f("ix_adjustments_subscriber"), "adjustments", ["subscriber"], unique=False)
    op.create_table(
        "adjustment_entries",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["reference"], ["adjustments.reference"], name=op.f("fk_adjustment_entries_reference")),
        sa.PrimaryKeyConstraint("reference", "account", name=op.f("pk_adjustment_entries")),
    )
    op.create_table(
        "bills",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("subscriber", sa.String(length=20), nullable=False),
        sa.Column("month_start", sa.Date(), nullable=False),
        sa.Column("month_end", sa.Date(), nullable=False),
        sa.Column("taxed_yen", sa.BigInteger(), nullable=False),
        sa.Column("exempt_yen", sa.BigInteger(), nullable=False),
        sa.Column("out_of_scope_yen", sa.BigInteger(), nullable=False),
        sa.Column("tax_percent", sa.Integer(), nullable=False),
        sa.Column("tax_yen", sa.BigInteger(), nullable=False),
        sa.Column("total_yen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "total_yen = taxed_yen + exempt_yen + out_of_scope_yen + tax_yen", name=op.f("ck_bills_total")
        ),
        sa.ForeignKeyConstraint(["month"], ["closed_months.name"], name=op.f("fk_bills_month")),
        sa.PrimaryKeyConstraint("month", "subscriber", name=op.f("pk_bills")),
    )
    op.create_index(op.f("ix_bills_subscriber"), "bills", ["subscriber"], unique=False)
    op.create_table(
        "corrections",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id", "revision"],
            ["postings.record_id", "postings.revision"],
            name=op.f("fk_corrections_record_id_revision"),
        ),
        sa.PrimaryKeyConstraint("record_id", "revision", name=op.f("pk_corrections")),
    )
    # Months closed before are exported for ever with the columns that they were closed with.
    op.add_column("closed_months", sa.Column("layout", sa.Integer(), server_default="1", nullable=False))
    op.add_column("closed_months", sa.Column("lines_sha256", sa.String(length=64), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("closed_months", "lines_sha256")
    op.drop_column("closed_months", "layout")
    op.drop_table("corrections")
    op.drop_index(op.f("ix_bills_subscriber"), table_name="bills")
    op.drop_table("bills")
    op.drop_table("adjustment_entries")
    op.drop_index(op.f("ix_adjustments_subscriber"), table_name="adjustments")
    op.drop_index(op.f("ix_adjustments_month_start_subscriber"), table_name="adjustments")
    op.drop_table("adjustments")
