"""Remember which agents are enrolled, which certificates ended, and each agent's last canary."""

from alembic import op
from sqlalchemy import Column, DateTime, String, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Time = DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "enrolment",
        Column("agent_id", String(64), primary_key=True),
        Column("city", String(64), nullable=False),
        Column("serial", String(64)),
        Column("password_hash", Text),
        Column("not_after", Time),
        Column("enrolled_at", Time, nullable=False),
    )
    op.create_table(
        "revoked_certificate",
        Column("serial", String(64), primary_key=True),
        Column("agent_id", String(64), nullable=False),
        Column("revoked_at", Time, nullable=False),
    )
    op.create_table(
        "canary",
        Column("agent_id", String(64), primary_key=True),
        Column("city", String(64), primary_key=True),
        Column("made_at", Time, nullable=False),
        Column("received_at", Time, nullable=False),
    )


def downgrade() -> None:
    for table in ("canary", "revoked_certificate", "enrolment"):
        op.drop_table(table)
