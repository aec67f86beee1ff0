"""`POST /api/chat`: a question, answered at once or as a stream."""

import json
import logging
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import JSONResponse, Response

from bot import service
from bot.answer import Answer
from bot.api.problems import problem_json
from bot.api.schema import ChatReply, ChatRequest, problems
from bot.api.state import State, TheRuntime, TheState
from bot.problems import INTERNAL, problem_of
from bot.runtime import Runtime
from bot.service import Exchange
from bot.wire import Json, candidates, deltas

_SEND_SECONDS = 10
_GRACE_SECONDS = 20
"""For a stream to end by itself when the service stops; less than the server gives."""
_EVENT_STREAM = "text/event-stream"

router = APIRouter(tags=["提问"])
_log = logging.getLogger("wenqu")


@router.post(
    "/api/chat",
    summary="提问",
    responses={
        200: {"model": ChatReply, "content": {_EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problems(400, 404, 413, 415, 422, 503, 504),
    },
)
async def chat(
    body: ChatRequest, request: Request, state: TheState, runtime: TheRuntime
) -> Response:
    """Answer a question, with `"stream": true` sentence by sentence.

    What can be wrong with a question shows before the stream: it has a status of its own.
    """
    exchange = await state.workers.admit(
        service.begin,
        runtime,
        body.question,
        session_id=body.session_id,
        collection=body.collection,
        top_k=body.top_k,
    )
    if body.stream or _EVENT_STREAM in request.headers.get("accept", ""):
        return EventSourceResponse(
            _numbered(_events(state, runtime, exchange), exchange.turn_id),
            headers={"cache-control": "no-cache, no-transform"},
            sep="\n",
            ping=state.ping_seconds,
            ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
            send_timeout=_SEND_SECONDS,
            shutdown_grace_period=_GRACE_SECONDS,
        )
    answer = await _answer(state, runtime, exchange)
    return JSONResponse(service.reply_json(exchange, answer), headers={"cache-control": "no-store"})


async def _answer(state: State, runtime: Runtime, exchange: Exchange) -> Answer:
    answer = await state.workers.go_on(service.finish, runtime, exchange)
    state.metrics.count_answer(answer)
    return answer


async def _events(
    state: State, runtime: Runtime, exchange: Exchange
) -> AsyncIterator[tuple[str, Json]]:
    meta = {
        "session_id": exchange.session_id,
        "turn_id": exchange.turn_id,
        "standalone_question": exchange.prepared.standalone_question,
        "candidates": candidates(exchange.prepared.hits, exchange.sources),
    }
    yield "meta", meta
    try:
        answer = await _answer(state, runtime, exchange)
        for event in deltas(answer, exchange.sources):
            yield event
        yield "done", service.reply_json(exchange, answer)
    except Exception as error:  # noqa: BLE001  # the status is sent: the stream has to say it
        problem = problem_of(error)
        if problem is INTERNAL:
            _log.exception("unexpected error in a stream")
        yield "error", problem_json(problem)


async def _numbered(
    events: AsyncIterator[tuple[str, Json]], turn_id: str
) -> AsyncIterator[dict[str, Any]]:
    numbers = count(1)
    async for name, data in events:
        line = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        yield {"event": name, "id": f"{turn_id}:{next(numbers)}", "data": line}
