"""Questions within conversations: what every channel calls, and so answers the same."""

from dataclasses import dataclass

from bot.answer import Answer, Turn
from bot.bot import Prepared
from bot.conversations import new_id
from bot.errors import QuestionError
from bot.runtime import Runtime
from bot.wire import Json, Sources, answer_json


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that was accepted and searched, and is about to be answered.

    Attributes:
        session_id: Of the conversation it belongs to, new or continued.
        turn_id: Under which it will be kept.
        collection: Which was searched.
        prepared: What was found.
        sources: Names and links of the documents found.
    """

    session_id: str
    turn_id: str
    collection: str
    prepared: Prepared
    sources: Sources


def begin(
    runtime: Runtime,
    question: str,
    *,
    session_id: str | None = None,
    collection: str | None = None,
    top_k: int | None = None,
) -> Exchange:
    """Accept a question and search for it.

    Args:
        runtime: Answers.
        question: As it was typed.
        session_id: Of a conversation to go on with; a new one begins if None.
        collection: To search; the default one if None.
        top_k: Passages to answer from.

    Raises:
        QuestionError: It is empty, too long or broken.
        CollectionNotFoundError: There is no such collection.
        SessionNotFoundError: There is no such conversation in that collection.
    """
    settings = runtime.settings
    if len(question.strip()) > settings.max_question_characters:
        reason = f"{len(question)} characters, at most {settings.max_question_characters}"
        raise QuestionError(code="too_long", reason=reason)
    name = runtime.known(collection)
    turns = runtime.conversations.turns(session_id, name) if session_id else ()
    prepared = runtime.bot(name).prepare(question, turns, top_k=top_k or settings.top_k)
    return Exchange(
        session_id or runtime.conversations.start(name),
        new_id(),
        name,
        prepared,
        runtime.sources(name, {hit.passage.document_id for hit in prepared.hits}),
    )


def finish(runtime: Runtime, exchange: Exchange) -> Answer:
    """Answer an accepted question and keep the turn."""
    answer = runtime.bot(exchange.collection).answer(exchange.prepared)
    turn = Turn(exchange.prepared.question, answer)
    runtime.conversations.add(exchange.session_id, turn, turn_id=exchange.turn_id)
    return answer


def reply_json(exchange: Exchange, answer: Answer) -> Json:
    """Return the whole answer object of an exchange."""
    return answer_json(
        answer, exchange.sources, session_id=exchange.session_id, turn_id=exchange.turn_id
    )
