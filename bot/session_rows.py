"""The tables of conversations, and how a turn is read from them."""

import logging
from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.answer import Answer, Turn
from bot.conversations import KeptTurn, Vote
from index.database import Base

ANSWER = TypeAdapter(Answer)
"""Writes and reads the JSON of an answer."""
_log = logging.getLogger(__name__)


class SessionRow(Base):
    """A conversation, bound to one collection for good."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    collection: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[str] = mapped_column(String(32))
    used_at: Mapped[str] = mapped_column(String(32), index=True)
    owner: Mapped[str] = mapped_column(String(320), server_default="")


class TurnRow(Base):
    """A question and its answer, which is JSON.

    `asker` is who asked in a chat tool, such as `slack:T1:U2`: a chat may be of many. "" elsewhere.
    """

    __tablename__ = "turns"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey(SessionRow.id, ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    asked_at: Mapped[str] = mapped_column(String(32))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    asker: Mapped[str] = mapped_column(String(300), server_default="", index=True)


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


def kept_turns(rows: Iterable[tuple[TurnRow, Vote | None]]) -> list[KeptTurn]:
    """Return the turns that can still be read: a damaged one must not end its conversation."""
    turns = []
    for row, vote in rows:
        try:
            answer = ANSWER.validate_json(row.answer)
        except ValidationError:
            _log.warning("turn %s cannot be read and is left out", row.id)
            continue
        turns.append(KeptTurn(row.id, row.asked_at, Turn(row.question, answer), vote))
    return turns
