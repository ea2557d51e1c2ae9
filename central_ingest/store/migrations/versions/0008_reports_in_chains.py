"""Let an issue's reports be found from its sighting, each from the next, without an index.

SQLite writes the table of reports anew, for which the disk needs room once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NEWEST = (
    "UPDATE sighting SET newest_report_id = (SELECT max(report_id) FROM report"
    " WHERE report.issue_id = sighting.issue_id)"
)
_BEFORE = (
    "UPDATE report SET before_id = found.before_id FROM (SELECT report_id, lag(report_id) OVER"
    " (PARTITION BY issue_id ORDER BY report_id) AS before_id FROM report) AS found"
    " WHERE found.report_id = report.report_id AND found.before_id IS NOT NULL"
)


def upgrade() -> None:
    op.add_column("report", sa.Column("before_id", RowId))
    op.add_column("sighting", sa.Column("newest_report_id", RowId))
    op.execute(_NEWEST)
    op.execute(_BEFORE)
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("report") as batch:
            batch.drop_constraint("uq_report_issue_id_revision", "unique")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("report") as batch:
            batch.create_unique_constraint("uq_report_issue_id_revision", ["issue_id", "revision"])
    op.drop_column("sighting", "newest_report_id")
    op.drop_column("report", "before_id")
