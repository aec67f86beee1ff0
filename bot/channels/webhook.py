"""Questions by webhook: signed, each answered once, the reply signed as well.

Protocol: Standard Webhooks 1.0.0. Who sends `Prefer: wait=20` (RFC 7240) waits for the answer; to
others it is sent, to the address that was set up for them and to no other.
"""

import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import anyio
from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.datastructures import Headers
from starlette.responses import Response

from bot import service
from bot.api.problems import MEDIA_TYPE, invalid, problem_json, problem_response
from bot.api.schema import Collection, problems, unbroken
from bot.api.state import State, TheState
from bot.channels import gate, signing
from bot.channels.asked import Asked, Questions
from bot.channels.courier import Courier
from bot.channels.dialogue import Dialogue, begun
from bot.channels.endpoints import Endpoint
from bot.channels.events import encoded, reply_message
from bot.channels.inbox import Threads
from bot.channels.jobs import Message
from bot.errors import ExtraNotInstalledError, ReplyUrlError, SignatureError
from bot.outward import Outward
from bot.problems import INTERNAL, problem_of
from bot.runtime import Runtime
from bot.settings import Settings
from bot.wire import Json

PATH = "/channels/webhook/{name}"

_CHANNEL = "webhook"
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,3})(?=$|[,;\s])")
_WAIT_SECONDS = 30
"""For who has no address to be told at, and did not say how long."""
_LONGEST_WAIT_SECONDS = 100
_LOAD_SECONDS = 0.25
_log = logging.getLogger("wenqu")


class Ask(BaseModel):
    """What is asked, and where."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    session_id: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")] | None = None
    collection: Collection | None = None
    reply_url: str | None = None

    @field_validator("question", "session_id", "reply_url")
    @classmethod
    def _is_text(cls, value: str | None) -> str | None:
        return value if value is None else unbroken(value)


class Envelope(BaseModel):
    """A request; `timestamp` and more may stand beside what is read here."""

    type: Literal["chat.ask"]
    data: Ask


class Webhooks:
    """The endpoints that the settings name."""

    def __init__(self, endpoints: dict[str, Endpoint], outward: Outward | None = None) -> None:
        """Take questions from `endpoints`, and send by `outward`."""
        self._endpoints = endpoints
        self._outward = outward or Outward()
        self._dialogue = Dialogue(_CHANNEL, _nothing_to_send, answer=self._answer)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer and deliver for as long as the application runs."""
        async with (
            self._outward,
            self._dialogue.lifespan(app),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._deliver, app.state.wenqu)
            yield
            tasks.cancel_scope.cancel()

    async def receive(self, name: str, request: Request, state: TheState) -> Response:
        """Take a question.

        Raises:
            SignatureError: It is not from that endpoint, or not from now.
            ReplyUrlError: Nobody is set up at the address that the answer should go to.
            ReusedIdError: Another question had its id.
        """
        raw = await request.body()
        endpoint = self._endpoints.get(name)
        if endpoint is None:  # told no better than anybody else
            reason = f"there is no endpoint {name[:64]!r}"
            raise SignatureError(reason)
        message_id = signing.check(request.headers, raw, endpoint.secrets, time.time())
        try:
            ask = Envelope.model_validate(gate.json_object(raw)).data
        except ValidationError as error:
            return problem_response(invalid(_without_values(error)))
        reply_to = self._reply_to(name, ask)
        questions = _questions(state)
        asked = await to_thread.run_sync(questions.take, name, message_id, raw)
        seconds = _wait_seconds(request.headers, at_least=0 if reply_to else _WAIT_SECONDS)
        if asked.outcome is None:
            message = _message(asked, ask, reply_to)
            await self._dialogue.accept(state, message)
            if seconds:
                await self._dialogue.find_answered(state, message.id, seconds)
                asked = await to_thread.run_sync(questions.take, name, message_id, raw)
        return await self._response(state, endpoint, asked, waited=bool(seconds))

    def _reply_to(self, name: str, ask: Ask) -> str:
        """Return the name of the endpoint that the answer goes to, "" if to none."""
        if ask.reply_url is None:
            return name if self._endpoints[name].url else ""
        for other, endpoint in self._endpoints.items():
            if endpoint.url and endpoint.url == ask.reply_url:
                return other
        raise ReplyUrlError

    async def _response(
        self, state: State, endpoint: Endpoint, asked: Asked, *, waited: bool
    ) -> Response:
        applied = {"preference-applied": "wait"} if waited else {}
        if asked.outcome is None or not waited:
            body, status, kind = encoded({"id": asked.id}), 202, "application/json"
        elif problem := asked.outcome.get("problem"):
            body, status, kind = encoded(problem), int(problem["status"]), MEDIA_TYPE
        else:
            said = await to_thread.run_sync(reply_message, state.runtime, asked, asked.outcome)
            body, status, kind = encoded(said), 200, "application/json"
        headers = signing.signed(endpoint.secrets[0], asked.id, body, time.time())
        more = {"cache-control": "no-store", **applied}
        return Response(body, status, {**headers, **more}, kind)

    async def _answer(self, state: State, message: Message) -> Json:
        """Answer a question that was accepted, and keep where the answer is; once."""
        address = message.address
        questions = _questions(state)
        asked = await to_thread.run_sync(questions.find, address["endpoint"], address["id"])
        if asked is None:
            return {"turn_id": None}  # it is past its time
        if asked.outcome is None:
            outcome = await _outcome(state, message)
            await to_thread.run_sync(questions.settle, asked, outcome, address["reply_to"])
        return {"turn_id": None}  # where it is was kept with the question

    async def _deliver(self, state: State) -> None:
        await Courier(await _loaded(state), self._outward, state.metrics.count_delivery).run()


