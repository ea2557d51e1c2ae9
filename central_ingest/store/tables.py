"""The tables. The migrations build them; a test compares the two.

Invariants, numbered, checked by tests:

1. `report` holds one row for each (issue_id, revision); its body is the bytes that travelled. Its
   sighting names the newest report of an issue, and each the one before it (`report_chain`).
2. `sighting` holds one row an issue, with the content of its highest revision, in one case.
3. `case` repeats what lists filter by and count (state, presence, cell, cameras), always written
   in the transaction that changed a sighting, so that a list is one indexed read. Its
   `last_seen_at` and `updated_at` are of that moment; newer ones are its sightings' to tell.
4. Every transaction that changes a case writes a row of `change` for each kind of change.
5. `evidence_ref.state` is present where `evidence` has the hash; pending, then lost, elsewhere.
6. Nothing here is deleted by the ingest.
7. `sighting.spot` is the square of its position (`spots`); `case.spot` and `case.ended_at` are set
   when a case is closed, and only then.
8. A case without sightings was merged, and is void; or it was closed, and what it had went on
   elsewhere. `merged_into` names where those of a merged case went.
9. `former_sighting` holds a closed case's sighting as it was when its issue, seen again, went on in
   another case.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


class UtcDateTime(TypeDecorator[datetime]):
    """Times as UTC: with zone in PostgreSQL, as sortable text in SQLite; always aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without zone; write UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone cannot be stored: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        del dialect
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


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

setting = Table(
    "setting",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Json, nullable=False),
)

