"""Conversations in the database."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any, Self, TypeAlias, cast

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.answer import Turn
from bot.channels.endpoints import Event
from bot.conversations import (
    REMEMBERED,
    Complaint,
    Conversation,
    Erased,
    Held,
    KeptTurn,
    SessionInfo,
    Vote,
    new_id,
)
from bot.erase import erase_of, erase_sessions, held_of
from bot.errors import SessionNotFoundError, TurnKeptError, TurnNotFoundError
from bot.session_rows import ANSWER, FeedbackRow, SessionRow, TurnRow, kept_turns
from bot.wire import Json
from index.database import Database, now, stamp

Tell: TypeAlias = Callable[[Session, Event, Json], None]
"""Told of what happens, and to what, in the transaction in which it happens."""

_REFUSED = '%"kind":"refusal"%'  # no text of an answer has it: there, each quote has a backslash


class SessionStore:
    """`Conversations` in the database. Safe to use from many threads and processes."""

    def __init__(self, database: Database, tell: Tell | None = None) -> None:
        """Keep them in `database`, and `tell` of what is new."""
        self.database = database
        self._tell = tell or _nobody
        self._owner: str | None = None

    def owned_by(self, owner: str | None) -> Self:
        """Return those of one owner, in which others are not found; all of them if None."""
        owned = copy(self)
        owned._owner = owner  # noqa: SLF001  # of the same class
        return owned

    def start(self, collection: str) -> str:
        """Begin a session and return its id, 192 random bits."""
        session_id, at = new_id(), now()
        with self.database.write() as session:
            row = SessionRow(id=session_id, collection=collection, started_at=at, used_at=at)
            row.owner = self._owner or ""
            session.add(row)
        return session_id

    def turns(self, session_id: str, collection: str) -> tuple[Turn, ...]:
        """Return the last `REMEMBERED` turns, oldest first."""
        query = (
            select(TurnRow)
            .where(TurnRow.session_id == session_id)
            .order_by(TurnRow.position.desc())
            .limit(REMEMBERED)
        )
        with self.database.read() as session:
            if self._found(session, session_id).collection != collection:
                raise SessionNotFoundError(session_id)
            newest_first = kept_turns((row, None) for row in session.scalars(query))
            return tuple(kept.turn for kept in reversed(newest_first))

    def add(self, session_id: str, turn: Turn, *, turn_id: str) -> None:
        """Keep a turn as the newest of a session."""
        try:
            with self.database.write() as session:
                self._add(session, session_id, turn, turn_id)
        except IntegrityError as error:  # of the same question at the same time, one gets in
            raise TurnKeptError(turn_id) from error

    def _add(self, session: Session, session_id: str, turn: Turn, turn_id: str) -> None:
        # held until the end: the turns of a session are written one after the other
        self._found(session, session_id, to_change=True).used_at = now()
        last = select(func.max(TurnRow.position)).where(TurnRow.session_id == session_id)
        row = TurnRow(
            id=turn_id,
            session_id=session_id,
            position=(session.execute(last).scalar() or 0) + 1,
            asked_at=now(),
            question=turn.question,
            answer=ANSWER.dump_json(turn.answer).decode(),
        )
        session.add(row)
        event: Event = "answer.refused" if turn.answer.refused else "answer.created"
        self._tell(session, event, {"session_id": session_id, "turn_id": turn_id})

    def find(self, turn_id: str) -> Conversation:
        """Return the conversation of a turn, with that turn only."""
        query = (
            select(SessionRow, TurnRow)
            .join(TurnRow, TurnRow.session_id == SessionRow.id)
            .where(TurnRow.id == turn_id)
        )
        if self._owner is not None:
            query = query.where(SessionRow.owner == self._owner)
        with self.database.read() as session:
            for row, turn in session.execute(query):
                kept = tuple(kept_turns([(turn, None)]))
                return Conversation(row.id, row.collection, row.started_at, kept)
        raise TurnNotFoundError(turn_id)

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
        with self.database.read() as session:
            row = self._found(session, session_id)
            rows = session.execute(query)
            turns = kept_turns((turn, cast("Vote | None", vote)) for turn, vote in rows)
            return Conversation(row.id, row.collection, row.started_at, tuple(turns))

    def delete(self, session_id: str) -> None:
        """Delete a session, its turns and what was thought of them."""
        with self.database.write() as session:
            self._found(session, session_id, to_change=True)
            erase_sessions(session, [session_id])
        self.database.scrub()

    def feedback(self, turn_id: str, vote: Vote, comment: str = "", *, voter: str = "") -> None:
        """Keep what somebody thinks of an answer, in place of what they thought before."""
        row = FeedbackRow(turn_id=turn_id, voter=voter, vote=vote, comment=comment, given_at=now())
        turns = select(TurnRow).join(SessionRow).where(TurnRow.id == turn_id)
        if self._owner is not None:
            turns = turns.where(SessionRow.owner == self._owner)
        with self.database.write() as session:
            turn = session.scalar(turns.with_for_update(of=TurnRow))
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
        with self.database.read() as session:
            kept = kept_turns((row, None) for row in session.scalars(query))
            said = select(FeedbackRow.turn_id, FeedbackRow.comment).where(
                FeedbackRow.vote == "down", FeedbackRow.turn_id.in_([each.id for each in kept])
            )
            comments: dict[str, list[str]] = {}
            for turn_id, comment in session.execute(said.order_by(FeedbackRow.given_at)):
                comments.setdefault(turn_id, []).append(comment)
        return tuple(_complaint(each, comments.get(each.id, [])) for each in kept)

    def _found(self, session: Session, session_id: str, *, to_change: bool = False) -> SessionRow:
        row = session.get(SessionRow, session_id, with_for_update=to_change)
        if row is None or self._owner not in {None, row.owner}:
            raise SessionNotFoundError(session_id)
        return row

    def listed(
        self, *, whose: str | None = None, unused_since: datetime | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return what there is, longest unused first.

        Args:
            whose: Only what this owner, or somebody in a chat tool, has a part in; all if None.
            unused_since: Only what has not been used since then.
        """
        turns = func.count(TurnRow.id)
        names = [name for name in SessionInfo.__slots__ if name != "turns"]
        columns: list[Any] = [*(getattr(SessionRow, name) for name in names), turns]
        query = select(*columns).join(TurnRow, isouter=True).group_by(SessionRow.id)
        if whose is not None:
            query = query.where((SessionRow.owner == whose) | (TurnRow.asker == whose))
        if unused_since is not None:
            query = query.where(SessionRow.used_at < stamp(unused_since))
        with self.database.read() as session:
            rows = session.execute(query.order_by(SessionRow.used_at, SessionRow.id))
            return tuple(SessionInfo(*row) for row in rows)

    def held(self, whose: str) -> Held:
        """Return all that is kept of what an owner, or somebody in a chat tool, has asked."""
        with self.database.read() as session:
            return held_of(session, whose)

    def erase(self, whose: str) -> Erased:
        """Delete all that `held` returns, and what came of it."""
        with self.database.write() as session:
            erased = erase_of(session, whose)
        self.database.scrub()
        return erased

    def purge(self, unused_since: datetime) -> int:
        """Delete the sessions not used since then, and return how many they were."""
        old = select(SessionRow.id).where(SessionRow.used_at < stamp(unused_since))
        with self.database.write() as session:
            ids = session.scalars(old.with_for_update()).all()
            erase_sessions(session, ids)
        if ids:
            self.database.scrub()
        return len(ids)


def _nobody(_session: Session, _event: Event, _subject: Json) -> None:
    return


def _complaint(kept: KeptTurn, comments: list[str]) -> Complaint:
    """Return a turn with what was said of it by each who disliked it, which may be nothing."""
    vote: Vote | None = "down" if comments else None
    said = tuple(comment for comment in comments if comment)
    return Complaint(replace(kept, vote=vote), len(comments), said)
