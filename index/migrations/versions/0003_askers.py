"""Who asked, in chat tools: what is of many people can so be deleted for one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; who asked before is not known."""
    for table in ("turns", "channel_jobs"):
        asker = sa.Column("asker", sa.String(300), nullable=False, server_default="")
        op.add_column(table, asker)
        op.create_index(f"ix_{table}_asker", table, ["asker"])
