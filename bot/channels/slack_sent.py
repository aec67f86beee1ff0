"""Which message of ours in Slack answers which question: the answer goes into it, not below it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Float, String, Text, delete, update
from sqlalchemy.orm import Mapped, mapped_column

from index.database import Base, Database

_KEPT_SECONDS = 7 * 86_400
"""As long as jobs, which would be answered anew without it."""


class SlackMessageRow(Base):
    """A message of ours; its timestamp, which Slack knows it by, is "" until it is known."""

    __tablename__ = "slack_messages"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    timestamp: Mapped[str] = mapped_column(String(32))
    begun_at: Mapped[float] = mapped_column(Float, index=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """The messages that were sent, kept for 7 days.

    Attributes:
        database: Remembers them.
        clock: Tells Unix time.
    """

    database: Database
    clock: Callable[[], float] = time.time

    def begin(self, message_id: str) -> str | None:
        """Note that a message is about to be sent in answer to `message_id`.

        Returns:
            None if it is the first time; the timestamp of the message sent before, or "" if it is
            not known whether it was sent.
        """
        with self.database.write(alone=f"slack {message_id}") as session:
            row = session.get(SlackMessageRow, message_id)
            if row is not None:
                return row.timestamp
            session.add(SlackMessageRow(id=message_id, timestamp="", begun_at=self.clock()))
            return None

    def purge(self) -> None:
        """Forget the messages that are past their time."""
        old = SlackMessageRow.begun_at < self.clock() - _KEPT_SECONDS
        with self.database.write() as session:
            session.execute(delete(SlackMessageRow).where(old))

    def keep(self, message_id: str, timestamp: str) -> None:
        """Keep the timestamp of the message."""
        named = SlackMessageRow.id == message_id
        with self.database.write() as session:
            session.execute(update(SlackMessageRow).where(named).values(timestamp=timestamp))
