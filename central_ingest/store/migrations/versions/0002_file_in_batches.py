"""File in batches: squares to look for duplicates in, lists that begin with what is urgent.

Also what merging, splitting and recurrence need.
"""

import sqlalchemy as sa
from alembic import op

from central_ingest.dedup import DuplicateRules, Place
from central_ingest.spots import spot
from contract.catalogue import Family

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_AT_ONCE = 5000


def upgrade() -> None:
    with op.batch_alter_table("case", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(
            sa.Column("arranged", sa.Boolean, nullable=False, server_default=sa.false())
        )
        for name in ("merged_into", "recurs_of"):
            batch.add_column(sa.Column(name, RowId))
            batch.create_foreign_key(f"fk_case_{name}", "case", [name], ["case_id"])
        batch.add_column(sa.Column("spot", sa.BigInteger))
        batch.add_column(sa.Column("ended_at", sa.DateTime(timezone=True)))
    for found in sa.inspect(op.get_bind()).get_indexes("case"):
        if str(found["name"]).startswith("ix_"):
            op.drop_index(str(found["name"]), "case")
    _index_cases()
    op.drop_index("ix_report_agent_id_outbox_id_seq", "report")
    with op.batch_alter_table("sighting") as batch:
        batch.add_column(sa.Column("spot", sa.BigInteger))
    for found in sa.inspect(op.get_bind()).get_indexes("sighting"):
        if found["name"] != "ix_sighting_case_id":
            op.drop_index(str(found["name"]), "sighting")
    _fill_spots()
    _index_sightings()


def _index_cases() -> None:
    for name, columns in (
        ("ix_case_listed", ["state", "severity", "case_id"]),
        ("ix_case_by_category", ["state", "category", "severity", "case_id"]),
        ("ix_case_by_cell", ["state", "cell_code", "severity", "case_id"]),
        ("ix_case_by_presence", ["state", "presence", "severity", "case_id"]),
    ):
        op.create_index(name, "case", columns)
    placed = sa.text("spot IS NOT NULL")
    op.create_index(
        "ix_case_ended", "case", ["spot", "ended_at"], sqlite_where=placed, postgresql_where=placed
    )


def _index_sightings() -> None:
    op.create_index(
        "ix_sighting_spot",
        "sighting",
        ["spot"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )
    part = sa.text("component_id IS NOT NULL")
    op.create_index(
        "ix_sighting_component",
        "sighting",
        ["component_id"],
        sqlite_where=part,
        postgresql_where=part,
    )


def _fill_spots() -> None:
    """Sightings by their own position; closed cases by theirs, ended when last changed."""
    connection, rules = op.get_bind(), DuplicateRules()
    sighting = sa.table(
        "sighting", *map(sa.column, ("issue_id", "family", "lon", "lat", "error_m", "spot"))
    )
    case = sa.table(
        "case",
        *map(sa.column, ("case_id", "family", "lon", "lat", "state", "spot", "ended_at")),
        sa.column("updated_at"),
    )
    over = case.c.state == "closed"
    connection.execute(sa.update(case).where(over).values(ended_at=case.c.updated_at))
    for table, key, wanted in (
        (sighting, sighting.c.issue_id, sa.true()),
        (case, case.c.case_id, over),
    ):
        rows = connection.execute(
            sa.select(table, key.label("k")).where(table.c.lon.is_not(None), wanted)
        ).all()
        change = sa.update(table).where(key == sa.bindparam("k")).values(spot=sa.bindparam("s"))
        values = [{"k": row.k, "s": _spot(row, rules)} for row in rows]
        for at in range(0, len(values), _AT_ONCE):
            connection.execute(change, values[at : at + _AT_ONCE])


def _spot(row: sa.Row[tuple[object, ...]], rules: DuplicateRules) -> int:
    family = Family(row.family)
    error_m = getattr(row, "error_m", 0.0)
    place = Place(row.lon, row.lat, error_m)
    return spot(place, family, coarse=error_m > rules.cap_m(family))
