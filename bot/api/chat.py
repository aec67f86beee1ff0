"""`POST /api/chat`: a question, answered at once or as a stream."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from bot import service
from bot.answer import Answer
from bot.api import repeats
from bot.api.problems import problem_json
from bot.api.reply import EVENT_STREAM, EVENTS, event_stream, failure
from bot.api.schema import ChatReply, ChatRequest, problems
from bot.api.state import State, TheState
from bot.api.waiting import UNTIL
from bot.service import Exchange
from bot.wire import Json, candidates, piece_events

_NO_STORE = {"cache-control": "no-store"}

router = APIRouter(tags=["提问"])


@router.post(
    "/api/chat",
    summary="提问",
    responses={
        200: {"model": ChatReply, "content": {EVENT_STREAM: EVENTS}},
        **problems(400, 404, 409, 413, 415, 422, 503, 504),
    },
)
async def chat(
    body: ChatRequest, request: Request, state: TheState, key: repeats.IdempotencyKey = None
) -> Response:
    """Answer a question, with `"stream": true` sentence by sentence.

    What can be wrong with a question shows before the stream: it has a status of its own.
    """
    streams = body.stream or EVENT_STREAM in request.headers.get("accept", "")
    turn_id = repeats.turn_id(state.caller, key) if key else ""
    if turn_id:
        again = await state.workers.go_on(repeats.find, state.runtime, turn_id, body.question)
        if again is not None:
            if streams:
                return event_stream(state, _numbered(again.events(), turn_id))
            return JSONResponse(again.reply(), headers=_NO_STORE)
    exchange = await service.accept(
        state,
        body.question,
        session_id=body.session_id,
        collection=body.collection,
        top_k=body.top_k,
    )
    exchange = replace(exchange, turn_id=turn_id or exchange.turn_id)
    if streams:
        until: float = request.scope["state"][UNTIL]
        return event_stream(state, _numbered(_events(state, exchange, until), exchange.turn_id))
    answer = await service.answer(state, exchange)
    return JSONResponse(service.reply_json(exchange, answer), headers=_NO_STORE)


async def _events(
    state: State, exchange: Exchange, until: float
) -> AsyncGenerator[tuple[str, Json]]:
    meta = {
        "session_id": exchange.session_id,
        "turn_id": exchange.turn_id,
        "standalone_question": exchange.prepared.standalone_question,
        "candidates": candidates(exchange.prepared.hits, exchange.sources),
    }
    yield "meta", meta
    try:
        numbers = count(1)
        async with aclosing(service.stream(state, exchange)) as parts:
            async for part in state.lifetime.each(parts, until):
                if isinstance(part, Answer):
                    yield "done", service.reply_json(exchange, part)
                else:
                    for event in piece_events(part, next(numbers), exchange.sources):
                        yield event
    except Exception as error:  # noqa: BLE001  # the status is sent: the stream has to say it
        yield "error", problem_json(failure(error))


async def _numbered(
    events: AsyncGenerator[tuple[str, Json]], turn_id: str
) -> AsyncGenerator[dict[str, Any]]:
    numbers = count(1)
    async with aclosing(events):
        async for name, data in events:
            line = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            yield {"event": name, "id": f"{turn_id}:{next(numbers)}", "data": line}
