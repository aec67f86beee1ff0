"""Conversations in the database."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ForeignKey, String, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.answer import Answer, Turn
from bot.channels.endpoints import Event
from bot.conversations import REMEMBERED, Complaint, Conversation, KeptTurn, Vote, new_id
from bot.errors import SessionNotFoundError, TurnNotFoundError
from bot.wire import Json
from index.database import Base, Database, now

Tell: TypeAlias = Callable[[Session, Event, Json], None]
"""Told of what happens, and to what, in the transaction in which it happens."""

_ANSWER = TypeAdapter(Answer)
_REFUSED = '%"kind":"refusal"%'  # no text of an answer has it: there, each quote has a backslash
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

    def __init__(self, database: Database, tell: Tell | None = None) -> None:
        """Keep them in `database`, where missing tables are made, and `tell` of what is new."""
        self._database = database
        self._tell = tell or _nobody
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
            event: Event = "answer.refused" if turn.answer.refused else "answer.created"
            self._tell(session, event, {"session_id": session_id, "turn_id": turn_id})

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
            turn = session.get(TurnRow, turn_id)
            if turn is None:
                raise TurnNotFoundError(turn_id)
            session.merge(row)
            subject = {"session_id": turn.session_id, "turn_id": turn_id, "voter": voter}
            self._tell(session, "feedback.created", {**subject, "vote": vote})

    def complaints(self, collection: str, limit: int) -> tuple[Complaint, ...]:
        """Return the turns of a collection that were refused or disliked, newest first."""
        disliked = select(FeedbackRow.turn_id).where(FeedbackRow.vote == "down")
        query = (
            select(TurnRow)
            .join(SessionRow)
            .where(SessionRow.collection == collection)
            .where(TurnRow.answer.like(_REFUSED) | TurnRow.id.in_(disliked))
            .order_by(TurnRow.asked_at.desc(), TurnRow.position.desc(), TurnRow.id)
            .limit(limit)
        )
        with self._database.read() as session:
            kept = _kept((row, None) for row in session.scalars(query))
            said = select(FeedbackRow.turn_id, FeedbackRow.comment).where(
                FeedbackRow.vote == "down", FeedbackRow.turn_id.in_([each.id for each in kept])
            )
            comments: dict[str, list[str]] = {}
            for turn_id, comment in session.execute(said.order_by(FeedbackRow.given_at)):
                comments.setdefault(turn_id, []).append(comment)
        return tuple(_complaint(each, comments.get(each.id, [])) for each in kept)

    def purge(self, unused_since: datetime) -> int:
        """Delete the sessions not used since then, and return how many they were."""
        old = SessionRow.used_at < f"{unused_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with self._database.write() as session:
            count = session.scalar(select(func.count()).select_from(SessionRow).where(old))
            session.execute(delete(SessionRow).where(old))
            return count or 0


def _nobody(_session: Session, _event: Event, _subject: Json) -> None:
    return


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


def _complaint(kept: KeptTurn, comments: list[str]) -> Complaint:
    """Return a turn with what was said of it by each who disliked it, which may be nothing."""
    vote: Vote | None = "down" if comments else None
    said = tuple(comment for comment in comments if comment)
    return Complaint(replace(kept, vote=vote), len(comments), said)
