"""企业微信智能机器人: questions by HTTP, answers as streams that 企业微信 comes back for.

The answer to a message is the beginning of a stream; until its end 企业微信 asks for it again and
again, for six minutes, and shows what it gets. What it gets is read from the database, so that any
process can give it, and one message is one stream however often it is delivered.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bot.api.schema import problems
from bot.api.state import State, TheState
from bot.channels import gate
from bot.channels.dialogue import Dialogue
from bot.channels.jobs import Job, Message, person
from bot.channels.markdown import markdown
from bot.channels.wecom import proof
from bot.channels.wecom_seal import SEALED, Seal
from bot.conversations import Vote
from bot.errors import TurnNotFoundError
from bot.settings import Settings
from bot.wire import Json

PATH = "/channels/wecom/bot"

WAIT = "正在查找……"
TOO_LATE = "抱歉，这次没有找到答案就超时了，请再问一次。"
WELCOME = "你好！我可以回答已收录文档里的问题，每句话都附有原文出处。想了解什么，直接问就好。"

_CHANNEL = "wecom-bot"
_BYTES = 20_480
_ENOUGH_SECONDS = 300
"""企业微信 asks for a stream for six minutes; before that it has to end."""
_SOON_SECONDS = 2.0
_VOTES: dict[str, Vote] = {"1": "up", "2": "down"}
_BODY = re.compile(rb'\s*\{\s*"encrypt"\s*:\s*"((?:[A-Za-z0-9+=]|\\?/){1,1000000})"\s*\}\s*')
_MENTION = re.compile(r"@\S+\s*")


class Person(BaseModel):
    """Who asks."""

    userid: gate.Id


class Words(BaseModel):
    """The words of a message, or what was understood of a spoken one."""

    content: str = ""


class Item(BaseModel):
    """A part of a message of words and pictures."""

    text: Words | None = None


class Mixed(BaseModel):
    """A message of words and pictures."""

    msg_item: tuple[Item, ...] = ()


class Asked(BaseModel):
    """A message to the bot, as 企业微信 spells it."""

    msgid: gate.Id
    aibotid: gate.Id
    from_: Person
    msgtype: str
    chatid: gate.Id | None = None
    chattype: str = "single"
    text: Words | None = None
    voice: Words | None = None
    mixed: Mixed | None = None

    @property
    def question(self) -> str | None:
        """What was asked, without the mention that a message in a group begins with."""
        if self.msgtype == "mixed" and self.mixed:
            words = [item.text.content for item in self.mixed.msg_item if item.text]
        else:
            words = [part.content for part in (self.text, self.voice) if part]
        if not words:
            return None
        said = "\n".join(words).strip()
        return _MENTION.sub("", said, count=1) if self.chattype == "group" else said


class WeComBot:
    """The 智能机器人 that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Use the bot that the settings name."""
        self._seal = Seal.of(
            settings.wecom_bot_token.get_secret_value(),
            settings.wecom_bot_aes_key.get_secret_value(),
            "",
        )
        self._dialogue = Dialogue(_CHANNEL, _send)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer what was asked, for as long as the application runs."""
        async with self._dialogue.lifespan(app):
            yield

    async def verify(self, request: Request) -> Response:
        """Prove to 企业微信 that the address is ours, by what only we can open.

        Raises:
            SignatureError: 企业微信 did not send this, or not now.
        """
        return proof(self._seal, request)

    async def receive(self, request: Request, state: TheState) -> Response:
        """Take a message, an event, or the question how far a stream is.

        Raises:
            SignatureError: 企业微信 did not send this, or not now.
        """
        body = _BODY.fullmatch(await request.body())  # no parser meets what is not verified
        sealed = body[1].replace(b"\\/", b"/").decode() if body else ""
        sealed = gate.sole([sealed], SEALED, "encrypt")
        found = gate.json_object(self._seal.opened(request.query_params, sealed, time.time()))
        reply = await self._reply(state, found)
        if reply is None:
            return Response()
        said = json.dumps(reply, ensure_ascii=False).encode()
        return JSONResponse(self._seal.closed(said, str(int(time.time())), secrets.token_hex(8)))

    async def _reply(self, state: State, found: Json) -> Json | None:
        if found.get("msgtype") == "stream":
            stream_id = _text_in(found, "stream", "id")
            return _stream(stream_id, await self._dialogue.find(state, stream_id))
        if found.get("msgtype") == "event":
            return await self._of_event(state, found)
        try:
            asked = Asked.model_validate({**found, "from_": found.get("from")})
        except ValidationError as error:
            raise HTTPException(400) from error
        stream_id = self._stream_id(asked)
        chat = f"{asked.aibotid}:{asked.chatid or asked.from_.userid}"
        asker = person(_CHANNEL, asked.from_.userid)
        message = Message(_CHANNEL, stream_id, chat, asked.question, {}, asker)
        await self._dialogue.accept(state, message)
        job = await self._dialogue.find_answered(state, stream_id, _SOON_SECONDS)
        return _stream(stream_id, job)

    async def _of_event(self, state: State, found: Json) -> Json | None:
        event = found.get("event")
        kind = event.get("eventtype") if isinstance(event, dict) else None
        if kind == "enter_chat":
            return {"msgtype": "text", "text": {"content": WELCOME}}
        if kind == "feedback_event":
            await self._vote(state, found)
        return None

    async def _vote(self, state: State, found: Json) -> None:
        stream_id = _text_in(found["event"], "feedback_event", "id")
        vote = _VOTES.get(str(found["event"]["feedback_event"].get("type")))
        job = await self._dialogue.find(state, stream_id)
        if vote is None or job is None or not job.turn_id:
            return
        voter = person(_CHANNEL, _text_in(found, "from", "userid"))
        turn_id, keep = job.turn_id, state.runtime.conversations.feedback
        with suppress(TurnNotFoundError):  # the conversation was deleted since
            await to_thread.run_sync(lambda: keep(turn_id, vote, voter=voter))

    def _stream_id(self, asked: Asked) -> str:
        """Name the stream of a message: the same each time it comes, and not to be guessed."""
        named = f"{asked.aibotid} {asked.msgid}".encode()
        return hmac.digest(self._seal.key, named, hashlib.sha256).hex()


