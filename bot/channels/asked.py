"""Questions that came by webhook: each id once, and what became of it.

A sender repeats a request until it has an answer. The repetition is known by its id; that it is
one, and not another question under the same id, by the hash of the body.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, String, Text, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from bot.channels.outbox import Outbox
from bot.errors import ReusedIdError
from bot.wire import Json
from index.database import Base, Database, now, stamp

KEPT = timedelta(days=4)
"""Senders by the schedule of Standard Webhooks give up after 75 hours and 35 minutes."""


class AskedRow(Base):
    """A question by its id; neither it nor its answer is here, only where they are."""

    __tablename__ = "webhook_questions"
    endpoint: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    came_at: Mapped[str] = mapped_column(Text, index=True)
    outcome: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is remembered.

    Attributes:
        endpoint: Who asked.
        id: Of the request.
        came_at: UTC, ISO 8601.
        outcome: `session_id` and `turn_id` of the answer, or a `problem`; None while there is none.
    """

    endpoint: str
    id: str
    came_at: str
    outcome: Json | None


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of all endpoints. Safe in many threads and processes.

    Attributes:
        database: Remembers them for `KEPT`.
        outbox: Takes the answers that are not waited for.
    """

    database: Database
    outbox: Outbox

    def take(self, endpoint: str, message_id: str, body: bytes) -> Asked:
        """Return what is remembered of a question, from now on if it is new.

        Raises:
            ReusedIdError: There was another one of this id.
        """
        digest = hashlib.sha256(body).hexdigest()
        row = AskedRow(endpoint=endpoint, id=message_id, digest=digest, came_at=now())
        try:
            with self.database.write() as session:
                session.add(row)
        except IntegrityError:
            pass  # the primary key: it came before
        with self.database.read() as session:
            kept = session.get_one(AskedRow, (endpoint, message_id))
        if kept.digest != digest:
            raise ReusedIdError(message_id)
        return _asked(kept)

    def find(self, endpoint: str, message_id: str) -> Asked | None:
        """Return what is remembered of a question."""
        with self.database.read() as session:
            row = session.get(AskedRow, (endpoint, message_id))
            return _asked(row) if row else None

    def settle(self, asked: Asked, outcome: Json, reply_to: str) -> None:
        """Keep what became of a question, and have `reply_to` told of it, if it is not ""."""
        with self.database.write() as session:
            row = session.get(AskedRow, (asked.endpoint, asked.id), with_for_update=True)
            if row is None or row.outcome is not None:
                return  # past its time; or another process was quicker, and the first one counts
            row.outcome = outcome
            if reply_to:
                subject = {"endpoint": asked.endpoint, "id": asked.id}
                self.outbox.reply(session, reply_to, subject)

    def purge(self, at: datetime) -> None:
        """Forget what is older than `KEPT` at that time."""
        with self.database.write() as session:
            session.execute(delete(AskedRow).where(AskedRow.came_at < stamp(at - KEPT)))


def _asked(row: AskedRow) -> Asked:
    return Asked(row.endpoint, row.id, row.came_at, row.outcome)
