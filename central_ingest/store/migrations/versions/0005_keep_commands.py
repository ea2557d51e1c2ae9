"""Keep commands to agents until they are answered: suppressions and what people ask for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
Utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "command",
        sa.Column("command_id", sa.Uuid, nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("camera_id", sa.String(64)),
        sa.Column("issue_id", sa.Uuid),
        sa.Column("category", sa.String(32)),
        sa.Column("until", Utc),
        sa.Column("case_id", RowId),
        sa.Column("asked_by", sa.String(128), nullable=False),
        sa.Column("issued_at", Utc, nullable=False),
        sa.Column("expires_at", Utc, nullable=False),
        sa.Column("offered_at", Utc),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("revoked_at", Utc),
        sa.Column("revoked_by", sa.String(128)),
        sa.Column("body", Json, nullable=False),
        sa.PrimaryKeyConstraint("command_id", name="pk_command"),
        sa.ForeignKeyConstraint(["case_id"], ["case.case_id"], name="fk_command_case_id"),
    )
    op.create_index("ix_command_expires_at", "command", ["expires_at"])
    op.create_index("ix_command_kind_until", "command", ["kind", "until"])
    op.create_index("ix_command_case_id", "command", ["case_id"])


def downgrade() -> None:
    op.drop_table("command")
