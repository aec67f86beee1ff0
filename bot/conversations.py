"""Conversations: who asked what in which session, and what was answered."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from bot.answer import Turn

Vote: TypeAlias = Literal["up", "down"]

REMEMBERED = 20
"""Turns of a session that a new question can lean on."""


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it is kept.

    Attributes:
        id: Never given twice.
        asked_at: UTC, ISO 8601.
        turn: What was asked and answered.
        vote: What was thought of it, if anybody said.
    """

    id: str
    asked_at: str
    turn: Turn
    vote: Vote | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A turn that was refused or disliked.

    Attributes:
        kept: The turn.
        dislikes: How many disliked its answer.
        comments: What they said of it.
    """

    kept: KeptTurn
    dislikes: int = 0
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session with all its turns, oldest first."""

    id: str
    collection: str
    started_at: str
    turns: tuple[KeptTurn, ...]


class Conversations(Protocol):
    """Keeps conversations. `tests/test_sessions.py` holds every implementation to this."""

    def start(self, collection: str) -> str:
        """Begin a session and return its id, 192 random bits."""

    def turns(self, session_id: str, collection: str) -> tuple[Turn, ...]:
        """Return the last `REMEMBERED` turns, oldest first.

        Raises:
            SessionNotFoundError: There is no such session in that collection.
        """

    def add(self, session_id: str, turn: Turn, *, turn_id: str) -> None:
        """Keep a turn as the newest of a session.

        Raises:
            SessionNotFoundError: The session is not there, or no longer.
        """

    def get(self, session_id: str) -> Conversation:
        """Return a session.

        Raises:
            SessionNotFoundError: There is none of that id.
        """

    def delete(self, session_id: str) -> None:
        """Delete a session, its turns and what was thought of them.

        Raises:
            SessionNotFoundError: There is none of that id.
        """

    def feedback(self, turn_id: str, vote: Vote, comment: str = "", *, voter: str = "") -> None:
        """Keep what somebody thinks of an answer, in place of what they thought before.

        Raises:
            TurnNotFoundError: There is no turn of that id.
        """

    def complaints(self, collection: str, limit: int) -> tuple[Complaint, ...]:
        """Return the turns of a collection that were refused or disliked, newest first."""

    def purge(self, unused_since: datetime) -> int:
        """Delete the sessions not used since then, and return how many they were."""


def new_id() -> str:
    """Return 192 random bits, safe in a URL: nobody guesses a session or a turn."""
    return secrets.token_urlsafe(24)
