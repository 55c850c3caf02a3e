"""Why a call was refused or did not ring"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("reason", sa.String(length=40), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("calls", "reason")
