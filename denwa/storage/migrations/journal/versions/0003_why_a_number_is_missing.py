"""Why a caller's number is missing (B4)"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("hidden_reason", sa.String(length=20), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("calls", "hidden_reason")
