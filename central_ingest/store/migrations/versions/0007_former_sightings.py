"""Keep what a closed case showed of an issue that was seen again and went on in another case."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
Utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "former_sighting",
        sa.Column("case_id", RowId, nullable=False),
        sa.Column("issue_id", sa.Uuid, nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("family", sa.String(16), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("first_seen_at", Utc, nullable=False),
        sa.Column("last_seen_at", Utc, nullable=False),
        sa.Column("lon", sa.Double),
        sa.Column("lat", sa.Double),
        sa.Column("error_m", sa.Double),
        sa.Column("component_id", sa.String(64)),
        sa.Column("component_standard", sa.String(64)),
        sa.Column("box_xyxyn", Json, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("model_name", sa.String(128), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("linked_because", sa.Text, nullable=False),
        sa.Column("updated_at", Utc, nullable=False),
        sa.Column("left_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "issue_id", name="pk_former_sighting"),
        sa.ForeignKeyConstraint(["case_id"], ["case.case_id"], name="fk_former_sighting_case_id"),
    )
    op.create_index("ix_former_sighting_issue_id", "former_sighting", ["issue_id"])


def downgrade() -> None:
    op.drop_table("former_sighting")