case = Table(
    "case",
    metadata,
    Column("case_id", RowId, primary_key=True, autoincrement=True),
    Column("number", String(64), nullable=False, unique=True),
    Column("category", String(32), nullable=False),
    Column("family", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("presence", String(16), nullable=False),
    Column("presence_since", UtcDateTime, nullable=False),
    Column("cell_code", String(15)),
    Column("grid_version", String(64)),
    Column("cell_official", Boolean, nullable=False),
    Column("lon", Double),
    Column("lat", Double),
    Column("error_m", Double),
    Column("component_id", String(64)),
    Column("component_standard", String(64)),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("deadline_at", UtcDateTime),
    Column("sighting_count", Integer, nullable=False),
    Column("cameras", Json, nullable=False),
    Column("still_sha256", String(64)),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("arranged", Boolean, nullable=False, server_default=false()),
    Column("merged_into", RowId, ForeignKey("case.case_id")),
    Column("recurs_of", RowId, ForeignKey("case.case_id")),
    Column("spot", BigInteger),
    Column("ended_at", UtcDateTime),
    # One index for each way to filter a list; each starts with the state and ends with the order.
    Index("ix_case_listed", "state", "severity", "case_id"),
    Index("ix_case_by_category", "state", "category", "severity", "case_id"),
    Index("ix_case_by_cell", "state", "cell_code", "severity", "case_id"),
    Index("ix_case_by_presence", "state", "presence", "severity", "case_id"),
    Index(
        "ix_case_ended",
        "spot",
        "ended_at",
        sqlite_where=text("spot IS NOT NULL"),
        postgresql_where=text("spot IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

case_number = Table(
    "case_number",
    metadata,
    Column("prefix", String(64), primary_key=True),
    Column("last_sequence", Integer, nullable=False),
)

report = Table(
    "report",
    metadata,
    Column("report_id", RowId, primary_key=True, autoincrement=True),
    Column("issue_id", Uuid, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("outbox_id", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("before_id", RowId),
    UniqueConstraint("issue_id", "revision").ddl_if(dialect="postgresql"),  # has several writers
)


def _seen() -> tuple[Column[Any], ...]:
    """What is kept of one camera's issue, in whatever case."""
    return (
        Column("city", String(64), nullable=False),
        Column("agent_id", String(64), nullable=False),
        Column("camera_id", String(64), nullable=False),
        Column("family", String(16), nullable=False),
        Column("category", String(32), nullable=False),
        Column("severity", String(16), nullable=False),
        Column("phase", String(16), nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("first_seen_at", UtcDateTime, nullable=False),
        Column("last_seen_at", UtcDateTime, nullable=False),
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
        Column("updated_at", UtcDateTime, nullable=False),
    )


sighting = Table(
    "sighting",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    *_seen(),
    Column("open", Boolean, nullable=False),
    Column("spot", BigInteger),
    Column("newest_report_id", RowId),
    Index(None, "case_id"),
    # Where duplicates are looked for: open cases only, by the squares around a place.
    Index(
        "ix_sighting_spot",
        "spot",
        sqlite_where=text("open = 1"),
        postgresql_where=text("open"),
    ),
    Index(
        "ix_sighting_component",
        "component_id",
        sqlite_where=text("component_id IS NOT NULL"),
        postgresql_where=text("component_id IS NOT NULL"),
    ),
)

former_sighting = Table(
    "former_sighting",
    metadata,
    Column("case_id", RowId, ForeignKey("case.case_id"), primary_key=True, autoincrement=False),
    Column("issue_id", Uuid, primary_key=True),
    *_seen(),
    Column("left_at", UtcDateTime, nullable=False),
    Index(None, "issue_id"),
)

evidence_ref = Table(
    "evidence_ref",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("named_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("moment", String(16)),
    Column("captured_at", UtcDateTime),
    Index(None, "sha256"),
    Index(None, "state", "named_at"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("stored_by", String(128), nullable=False),
)

evidence_reading = Table(
    "evidence_reading",
    metadata,
    Column("reading_id", RowId, primary_key=True, autoincrement=True),
    Column("sha256", String(64), nullable=False),
    Column("who", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("address", String(64), nullable=False),
    Index(None, "sha256", "at"),
)

decision = Table(
    "decision",
    metadata,
    Column("decision_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("reason", Text),
    Column("detail", Text, nullable=False),
    Index(None, "case_id"),
)

proposal = Table(
    "proposal",
    metadata,
    Column("proposal_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, ForeignKey("case.case_id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("other_case_id", RowId, ForeignKey("case.case_id")),
    Column("because", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("settled_by", String(128)),
    Column("outcome", String(32)),
    Index(None, "case_id"),
    Index(None, "other_case_id"),
)

cannot_link = Table(
    "cannot_link",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("other_issue_id", Uuid, primary_key=True),
    Column("decided_by", String(128), nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)

change = Table(
    "change",
    metadata,
    Column("change_id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", RowId, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

quarantine = Table(
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
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("requeued_at", UtcDateTime),
)

agent = Table(
    "agent",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("city", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("version", String(64), nullable=False),
    Column("waiting_reports", BigInteger, nullable=False),
    Column("body", Json, nullable=False),
    Column("last_heard_at", UtcDateTime, nullable=False),
)

camera = Table(
    "camera",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("camera_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("detail", Text, nullable=False),
    Column("looks_per_s", Double, nullable=False),
    Column("body", Json, nullable=False),
    Column("last_heard_at", UtcDateTime, nullable=False),
)

command_result = Table(
    "command_result",
    metadata,
    Column("command_id", Uuid, primary_key=True),
    Column("agent_id", String(64), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

grid = Table(
    "grid",
    metadata,
    Column("grid_version", String(64), primary_key=True),
    Column("official", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("crs", String(16), nullable=False),
    Column("imported_at", UtcDateTime, nullable=False),
)

cell = Table(
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

component = Table(
    "component",
    metadata,
    Column("component_id", String(64), primary_key=True),
    Column("standard", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("lon", Double, nullable=False),
    Column("lat", Double, nullable=False),
    Index(None, "lat", "lon"),
)

user = Table(
    "user",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

session = Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_name", String(64), ForeignKey("user.name"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index(None, "role", "name"),
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("city", String(64), nullable=False),
    Column("serial", String(64)),
    Column("password_hash", Text),
    Column("not_after", UtcDateTime),
    Column("enrolled_at", UtcDateTime, nullable=False),
)

revoked_certificate = Table(
    "revoked_certificate",
    metadata,
    Column("serial", String(64), primary_key=True),
    Column("agent_id", String(64), nullable=False),
    Column("revoked_at", UtcDateTime, nullable=False),
)

canary = Table(
    "canary",
    metadata,
    Column("agent_id", String(64), primary_key=True),
    Column("city", String(64), primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("metrics", Text, nullable=False),
)

# One row a command to an agent; a suppression is its suppress command.
command = Table(
    "command",
    metadata,
    Column("command_id", Uuid, primary_key=True),
    Column("city", String(64), nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("camera_id", String(64)),
    Column("issue_id", Uuid),
    Column("category", String(32)),
    Column("until", UtcDateTime),
    Column("case_id", RowId, ForeignKey("case.case_id")),
    Column("asked_by", String(128), nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("offered_at", UtcDateTime),
    Column("tries", Integer, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", String(128)),
    Column("body", Json, nullable=False),
    Index(None, "expires_at"),
    Index(None, "kind", "until"),
    Index(None, "case_id"),
)
