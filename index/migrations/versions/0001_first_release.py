"""The tables as they were when steps began.

Before, each module made its own tables when it was first used: such a database has some of them
and no version. So each is made only where it is missing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables that are missing."""
    _documents()
    _conversations()
    _channels()
    _webhooks()


def _documents() -> None:
    op.create_table(
        "collections",
        sa.Column("name", _name(100), primary_key=True),
        sa.Column("generation", sa.String(40)),
        sa.Column("changed_at", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "documents",
        sa.Column("collection", _name(100), primary_key=True),
        sa.Column("id", _name(200), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("characters", sa.Integer, nullable=False),
        sa.Column("passages", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.String(32), nullable=False),
        if_not_exists=True,
    )


def _conversations() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("collection", sa.String(100), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("used_at", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    _index("sessions", "used_at")
    op.create_table(
        "turns",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column(
            "session_id",
            sa.String(64),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.String(32), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        if_not_exists=True,
    )
    _index("turns", "session_id")
    op.create_table(
        "feedback",
        sa.Column(
            "turn_id",
            sa.String(64),
            sa.ForeignKey("turns.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("voter", sa.String(100), primary_key=True),
        sa.Column("vote", sa.String(8), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("given_at", sa.String(32), nullable=False),
        if_not_exists=True,
    )


def _channels() -> None:
    op.create_table(
        "channel_events",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("taken_at", sa.Text, nullable=False),
        if_not_exists=True,
    )
    _index("channel_events", "taken_at")
    op.create_table(
        "channel_threads",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("kept_at", sa.Text, nullable=False),
        if_not_exists=True,
    )
    _index("channel_threads", "kept_at")
    op.create_table(
        "channel_jobs",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("id", sa.String(256), nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("address", sa.JSON, nullable=False),
        sa.Column("reply", sa.JSON),
        sa.Column("turn_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("accepted_at", sa.Float, nullable=False),
        sa.UniqueConstraint("channel", "id"),
        if_not_exists=True,
    )
    _index("channel_jobs", "state")
    op.create_table(
        "slack_messages",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("timestamp", sa.String(32), nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    _index("slack_messages", "begun_at")


def _webhooks() -> None:
    op.create_table(
        "webhook_questions",
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("came_at", sa.Text, nullable=False),
        sa.Column("outcome", sa.JSON),
        if_not_exists=True,
    )
    _index("webhook_questions", "came_at")
    op.create_table(
        "webhook_deliveries",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("subject", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("fate", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        if_not_exists=True,
    )
    _index("webhook_deliveries", "created_at")
    op.create_table(
        "webhook_gone",
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _name(length: int) -> sa.String:
    by_code_point = sa.String(length, collation="C")
    return sa.String(length).with_variant(by_code_point, "postgresql")


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)
