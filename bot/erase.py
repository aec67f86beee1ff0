"""All that is kept of a conversation or a person, wherever it lies: shown and deleted.

Beside its turns, a conversation leaves its thread in a chat tool, the job that brought a question
with the answer in it, and events on their way to an endpoint. What is left of a job says only
that its message was seen, so that it is not answered again when it is delivered again.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, case, delete, select, update
from sqlalchemy.orm import Session

from bot.channels.inbox import ThreadRow
from bot.channels.jobs import ChannelJobRow
from bot.channels.outbox import DeliveryRow
from bot.conversations import Conversation, Erased, GivenVote, Held, Vote
from bot.session_rows import FeedbackRow, SessionRow, TurnRow, kept_turns

_BATCH = 500
"""Ids in one statement: databases take some thousands."""
_BLANK: dict[str, Any] = {
    "text": None,
    "reply": None,
    "address": {},
    "chat": "",
    "asker": "",
    "state": case((ChannelJobRow.state == "waiting", "dead"), else_=ChannelJobRow.state),
}


def erase_sessions(session: Session, ids: Sequence[str]) -> int:
    """Delete conversations and what came of them; return how many turns they had."""
    count = 0
    for some in _batches(ids):
        turns = session.scalars(select(TurnRow.id).where(TurnRow.session_id.in_(some))).all()
        erase_turns(session, turns)
        session.execute(delete(ThreadRow).where(ThreadRow.session_id.in_(some)))
        session.execute(delete(SessionRow).where(SessionRow.id.in_(some)))
        count += len(turns)
    return count


def erase_turns(session: Session, ids: Sequence[str]) -> None:
    """Delete turns and what came of them; their conversations stay."""
    for some in _batches(ids):
        _forget_voters(session, DeliveryRow.subject["turn_id"].as_string().in_(some))
        jobs = update(ChannelJobRow).where(ChannelJobRow.turn_id.in_(some))
        session.execute(jobs.values(_BLANK))
        session.execute(delete(TurnRow).where(TurnRow.id.in_(some)))


def held_of(session: Session, whose: str) -> Held:
    """Return all that is kept of an owner of conversations, or of somebody in a chat tool."""
    if not whose:
        return Held()
    votes = select(FeedbackRow).where(FeedbackRow.voter == whose).order_by(FeedbackRow.given_at)
    mine = (ChannelJobRow.asker == whose, ChannelJobRow.text.is_not(None))
    waiting = select(ChannelJobRow.text).where(*mine).order_by(ChannelJobRow.position)
    return Held(
        tuple(_conversations(session, whose)),
        tuple(
            GivenVote(row.turn_id, cast("Vote", row.vote), row.comment, row.given_at)
            for row in session.scalars(votes)
        ),
        tuple(text for text in session.scalars(waiting) if text is not None),
    )


def erase_of(session: Session, whose: str) -> Erased:
    """Delete all that `held_of` returns, and what came of it."""
    if not whose:
        return Erased()
    owned = select(SessionRow.id).where(SessionRow.owner == whose).with_for_update()
    sessions = list(session.scalars(owned))
    turns = erase_sessions(session, sessions)
    asked = session.execute(
        select(TurnRow.id, TurnRow.session_id).where(TurnRow.asker == whose)
    ).all()
    erase_turns(session, [turn_id for turn_id, _ in asked])
    emptied = _empty(session, sorted({session_id for _, session_id in asked}))
    erase_sessions(session, emptied)
    mine = ChannelJobRow.asker == whose
    session.execute(delete(ChannelJobRow).where(mine, ChannelJobRow.state == "waiting"))
    session.execute(update(ChannelJobRow).where(mine).values(_BLANK))
    _forget_voters(session, DeliveryRow.subject["voter"].as_string() == whose)
    gone = delete(FeedbackRow).where(FeedbackRow.voter == whose).returning(FeedbackRow.turn_id)
    votes = session.scalars(gone).all()
    return Erased(len(sessions) + len(emptied), turns + len(asked), len(votes))


def _forget_voters(session: Session, which: ColumnElement[bool]) -> None:
    """Take the name out of events of votes; the rest of an event names nobody."""
    votes = select(DeliveryRow).where(DeliveryRow.event == "feedback.created", which)
    for row in session.scalars(votes):
        row.subject = {**row.subject, "voter": ""}


def _conversations(session: Session, whose: str) -> Iterator[Conversation]:
    """Yield conversations, oldest first; of those of others only the turns that are theirs."""
    query = (
        select(SessionRow, TurnRow, FeedbackRow.vote)
        .join(TurnRow, TurnRow.session_id == SessionRow.id)
        .join(
            FeedbackRow,
            (FeedbackRow.turn_id == TurnRow.id) & (FeedbackRow.voter == ""),
            isouter=True,
        )
        .where((SessionRow.owner == whose) | (TurnRow.asker == whose))
        .order_by(SessionRow.started_at, SessionRow.id, TurnRow.position)
    )
    found: dict[str, tuple[SessionRow, list[tuple[TurnRow, Vote | None]]]] = {}
    for row, turn, vote in session.execute(query):
        found.setdefault(row.id, (row, []))[1].append((turn, cast("Vote | None", vote)))
    for row, turns in found.values():
        yield Conversation(row.id, row.collection, row.started_at, tuple(kept_turns(turns)))


def _empty(session: Session, ids: Sequence[str]) -> list[str]:
    """Return those of the sessions that have no turn any more."""
    held = {
        found
        for some in _batches(ids)
        for found in session.scalars(
            select(TurnRow.session_id).where(TurnRow.session_id.in_(some)).distinct()
        )
    }
    return [session_id for session_id in ids if session_id not in held]


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
