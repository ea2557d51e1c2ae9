"""Evidence says whether it shows the issue or its absence, and when it was taken."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("evidence_ref") as batch:
        batch.add_column(sa.Column("moment", sa.String(16)))
        batch.add_column(sa.Column("captured_at", sa.DateTime(timezone=True)))