async def _loaded(state: State) -> Runtime:
    while True:
        try:
            return state.runtime
        except Exception:  # noqa: BLE001  # it is still loading, or tried again: /readyz tells
            await anyio.sleep(_LOAD_SECONDS)


async def _outcome(state: State, message: Message) -> Json:
    try:
        collection = message.address["collection"]
        exchange = await begun(state, message, message.text or "", collection)
        threads = Threads(state.runtime.database)
        # our own id of the session goes on with it as well as theirs
        chat = _chat(message.address["endpoint"], collection, exchange.session_id)
        if await to_thread.run_sync(threads.session, _CHANNEL, chat) is None:
            await to_thread.run_sync(threads.keep, _CHANNEL, chat, exchange.session_id)
        await service.answer(state, exchange)
    except Exception as error:  # noqa: BLE001  # the sender is told, whatever it is
        problem = problem_of(error)
        if problem is INTERNAL:
            _log.error("a question by webhook could not be answered", exc_info=error)
        return {"problem": problem_json(problem)}
    return {"session_id": exchange.session_id, "turn_id": exchange.turn_id}


async def _nothing_to_send(_message: Message, _reply: Json) -> None:
    """Send nothing: the reply went to the outbox in the transaction that kept it."""


def _message(asked: Asked, ask: Ask, reply_to: str) -> Message:
    address = {
        "endpoint": asked.endpoint,
        "id": asked.id,
        "collection": ask.collection,
        "reply_to": reply_to,
    }
    chat = _chat(asked.endpoint, ask.collection, ask.session_id or f"#{asked.id}")
    return Message(_CHANNEL, f"{asked.endpoint}:{asked.id}", chat, ask.question, address)


def _chat(endpoint: str, collection: str | None, session: str) -> str:
    return f"{endpoint}:{collection or ''}:{session}"


def _questions(state: State) -> Questions:
    return Questions(state.runtime.database, state.runtime.outbox)


def _wait_seconds(headers: Headers, *, at_least: int) -> int:
    found = _WAIT.search(", ".join(headers.getlist("prefer")))
    return min(int(found[1]), _LONGEST_WAIT_SECONDS) if found else at_least


def _without_values(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def router(settings: Settings) -> APIRouter:
    """Return the endpoints that the settings name.

    Raises:
        ExtraNotInstalledError: The library is missing.
    """
    if find_spec("standardwebhooks") is None:
        raise ExtraNotInstalledError(library="standardwebhooks", extra="channels")
    webhooks = Webhooks(dict(settings.webhooks))
    made = APIRouter(tags=["渠道"], lifespan=webhooks.lifespan)
    made.add_api_route(
        PATH,
        webhooks.receive,
        methods=["POST"],
        summary="Webhook 提问",
        responses={
            200: {"description": "回答，带签名"},
            202: {"description": "已收到，回答随后送达"},
            **problems(400, 401, 403, 404, 409, 413, 422, 503),
        },
    )
    return made
