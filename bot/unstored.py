"""Conversations that are never written down, for those who switch storing them off."""

import threading
from collections import OrderedDict
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from bot.answer import Turn
from bot.conversations import (
    REMEMBERED,
    Complaint,
    Conversation,
    Erased,
    Held,
    KeptTurn,
    Vote,
    new_id,
)
from bot.errors import SessionNotFoundError, TurnKeptError, TurnNotFoundError
from index.database import now

SESSIONS = 1000
"""Kept at most; the one that was not used for longest goes first."""


@dataclass(slots=True)
class _Held:
    conversation: Conversation
    owner: str
    used_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class UnstoredConversations:
    """`Conversations` in the memory of this process, gone with it. Safe to share by threads."""

    def __init__(self, sessions: int = SESSIONS) -> None:
        """Keep up to `sessions` of them, with the turns that a question can lean on."""
        self._sessions = sessions
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._owner: str | None = None

    def owned_by(self, owner: str | None) -> Self:
        """Return those of one owner, in which others are not found; all of them if None."""
        owned = copy(self)
        owned._owner = owner  # noqa: SLF001  # of the same class
        return owned

    def start(self, collection: str) -> str:
        """Begin a session and return its id, 192 random bits."""
        session_id = new_id()
        with self._lock:
            begun = Conversation(session_id, collection, now(), ())
            self._held[session_id] = _Held(begun, self._owner or "")
            while len(self._held) > self._sessions:
                self._held.popitem(last=False)
        return session_id

    def turns(self, session_id: str, collection: str) -> tuple[Turn, ...]:
        """Return the last `REMEMBERED` turns, oldest first."""
        found = self.get(session_id)
        if found.collection != collection:
            raise SessionNotFoundError(session_id)
        return tuple(kept.turn for kept in found.turns)

    def add(self, session_id: str, turn: Turn, *, turn_id: str) -> None:
        """Keep a turn as the newest of a session."""
        with self._lock:
            held = self._find(session_id)
            found = held.conversation
            if self._with_turn(turn_id) is not None:
                raise TurnKeptError(turn_id)
            turns = (*found.turns, KeptTurn(turn_id, now(), turn))[-REMEMBERED:]
            self._held[session_id] = _Held(replace(found, turns=turns), held.owner)
            self._held.move_to_end(session_id)

    def find(self, turn_id: str) -> Conversation:
        """Return the conversation of a turn, with that turn only."""
        with self._lock:
            held = self._with_turn(turn_id)
            if held is None or not self._sees(held):
                raise TurnNotFoundError(turn_id)
            found = held.conversation
        return replace(found, turns=tuple(kept for kept in found.turns if kept.id == turn_id))

    def get(self, session_id: str) -> Conversation:
        """Return a session with its last turns."""
        with self._lock:
            return self._find(session_id).conversation

    def delete(self, session_id: str) -> None:
        """Delete a session, its turns and what was thought of them."""
        with self._lock:
            self._find(session_id)
            del self._held[session_id]

    def feedback(self, turn_id: str, vote: Vote, comment: str = "", *, voter: str = "") -> None:
        """Keep the vote of whoever has the session; comments and other voters' are not kept."""
        del comment
        with self._lock:
            for held in filter(self._sees, self._held.values()):
                turns = held.conversation.turns
                if any(kept.id == turn_id for kept in turns):
                    voted = tuple(
                        replace(kept, vote=vote) if kept.id == turn_id and not voter else kept
                        for kept in turns
                    )
                    held.conversation = replace(held.conversation, turns=voted)
                    return
        raise TurnNotFoundError(turn_id)

    def complaints(self, collection: str, limit: int) -> tuple[Complaint, ...]:
        """Return the turns of a collection that were refused or disliked, newest first."""
        with self._lock:
            found = [
                Complaint(kept, int(kept.vote == "down"))
                for held in reversed(self._held.values())
                if held.conversation.collection == collection
                for kept in reversed(held.conversation.turns)
                if kept.vote == "down" or kept.turn.answer.refused
            ]
        found.sort(key=lambda complaint: complaint.kept.asked_at, reverse=True)
        return tuple(found[:limit])

    def held(self, whose: str) -> Held:
        """Return the conversations of an owner; who asked in a chat tool is not known here."""
        with self._lock:
            return Held(tuple(each.conversation for each in self._of(whose)))

    def erase(self, whose: str) -> Erased:
        """Forget all that `held` returns."""
        with self._lock:
            found = [each.conversation for each in self._of(whose)]
            for conversation in found:
                del self._held[conversation.id]
        return Erased(len(found), sum(len(conversation.turns) for conversation in found))

    def purge(self, unused_since: datetime) -> int:
        """Forget the sessions not used since then, and return how many they were."""
        with self._lock:
            old = [name for name, held in self._held.items() if held.used_at < unused_since]
            for name in old:
                del self._held[name]
            return len(old)

    def _find(self, session_id: str) -> _Held:
        held = self._held.get(session_id)
        if held is None or not self._sees(held):
            raise SessionNotFoundError(session_id)
        return held

    def _with_turn(self, turn_id: str) -> _Held | None:
        for held in self._held.values():
            if any(kept.id == turn_id for kept in held.conversation.turns):
                return held
        return None

    def _of(self, owner: str) -> list[_Held]:
        return [held for held in self._held.values() if owner and held.owner == owner]

    def _sees(self, held: _Held) -> bool:
        return self._owner in {None, held.owner}
