"""Events in words: what is sent to an endpoint, read from the database when it is sent."""

import json
from datetime import UTC, datetime

from bot.channels.asked import Asked, Questions
from bot.channels.outbox import Delivery
from bot.channels.plain import plain_text
from bot.conversations import KeptTurn
from bot.errors import TurnNotFoundError
from bot.runtime import Runtime
from bot.session_rows import FeedbackRow
from bot.wire import Json, answer_json
from index.database import stamp

BYTES = 20_000
"""That a message should not exceed, by Standard Webhooks."""


def encoded(message: Json) -> str:
    """Return a message as it is signed and sent."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def message_of(runtime: Runtime, delivery: Delivery) -> Json:
    """Return what a delivery has to say.

    Raises:
        SessionNotFoundError: The conversation it is about was deleted.
        TurnNotFoundError: The answer it is about was deleted.
    """
    subject = delivery.subject
    if delivery.event == "chat.reply":
        questions = Questions(runtime.database, runtime.outbox)
        asked = questions.find(subject["endpoint"], subject["id"])
        if asked is None or asked.outcome is None:
            raise TurnNotFoundError(subject["id"])
        return reply_message(runtime, asked, asked.outcome)
    if delivery.event in ("answer.created", "answer.refused"):
        data = _turn(runtime, subject["session_id"], subject["turn_id"])
    elif delivery.event == "feedback.created":
        data = _feedback(runtime, subject)
    else:
        data = subject
    at = stamp(datetime.fromtimestamp(delivery.created_at, UTC))
    return {"type": delivery.event, "timestamp": at, "data": data}


def reply_message(runtime: Runtime, asked: Asked, outcome: Json) -> Json:
    """Return the answer to a question that came by webhook, the same however often it is asked for.

    Raises:
        SessionNotFoundError: The conversation was deleted.
        TurnNotFoundError: The answer was deleted.
    """
    problem = outcome.get("problem")
    answer = None if problem else _turn(runtime, outcome["session_id"], outcome["turn_id"])
    data = {"request_id": asked.id, "reply": answer, "problem": problem}
    return {"type": "chat.reply", "timestamp": asked.came_at, "data": data}


def _turn(runtime: Runtime, session_id: str, turn_id: str) -> Json:
    conversation = runtime.conversations.get(session_id)
    kept = next((turn for turn in conversation.turns if turn.id == turn_id), None)
    if kept is None:
        raise TurnNotFoundError(turn_id)
    return _slim(_answer(runtime, conversation.collection, session_id, kept))


def _answer(runtime: Runtime, collection: str, session_id: str, kept: KeptTurn) -> Json:
    answer = kept.turn.answer
    cited = {citation.passage.document_id for citation in answer.citations}
    sources = runtime.sources(collection, cited)
    reply = answer_json(answer, sources, session_id=session_id, turn_id=kept.id)
    about = {"question": kept.turn.question, "asked_at": kept.asked_at, "collection": collection}
    return {**about, **reply, "text": plain_text(reply)}


def _slim(turn: Json) -> Json:
    """Leave out what surrounds the quotes if it is too much; the quotes themselves stay whole."""
    if len(encoded(turn).encode()) <= BYTES:
        return turn
    return {**turn, "citations": [{**each, "passage": ""} for each in turn["citations"]]}


def _feedback(runtime: Runtime, subject: Json) -> Json:
    with runtime.database.read() as session:
        row = session.get(FeedbackRow, (subject["turn_id"], subject["voter"]))
    if row is None:
        raise TurnNotFoundError(subject["turn_id"])
    turn = _turn(runtime, subject["session_id"], subject["turn_id"])
    return {"vote": subject["vote"], "comment": row.comment, "turn": turn}