async def _send(_message: Message, _reply: Json) -> None:
    """Send nothing: 企业微信 comes for it."""


def _stream(stream_id: str, job: Job | None) -> Json:
    """Return what there is of a stream; one that is unknown or takes too long ends."""
    if job and job.reply:
        content, is_over = markdown(job.reply, _BYTES), True
    elif job and job.state == "waiting" and time.time() - job.accepted_at < _ENOUGH_SECONDS:
        content, is_over = WAIT, False
    else:
        content, is_over = TOO_LATE, True
    stream = {"id": stream_id, "finish": is_over, "content": content}
    return {"msgtype": "stream", "stream": {**stream, "feedback": {"id": stream_id}}}


def _text_in(found: Json, outer: str, inner: str) -> str:
    """Return a text within an object within an object.

    Raises:
        HTTPException: 400, there is none.
    """
    value: Any = found.get(outer)
    text = value.get(inner) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise HTTPException(400)
    return text


def router(settings: Settings) -> APIRouter:
    """Return the endpoints of the bot that the settings name."""
    bot = WeComBot(settings)
    made = APIRouter(tags=["渠道"], lifespan=bot.lifespan)
    said = {HTTPStatus.OK: {"description": "已收到"}, **problems(400, 401, 413, 503)}
    made.add_api_route(PATH, bot.verify, methods=["GET"], summary="智能机器人验证", responses=said)
    made.add_api_route(
        PATH, bot.receive, methods=["POST"], summary="智能机器人消息", responses=said
    )
    return made
