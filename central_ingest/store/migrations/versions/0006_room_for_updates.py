"""Leave room on the pages of what every report changes, so that PostgreSQL touches no index.

A row whose new version finds room on its own page needs no new entry in any index. SQLite changes
rows in place and has no such setting.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CHANGED_OFTEN = ("case", "sighting")


def upgrade() -> None:
    """Fill the pages that are to come by three quarters."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _CHANGED_OFTEN:
            op.execute(f'ALTER TABLE "{table}" SET (fillfactor = 75)')


def downgrade() -> None:
    """Fill them whole again."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _CHANGED_OFTEN:
            op.execute(f'ALTER TABLE "{table}" RESET (fillfactor)')
