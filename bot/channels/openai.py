"""`/v1/chat/completions` and `/v1/models`: wenqu for clients that speak OpenAI's protocol.

A model is a collection: `wenqu` the default one, `wenqu/name` any other. The client keeps the
conversation and sends all of it each time; here nothing is stored.
"""

import json
import secrets
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from bot import service
from bot.answer import Answer, Turn
from bot.api.problems import problem_json
from bot.api.reply import EVENT_STREAM, EVENTS, event_stream, failure
from bot.api.state import State, TheRuntime, TheState
from bot.api.waiting import UNTIL
from bot.channels.openai_errors import PREFIX, error_json
from bot.channels.openai_schema import (
    CompletionRequest,
    Message,
    ModelList,
    ModelReply,
    check,
    errors,
)
from bot.channels.openai_wire import Head, Room, Said, closing, completion, opening, written
from bot.errors import QuestionError, UnknownModelError
from bot.pieces import pieces
from bot.runtime import Runtime
from bot.service import Exchange
from bot.told import told
from bot.wire import Json
from index.errors import CollectionNotFoundError

MODEL = "wenqu"
_END = "[DONE]"

router = APIRouter(prefix=PREFIX, tags=["OpenAI 兼容接口"])


@router.post(
    "/chat/completions",
    summary="对话",
    responses={
        200: {"content": {EVENT_STREAM: EVENTS}},
        **errors(400, 404, 413, 415, 503, 504),
    },
)
async def complete(body: CompletionRequest, request: Request, state: TheState) -> Response:
    """Answer the last message of the user, who may lean on those before.

    Other roles have no say: what a system message asks for, sources and refusals stay as they are.
    What can be wrong with a request shows before a stream: it has a status of its own.
    """
    check(body)
    exchange = await _accept(state, body, str(request.base_url))
    head = Head(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), body.model)
    if body.stream:
        until: float = request.scope["state"][UNTIL]
        return event_stream(state, _events(state, exchange, body, head, until))
    answer = await service.answer(state, exchange)
    room = Room(body.limit)
    for piece in pieces(answer):
        room.take(piece.text)
    reply = completion(head, _said(room, exchange, answer, body))
    return JSONResponse(reply, headers={"cache-control": "no-store"})


@router.get("/models", summary="列出模型", responses={200: {"model": ModelList}, **errors(503)})
def models(runtime: TheRuntime) -> Response:
    """List the collections, the default one first."""
    return JSONResponse({"object": "list", "data": _models(runtime)})


@router.get(
    "/models/{model:path}",
    summary="查看模型",
    responses={200: {"model": ModelReply}, **errors(404, 503)},
)
def model_of(model: str, runtime: TheRuntime) -> Response:
    """Return one of them."""
    found = next((each for each in _models(runtime) if each["id"] == model), None)
    if found is None:
        raise UnknownModelError(model)
    return JSONResponse(found)


def said_before(messages: Iterable[Message]) -> tuple[Turn, ...]:
    """Return messages as turns, oldest first: each question with all that was replied to it."""
    turns: list[tuple[str, str]] = []
    for message in messages:
        if message.role == "user":
            turns.append((message.text, ""))
        elif message.role == "assistant":
            question, reply = turns.pop() if turns else ("", "")
            turns.append((question, reply + message.text))
    return tuple(told(question, reply) for question, reply in turns)


async def _accept(state: State, body: CompletionRequest, here: str) -> Exchange:
    """Accept the last question; links lead to `here` unless a public address is set."""
    asked = [at for at, message in enumerate(body.messages) if message.role == "user"]
    if not asked:
        raise QuestionError(code="empty", reason="there is no message whose role is 'user'")
    name, slash, collection = body.model.partition("/")
    if name != MODEL or (slash and not collection):
        raise UnknownModelError(body.model)
    try:
        exchange = await service.accept(
            state,
            body.messages[asked[-1]].text,
            turns=said_before(body.messages[: asked[-1]]),
            collection=collection or None,
        )
    except CollectionNotFoundError as error:
        raise UnknownModelError(body.model) from error
    sources = exchange.sources
    return replace(exchange, sources=replace(sources, base=sources.base or here))


def _models(runtime: Runtime) -> list[Json]:
    found = runtime.collections()
    default = found.pop(runtime.collection, None)
    names = {MODEL: default} | {f"{MODEL}/{name}": changed for name, changed in found.items()}
    return [
        {
            "id": name,
            "object": "model",
            "created": int(changed.timestamp()) if changed else 0,
            "owned_by": MODEL,
        }
        for name, changed in names.items()
    ]


async def _events(
    state: State, exchange: Exchange, body: CompletionRequest, head: Head, until: float
) -> AsyncGenerator[dict[str, str]]:
    has_usage = body.has_usage
    room = Room(body.limit)
    yield _event(opening(head, has_usage=has_usage))
    try:
        async with aclosing(service.stream(state, exchange)) as parts:
            async for part in state.lifetime.each(parts, until):
                if isinstance(part, Answer):
                    said = _said(room, exchange, part, body)
                    for chunk in closing(head, said, has_usage=has_usage):
                        yield _event(chunk)
                elif room.take(part.text):
                    yield _event(written(head, part.text, has_usage=has_usage))
    except Exception as error:  # noqa: BLE001  # the status is sent: the stream has to say it
        yield _event(error_json(problem_json(failure(error))))
    else:
        yield {"data": _END}


def _said(room: Room, exchange: Exchange, answer: Answer, body: CompletionRequest) -> Said:
    prompt = "\n".join(message.text for message in body.messages)
    return Said(room.text, room.is_full, service.reply_json(exchange, answer), prompt)


def _event(data: Json) -> dict[str, str]:
    return {"data": json.dumps(data, ensure_ascii=False, separators=(",", ":"))}
