"""Questions that chat tools have handed over, in the database until they are answered there.

A platform sends a message again until it is acknowledged, and never after: what is acknowledged
has to outlive the process, and what comes twice has to be known. One row does both.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import JSON, Float, Integer, String, Text, UniqueConstraint, delete, func, select
from sqlalchemy import update as change
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, aliased, mapped_column

from bot.errors import OverloadedError
from bot.session_rows import TurnRow
from bot.wire import Json
from index.database import Base, Database

State: TypeAlias = Literal["waiting", "done", "dead"]

LEASE_SECONDS = 15.0
"""A process that does not renew its claim on a job for so long is taken for dead."""
_MOST_WAITING = 10_000
_RETRY_SECONDS = 60
_WORDS_SECONDS = 600
"""So long the words of an answer that was given are kept: for who comes back for them."""
_KEPT_SECONDS = 7 * 86_400
"""So long a message is known again; the longest that any platform repeats one is 7 hours."""


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody said to the bot.

    Attributes:
        channel: Such as `feishu`.
        id: Names the message within the channel, however often it is delivered.
        chat: Names the chat or thread within the channel, with the tenant.
        text: Without the mention of the bot; None if it was a picture or the like.
        address: Where the answer goes, in the channel's own words.
        asker: Who said it, such as `feishu:ou_1`, as in votes; "" if nobody is known.
    """

    channel: str
    id: str
    chat: str
    text: str | None
    address: Json
    asker: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A message with what has become of it.

    Attributes:
        message: As it came, without its words once it is answered.
        reply: The answer object; None before there is one, and some time after it was given.
        turn_id: Of the answer; "" before there is one.
        state: `done` if the answer was sent, `dead` if it cannot be.
        tries: How often it was taken up, this time included.
        accepted_at: Unix time.
    """

    message: Message
    reply: Json | None
    turn_id: str
    state: State
    tries: int
    accepted_at: float


class ChannelJobRow(Base):
    """A job."""

    __tablename__ = "channel_jobs"
    __table_args__ = (UniqueConstraint("channel", "id"),)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    channel: Mapped[str] = mapped_column(String(20))
    id: Mapped[str] = mapped_column(String(256))
    chat: Mapped[str] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    address: Mapped[Json] = mapped_column(JSON)
    asker: Mapped[str] = mapped_column(String(300), server_default="", index=True)
    reply: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    turn_id: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[State] = mapped_column(String(8), default="waiting", index=True)
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[float] = mapped_column(Float)
    accepted_at: Mapped[float] = mapped_column(Float)


class Jobs:
    """The jobs of all processes on one database. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        *,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        """Keep them in `database`; `clock` tells Unix time."""
        self._database = database
        self._most_waiting = most_waiting
        self._clock = clock

    def accept(self, message: Message) -> bool:
        """Keep a message, and return whether it is new.

        Raises:
            OverloadedError: Too many wait already; it is as if it had never come.
        """
        now = self._clock()
        waiting = select(func.count()).where(ChannelJobRow.state == "waiting")
        with self._database.read() as session:
            if (session.scalar(waiting) or 0) >= self._most_waiting:
                raise OverloadedError(_RETRY_SECONDS)
        values = {name: getattr(message, name) for name in Message.__slots__}
        try:
            with self._database.write() as session:
                session.add(ChannelJobRow(**values, due_at=now, accepted_at=now))
        except IntegrityError:
            return False
        return True

    def take(self, channel: str) -> Job | None:
        """Claim the oldest job of a channel that is due and the oldest of its chat, if any."""
        now = self._clock()
        before = aliased(ChannelJobRow)
        behind_another = (
            select(before.position)
            .where(before.channel == channel, before.chat == ChannelJobRow.chat)
            .where(before.state == "waiting", before.position < ChannelJobRow.position)
            .exists()
        )
        due = (
            ChannelJobRow.channel == channel,
            ChannelJobRow.state == "waiting",
            ChannelJobRow.due_at <= now,
        )
        first = select(ChannelJobRow.position).where(*due, ~behind_another)
        oldest = first.order_by(ChannelJobRow.position).limit(1)
        with self._database.read() as session:
            if session.scalar(oldest) is None:  # as mostly: no writer is held up
                return None
        free = oldest.with_for_update(skip_locked=True).scalar_subquery()
        claim = (
            change(ChannelJobRow)
            .where(ChannelJobRow.position == free)
            .values(due_at=now + LEASE_SECONDS, tries=ChannelJobRow.tries + 1)
            .returning(ChannelJobRow)
        )
        with self._database.write() as session:
            row = session.scalar(claim)
            return _job(row) if row else None

    def renew(self, channel: str, ids: Collection[str]) -> None:
        """Go on claiming jobs."""
        self._change(channel, ids, due_at=self._clock() + LEASE_SECONDS)

    def release(self, message: Message) -> None:
        """Let go of a job that is not ended: anybody may take it up."""
        self._change(message.channel, [message.id], due_at=self._clock())

    def keep(self, message: Message, reply: Json) -> None:
        """Keep the answer, so that it is never worked out again, and who asked for it."""
        turn_id = reply["turn_id"] or ""
        self._change(message.channel, [message.id], reply=reply, turn_id=turn_id)
        if message.asker:
            turn = change(TurnRow).where(TurnRow.id == turn_id).values(asker=message.asker)
            with self._database.write() as session:
                session.execute(turn)

    def close(self, message: Message, state: Literal["done", "dead"]) -> None:
        """End a job, and forget what was asked and where the answer went."""
        self._change(message.channel, [message.id], state=state, text=None, address={})

    def find(self, channel: str, message_id: str) -> Job | None:
        """Return a job by its message."""
        named = (ChannelJobRow.channel == channel, ChannelJobRow.id == message_id)
        with self._database.read() as session:
            row = session.scalar(select(ChannelJobRow).where(*named))
            return _job(row) if row else None

    def purge(self, oldest: datetime | None = None) -> None:
        """Forget the answers that were given a while ago, and messages that cannot come again.

        Args:
            oldest: Forget also what has been waiting since before then.
        """
        now = self._clock()
        ended = ChannelJobRow.state != "waiting"
        with self._database.write() as session:
            session.execute(
                change(ChannelJobRow)
                .where(ended, ChannelJobRow.accepted_at < now - _WORDS_SECONDS)
                .values(reply=None)
            )
            old = ChannelJobRow.accepted_at < now - _KEPT_SECONDS
            session.execute(delete(ChannelJobRow).where(ended, old))
            if oldest is not None:
                left = ChannelJobRow.accepted_at < oldest.timestamp()
                session.execute(delete(ChannelJobRow).where(left))

    def _change(self, channel: str, ids: Collection[str], **values: object) -> None:
        waiting = (ChannelJobRow.channel == channel, ChannelJobRow.id.in_(ids))
        with self._database.write() as session:
            session.execute(
                change(ChannelJobRow)
                .where(*waiting, ChannelJobRow.state == "waiting")
                .values(values)
            )


def person(channel: str, *ids: str) -> str:
    """Return the name under which somebody is kept, beside what they asked and in votes."""
    return ":".join((channel, *ids))[:100] if all(ids) else ""


def _job(row: ChannelJobRow) -> Job:
    message = Message(**{name: getattr(row, name) for name in Message.__slots__})
    return Job(message, row.reply, row.turn_id, row.state, row.tries, row.accepted_at)
