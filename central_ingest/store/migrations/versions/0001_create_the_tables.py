"""Create the tables: a frozen copy of the tables as they were at this version."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Time = DateTime(timezone=True)
# SQLite counts rows by itself only for INTEGER; PostgreSQL wants 64 bits.
RowId = BigInteger().with_variant(Integer, "sqlite")
# PostgreSQL compares JSONB, SQLite keeps text.
Json = JSON().with_variant(JSONB(), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Table(
    "setting",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Json, nullable=False),
)

Table(
    "case",
    metadata,
    Column("case_id", RowId, primary_key=True, autoincrement=True),
    Column("number", String(64), nullable=False, unique=True),
    Column("category", String(32), nullable=False),
    Column("family", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("presence", String(16), nullable=False),
    Column("presence_since", Time, nullable=False),
    Column("cell_code", String(15)),
    Column("grid_version", String(64)),
    Column("cell_official", Boolean, nullable=False),
    Column("lon", Double),
    Column("lat", Double),
    Column("error_m", Double),
    Column("component_id", String(64)),
    Column("component_standard", String(64)),
    Column("opened_at", Time, nullable=False),
    Column("first_seen_at", Time, nullable=False),
    Column("last_seen_at", Time, nullable=False),
    Column("deadline_at", Time),
    Column("sighting_count", Integer, nullable=False),
    Column("cameras", Json, nullable=False),
    Column("still_sha256", String(64)),
    Column("updated_at", Time, nullable=False),
    # One index for each way to filter a list; each starts with the state and ends with the order.
    Index(None, "state", "case_id"),
    Index(None, "state", "category", "case_id"),
    Index(None, "state", "cell_code", "case_id"),
    Index(None, "state", "presence", "case_id"),
    sqlite_autoincrement=True,
)

Table(
    "case_number",
    metadata,
    Column("prefix", String(64), primary_key=True),
    Column("last_sequence", Integer, nullable=False),
)

Table(
    "report",
    metadata,
    Column("report_id", RowId, primary_key=True, autoincrement=True),
    Column("issue_id", Uuid, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("outbox_id", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("received_at", Time, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("issue_id", "revision"),
    Index(None, "agent_id", "outbox_id", "seq"),
)

Table(
    "sighting",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    Column("city", String(64), nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("camera_id", String(64), nullable=False),
    Column("family", String(16), nullable=False),
    Column("category", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("first_seen_at", Time, nullable=False),
    Column("last_seen_at", Time, nullable=False),
    Column("lon", Double),
    Column("lat", Double),
    Column("error_m", Double),
    Column("component_id", String(64)),
    Column("component_standard", String(64)),
    Column("box_xyxyn", Json, nullable=False),
    Column("score", Double, nullable=False),
    Column("model_name", String(128), nullable=False),
    Column("model_sha256", String(64), nullable=False),
    Column("linked_because", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("updated_at", Time, nullable=False),
    Index(None, "case_id"),
    # Where duplicates are looked for: open cases only, one family, a box of degrees.
    Index(None, "open", "family", "lat", "lon"),
    Index(None, "component_id", "family"),
)

Table(
    "evidence_ref",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("named_at", Time, nullable=False),
    Column("state", String(16), nullable=False),
    Index(None, "sha256"),
    Index(None, "state", "named_at"),
)

Table(
    "evidence",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored_at", Time, nullable=False),
    Column("stored_by", String(128), nullable=False),
)

Table(
    "evidence_reading",
    metadata,
    Column("reading_id", RowId, primary_key=True, autoincrement=True),
    Column("sha256", String(64), nullable=False),
    Column("who", String(128), nullable=False),
    Column("at", Time, nullable=False),
    Column("address", String(64), nullable=False),
    Index(None, "sha256", "at"),
)

Table(
    "decision",
    metadata,
    Column("decision_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    Column("at", Time, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("reason", Text),
    Column("detail", Text, nullable=False),
    Index(None, "case_id"),
)

Table(
    "proposal",
    metadata,
    Column("proposal_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("other_case_id", RowId, ForeignKey("case.case_id")),
    Column("because", Text, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("settled_at", Time),
    Column("settled_by", String(128)),
    Column("outcome", String(32)),
    Index(None, "case_id"),
    Index(None, "other_case_id"),
)

Table(
    "cannot_link",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("other_issue_id", Uuid, primary_key=True),
    Column("decided_by", String(128), nullable=False),
    Column("decided_at", Time, nullable=False),
)

Table(
    "change",
    metadata,
    Column("change_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Time, nullable=False),
    sqlite_autoincrement=True,
)

Table(
    "quarantine",
    metadata,
    Column("quarantine_id", RowId, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("agent_id", String(64)),
    Column("outbox_id", Uuid),
    Column("seq", BigInteger),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", Time, nullable=False),
    Column("last_at", Time, nullable=False),
    Column("requeued_at", Time),
)

Table(
    "agent",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("city", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Time, nullable=False),
    Column("version", String(64), nullable=False),
    Column("waiting_reports", BigInteger, nullable=False),
    Column("body", Json, nullable=False),
    Column("last_heard_at", Time, nullable=False),
)

Table(
    "camera",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("camera_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Time, nullable=False),
    Column("detail", Text, nullable=False),
    Column("looks_per_s", Double, nullable=False),
    Column("body", Json, nullable=False),
    Column("last_heard_at", Time, nullable=False),
)

Table(
    "command_result",
    metadata,
    Column("command_id", Uuid, primary_key=True),
    Column("agent_id", String(64), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", Json, nullable=False),
    Column("received_at", Time, nullable=False),
)

Table(
    "grid",
    metadata,
    Column("grid_version", String(64), primary_key=True),
    Column("official", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("crs", String(16), nullable=False),
    Column("imported_at", Time, nullable=False),
)

Table(
    "cell",
    metadata,
    Column("grid_version", String(64), ForeignKey("grid.grid_version"), primary_key=True),
    Column("code", String(15), primary_key=True),
    Column("official", Boolean, nullable=False),
    Column("min_lon", Double, nullable=False),
    Column("max_lon", Double, nullable=False),
    Column("min_lat", Double, nullable=False),
    Column("max_lat", Double, nullable=False),
    Column("polygon", Json, nullable=False),
    Index(None, "code"),
    Index(None, "min_lat", "max_lat", "min_lon", "max_lon"),
)

Table(
    "component",
    metadata,
    Column("component_id", String(64), primary_key=True),
    Column("standard", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("lon", Double, nullable=False),
    Column("lat", Double, nullable=False),
    Index(None, "lat", "lon"),
)

Table(
    "user",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
)

Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_name", String(64), ForeignKey("user.name"), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)

Table(
    "token",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("revoked_at", Time),
    Index(None, "role", "name"),
)

Table(
    "worker",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("beat_at", Time, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("metrics", Text, nullable=False),
)


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
