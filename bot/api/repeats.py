"""Questions sent again because no answer came: with the same key they get the same answer.

The header `Idempotency-Key` names a question, not a session: who sends it again, to this server or
to another one on the same database, gets the turn that is kept, and none is added.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Header

from bot.answer import Answer
from bot.caller import Caller
from bot.errors import ReusedIdError, TurnNotFoundError
from bot.people import cited
from bot.pieces import pieces
from bot.runtime import Runtime
from bot.wire import Json, Sources, answer_json, piece_events

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        pattern=r"^[!-~]{16,128}$",
        description="给这个问题随机取的编号（如 UUID）；没等到回答就带着它再问，不会答两次",
    ),
]


def turn_id(caller: Caller, key: str) -> str:
    """Return the id of the turn of a question: callers do not get into each other's way."""
    named = f"{caller.owner or ''}\0{key}"
    return urlsafe_b64encode(hashlib.sha256(named.encode()).digest()[:24]).decode()


@dataclass(frozen=True, slots=True)
class Repeat:
    """A question that was answered before.

    Attributes:
        session_id: Of its conversation.
        turn_id: Of the turn.
        answer: As it is kept.
        sources: Names and links of the documents in it.
    """

    session_id: str
    turn_id: str
    answer: Answer
    sources: Sources

    def reply(self) -> Json:
        """Return the whole answer object."""
        return answer_json(
            self.answer, self.sources, session_id=self.session_id, turn_id=self.turn_id
        )

    async def events(self) -> AsyncGenerator[tuple[str, Json]]:
        """Yield what a stream of the answer would say."""
        yield (
            "meta",
            {
                "session_id": self.session_id,
                "turn_id": self.turn_id,
                "standalone_question": self.answer.standalone_question,
                "candidates": [],
            },
        )
        for number, piece in enumerate(pieces(self.answer), 1):
            for event in piece_events(piece, number, self.sources):
                yield event
        yield "done", self.reply()


def find(runtime: Runtime, turn_id: str, question: str) -> Repeat | None:
    """Return what became of a question that was sent before; None if it is not answered yet.

    Raises:
        ReusedIdError: It was another question.
    """
    try:
        found = runtime.conversations.find(turn_id)
    except TurnNotFoundError:
        return None
    for kept in found.turns:
        if kept.turn.question != question.strip():
            raise ReusedIdError(turn_id)
        sources = runtime.sources(found.collection, cited(found))
        return Repeat(found.id, turn_id, kept.turn.answer, sources)
    return None
