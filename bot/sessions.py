"""Conversations in the database."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ForeignKey, String, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.answer import Answer, Turn
from bot.conversations import REMEMBERED, Conversation, KeptTurn, Vote, new_id
from bot.errors import SessionNotFoundError, TurnNotFoundError
from index.database import Base, Database, now

_ANSWER = TypeAdapter(Answer)
_log = logging.getLogger(__name__)


class SessionRow(Base):
    """A conversation, bound to one collection for good."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    collection: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[str] = mapped_column(String(32))
    used_at: Mapped[str] = mapped_column(String(32), index=True)


class TurnRow(Base):
    """A question and its answer, which is JSON."""

    __tablename__ = "turns"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey(SessionRow.id, ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    asked_at: Mapped[str] = mapped_column(String(32))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)


class FeedbackRow(Base):
    """What one person thought of an answer; a later vote replaces the earlier one."""

    __tablename__ = "feedback"
    turn_id: Mapped[str] = mapped_column(
        ForeignKey(TurnRow.id, ondelete="CASCADE"), primary_key=True
    )
    voter: Mapped[str] = mapped_column(String(100), primary_key=True)
    vote: Mapped[str] = mapped_column(String(8))
    comment: Mapped[str] = mapped_column(Text)
    given_at: Mapped[str] = mapped_column(String(32))


class SessionStore:
    """`Conversations` in the database. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`; missing tables are made."""
        self._database = database
        with database.write() as session:
            Base.metadata.create_all(session.connection())

    def start(self, collection: str) -> str:
        """Begin a session and return its id, 192 random bits."""
        session_id, at = new_id(), now()
        with self._database.write() as session:
            session.add(SessionRow(id=session_id, collection=collection, started_at=at, used_at=at))
        return session_id

    def turns(self, session_id: str, collection: str) -> tuple[Turn, ...]:
        """Return the last `REMEMBERED` turns, oldest first."""
        query = (
            select(TurnRow)
            .where(TurnRow.session_id == session_id)
            .order_by(TurnRow.position.desc())
            .limit(REMEMBERED)
        )
        with self._database.read() as session:
            if _found(session, session_id).collection != collection:
                raise SessionNotFoundError(session_id)
            newest_first = _kept((row, None) for row in session.scalars(query))
            return tuple(kept.turn for kept in reversed(newest_first))

    def add(self, session_id: str, turn: Turn, *, turn_id: str) -> None:
        """Keep a turn as the newest of a session."""
        last = select(func.max(TurnRow.position)).where(TurnRow.session_id == session_id)
        with self._database.write() as session:
            _found(session, session_id).used_at = now()
            row = TurnRow(
                id=turn_id,
                session_id=session_id,
                position=(session.execute(last).scalar() or 0) + 1,
                asked_at=now(),
                question=turn.question,
                answer=_ANSWER.dump_json(turn.answer).decode(),
            )
            session.add(row)

    def get(self, session_id: str) -> Conversation:
        """Return a session with its turns."""
        query = (
            select(TurnRow, FeedbackRow.vote)
            .join(
                FeedbackRow,
                (FeedbackRow.turn_id == TurnRow.id) & (FeedbackRow.voter == ""),
                isouter=True,
            )
            .where(TurnRow.session_id == session_id)
            .order_by(TurnRow.position)
        )
        with self._database.read() as session:
            row = _found(session, session_id)
            rows = session.execute(query)
            turns = _kept((turn, cast("Vote | None", vote)) for turn, vote in rows)
            return Conversation(row.id, row.collection, row.started_at, tuple(turns))

    def delete(self, session_id: str) -> None:
        """Delete a session, its turns and what was thought of them."""
        with self._database.write() as session:
            session.delete(_found(session, session_id))

    def feedback(self, turn_id: str, vote: Vote, comment: str = "", *, voter: str = "") -> None:
        """Keep what somebody thinks of an answer, in place of what they thought before."""
        row = FeedbackRow(turn_id=turn_id, voter=voter, vote=vote, comment=comment, given_at=now())
        with self._database.write() as session:
            if session.get(TurnRow, turn_id) is None:
                raise TurnNotFoundError(turn_id)
            session.merge(row)

    def purge(self, unused_since: datetime) -> int:
        """Delete the sessions not used since then, and return how many they were."""
        old = SessionRow.used_at < f"{unused_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with self._database.write() as session:
            count = session.scalar(select(func.count()).select_from(SessionRow).where(old))
            session.execute(delete(SessionRow).where(old))
            return count or 0


def _found(session: Session, session_id: str) -> SessionRow:
    row = session.get(SessionRow, session_id)
    if row is None:
        raise SessionNotFoundError(session_id)
    return row


def _kept(rows: Iterable[tuple[TurnRow, Vote | None]]) -> list[KeptTurn]:
    """Return the turns that can still be read: a damaged one must not end its conversation."""
    turns = []
    for row, vote in rows:
        try:
            answer = _ANSWER.validate_json(row.answer)
        except ValidationError:
            _log.warning("turn %s cannot be read and is left out", row.id)
            continue
        turns.append(KeptTurn(row.id, row.asked_at, Turn(row.question, answer), vote))
    return turns
