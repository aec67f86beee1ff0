"""What is forgotten in time, wherever it lies: called every so often while the service runs."""

import logging
from datetime import UTC, datetime, timedelta

from bot.channels.asked import Questions
from bot.channels.inbox import Inbox, Threads
from bot.channels.jobs import Jobs
from bot.channels.slack_sent import Sent
from bot.runtime import Runtime
from bot.sessions import SessionStore

_log = logging.getLogger("wenqu")


def forget(runtime: Runtime, at: datetime | None = None) -> None:
    """Delete what is past its time, also of what has been switched off meanwhile.

    Args:
        runtime: Its settings say how long conversations are kept.
        at: The time that it is, now if None.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: Not all could be deleted.
    """
    at = at or datetime.now(UTC)
    oldest = at - timedelta(days=runtime.settings.retention_days)
    database = runtime.database
    count = SessionStore(database).purge(oldest)
    if not runtime.settings.store_conversations:
        count += runtime.conversations.purge(oldest)
    Inbox(database).purge(at)
    Threads(database).purge(oldest)
    Jobs(database, at.timestamp).purge(oldest)
    Sent(database, at.timestamp).purge()
    Questions(database, runtime.outbox).purge(at)
    runtime.outbox.purge(oldest)
    database.scrub()
    if count:
        _log.info("deleted %s conversations past their time", count)
