"""Conversations: who asked what in which session, and what was answered."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, Self, TypeAlias

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


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a list shows of a session.

    Attributes:
        id: Of the session.
        collection: That it is about.
        owner: Whose it is, "" if nobody's.
        started_at: UTC, ISO 8601.
        used_at: When a question was last asked, likewise.
        turns: How many there are.
    """

    id: str
    collection: str
    owner: str
    started_at: str
    used_at: str
    turns: int


@dataclass(frozen=True, slots=True)
class GivenVote:
    """What somebody thought of an answer.

    Attributes:
        turn_id: Of the answer.
        vote: For or against.
        comment: "" if there is none.
        given_at: UTC, ISO 8601.
    """

    turn_id: str
    vote: Vote
    comment: str
    given_at: str


@dataclass(frozen=True, slots=True)
class Held:
    """All that is kept of one person.

    Attributes:
        conversations: In those of many people, only what this one asked.
        votes: Given in chat tools; those of an owner are in the conversations.
        waiting: Questions that are not answered yet.
    """

    conversations: tuple[Conversation, ...] = ()
    votes: tuple[GivenVote, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted.

    Attributes:
        sessions: Whole conversations.
        turns: Questions with their answers, those of the whole conversations among them.
        votes: Given in chat tools.
    """

    sessions: int = 0
    turns: int = 0
    votes: int = 0


class Conversations(Protocol):
    """Keeps conversations. `tests/test_sessions.py` holds every implementation to this."""

    def owned_by(self, owner: str | None) -> Self:
        """Return those of one owner, in which others are not found; all of them if None.

        Sessions begun there are the owner's for good: a name, not a secret, "" for nobody.
        """

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
            TurnKeptError: There is a turn of that id.
        """

    def find(self, turn_id: str) -> Conversation:
        """Return the conversation of a turn, with that turn only.

        Raises:
            TurnNotFoundError: There is none of that id.
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

    def held(self, whose: str) -> Held:
        """Return all that is kept of what an owner, or somebody in a chat tool, has asked.

        Args:
            whose: Such as `key:0123456789ab` or `slack:T1:U2`.
        """

    def erase(self, whose: str) -> Erased:
        """Delete all that `held` returns, and what came of it."""

    def purge(self, unused_since: datetime) -> int:
        """Delete the sessions not used since then, and return how many they were."""


def new_id() -> str:
    """Return 192 random bits, safe in a URL and in a command: nobody guesses them."""
    while True:
        made = secrets.token_urlsafe(24)
        if not made.startswith("-"):  # it would be taken for an option
            return made
