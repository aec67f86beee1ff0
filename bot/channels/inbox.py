"""What came from outside and to whom it belongs: events that were seen, threads and their sessions.

Both are rows in the database, so that they hold over a restart and in every process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from bot.session_rows import SessionRow
from index.database import Base, Database, now, stamp

KEPT = timedelta(days=7)
"""Longer than any platform sends an event again."""


class EventRow(Base):
    """An event that was taken."""

    __tablename__ = "channel_events"
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    taken_at: Mapped[str] = mapped_column(Text, index=True)


class ThreadRow(Base):
    """A chat or thread outside, and the session that is held in it."""

    __tablename__ = "channel_threads"
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    session_id: Mapped[str] = mapped_column(Text)
    kept_at: Mapped[str] = mapped_column(Text, index=True)


@dataclass(frozen=True, slots=True)
class Inbox:
    """Tells events that are new from those delivered again. Safe in many threads and processes.

    Attributes:
        database: Remembers them for `KEPT`.
    """

    database: Database

    def first(self, channel: str, event_id: str) -> bool:
        """Take an event, and return whether it is new: true once, however often it comes."""
        row = {"channel": channel, "event_id": event_id, "taken_at": now()}
        try:
            with self.database.write() as session:
                session.execute(insert(EventRow).values(**row))
        except IntegrityError:  # the primary key: of several at the same time one gets in
            return False
        return True

    def forget(self, channel: str, event_ids: Sequence[str]) -> None:
        """Take events back that could not be dealt with: they are new when they come again."""
        named = EventRow.event_id.in_(event_ids)
        with self.database.write() as session:
            session.execute(delete(EventRow).where(EventRow.channel == channel, named))

    def purge(self, at: datetime) -> None:
        """Delete what is older than `KEPT` at that time."""
        with self.database.write() as session:
            session.execute(delete(EventRow).where(EventRow.taken_at < stamp(at - KEPT)))


@dataclass(frozen=True, slots=True)
class Threads:
    """Which conversation goes on in a chat or thread outside.

    A key names a chat within its channel, with the tenant; it never comes from what somebody wrote.

    Attributes:
        database: Remembers them.
    """

    database: Database

    def session(self, channel: str, key: str) -> str | None:
        """Return the id of the session of a chat; it may have been deleted since."""
        with self.database.read() as session:
            row = session.get(ThreadRow, (channel, key))
            return row.session_id if row else None

    def keep(self, channel: str, key: str, session_id: str) -> None:
        """Go on with a session in a chat, in place of the one before."""
        row = ThreadRow(channel=channel, key=key, session_id=session_id, kept_at=now())
        with self.database.write(alone=f"thread {channel} {key}") as session:
            session.merge(row)

    def purge(self, before: datetime) -> None:
        """Forget the chats that were kept before then and whose session is no longer there."""
        old = ThreadRow.kept_at < stamp(before)
        gone = ThreadRow.session_id.not_in(select(SessionRow.id))
        with self.database.write() as session:
            session.execute(delete(ThreadRow).where(old, gone))
