"""飞书 and Lark: questions by HTTP, answers as cards with sources and thumbs.

飞书 sends an event again for seven hours until it is answered by 200, and takes replies that have
the same `uuid` within an hour as one.
"""

import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from bot.api.schema import problems
from bot.api.state import State, TheState
from bot.channels.access import Access, Token
from bot.channels.dialogue import Dialogue
from bot.channels.feishu_events import (
    CHALLENGE,
    Clicked,
    Content,
    Header,
    Keys,
    Received,
    event_of,
    opened,
    question_of,
)
from bot.channels.jobs import Message, person
from bot.channels.platform import Platform, call, client_of
from bot.channels.portions import Source, clip, sources
from bot.errors import TurnNotFoundError
from bot.pieces import parts
from bot.settings import Settings
from bot.wire import Json

PATH = "/channels/feishu/events"

_CHANNEL = "feishu"
_STALE = frozenset({"99991661", "99991663", "99991664", "99991668"})
_ANSWER_BYTES = 12_000
_SOURCES_BYTES = 8_000
"""A card may have 30 kB, as JSON within JSON."""
_PREVIEW_CHARACTERS = 80
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class Feishu:
    """A bot of one application of 飞书."""

    def __init__(self, settings: Settings) -> None:
        """Use the application that the settings name."""
        self._id = settings.feishu_app_id
        self._secret = settings.feishu_app_secret
        self._keys = Keys(
            settings.feishu_encrypt_key.get_secret_value(),
            settings.feishu_verification_token.get_secret_value(),
        )
        self._client = client_of(settings.feishu_url)
        self._platform = Platform(self._client, Access(self._fetch_token), _STALE)
        self._dialogue = Dialogue(_CHANNEL, self._send)
        self._asker = replace(self._platform, pauses=())
        """Without a second try: an event waits for the answer."""
        self._own_id = ""

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer what was asked, and close the connections at the end."""
        async with self._client, self._dialogue.lifespan(app):
            yield

    async def receive(self, request: Request, state: TheState) -> Response:
        """Take an event: it is answered at once, and what was asked in it later.

        Raises:
            SignatureError: 飞书 did not send this, or not now.
        """
        found = opened(request.headers, await request.body(), self._keys, time.time())
        if found.get("type") == CHALLENGE:
            return JSONResponse({"challenge": str(found.get("challenge"))})
        event = event_of(found)
        if event is None:
            return JSONResponse({})
        if isinstance(event.event, Clicked):
            return JSONResponse(await _voted(state, event.event))
        message = event.event.message
        if event.event.sender.sender_type == "user" and await self._is_for_us(message):
            await self._dialogue.accept(state, _asked(event.header, event.event))
        return JSONResponse({})

    async def _send(self, message: Message, reply: Json) -> None:
        await self._platform.send(
            "POST",
            f"/open-apis/im/v1/messages/{quote(message.id, safe='')}/reply",
            _bearer,
            repeatable=True,
            json={
                "msg_type": "interactive",
                "content": json.dumps(card(reply), ensure_ascii=False),
                "reply_in_thread": message.address["in_thread"],
                "uuid": hashlib.sha256(message.id.encode()).hexdigest()[:40],
            },
        )

    async def _is_for_us(self, message: Content) -> bool:
        """Whether it is said to the bot alone, or mentions the bot among others.

        Raises:
            PlatformError: 飞书 does not tell who the bot is.
        """
        if message.chat_type == "p2p":
            return True
        if not message.mentions:
            return False
        if not self._own_id:
            found = await self._asker.send("GET", "/open-apis/bot/v3/info", _bearer)
            self._own_id = str(found["bot"]["open_id"])
        return any(mention.id.open_id == self._own_id for mention in message.mentions)

    async def _fetch_token(self) -> Token:
        found = await call(
            self._client,
            "POST",
            "/open-apis/auth/v3/tenant_access_token/internal",
            json={"app_id": self._id, "app_secret": self._secret.get_secret_value()},
        )
        return Token(str(found["tenant_access_token"]), float(found["expire"]))


def router(settings: Settings) -> APIRouter:
    """Return the endpoint of the bot that the settings name."""
    bot = Feishu(settings)
    made = APIRouter(tags=["渠道"], lifespan=bot.lifespan)
    made.add_api_route(
        PATH,
        bot.receive,
        methods=["POST"],
        summary="飞书事件",
        responses={HTTPStatus.OK: {"description": "已收到"}, **problems(400, 401, 413, 503)},
    )
    return made


def _asked(header: Header, received: Received) -> Message:
    message = received.message
    thread = message.thread_id or message.root_id or "-"
    return Message(
        _CHANNEL,
        message.message_id,
        f"{header.tenant_key}:{message.chat_id}:{thread}",
        question_of(message),
        {"in_thread": bool(message.thread_id)},
        person(_CHANNEL, received.sender.sender_id.open_id),
    )


async def _voted(state: State, clicked: Clicked) -> Json:
    thumb = clicked.action.value
    vote = state.runtime.conversations.feedback
    voter = person(_CHANNEL, clicked.operator.open_id)
    try:
        await to_thread.run_sync(lambda: vote(thumb.turn_id, thumb.vote, voter=voter))
    except TurnNotFoundError:
        return {"toast": {"type": "warning", "content": "这个回答已经不在了。"}}
    return {"toast": {"type": "success", "content": "谢谢，已记下。"}}


def _bearer(token: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {token}"}}


def card(reply: Json) -> Json:
    """Return an answer object as a card of version 2.

    The answer is plain text there: whatever a document says, it is no markup and no mention.
    """
    answer = clip(parts(reply["answer"]), _ANSWER_BYTES)
    elements: list[Json] = [{"tag": "div", "text": {"tag": "plain_text", "content": answer}}]
    if lines := [_line(source) for source in sources(reply)]:
        content = clip(lines, _SOURCES_BYTES)
        elements += [{"tag": "hr"}, {"tag": "markdown", "content": content}]
    if turn_id := reply["turn_id"]:
        elements.append({"tag": "column_set", "columns": [*map(_thumb, _THUMBS, [turn_id] * 2)]})
    return {
        "schema": "2.0",
        "config": {
            "update_multi": True,
            "summary": {"content": answer[:_PREVIEW_CHARACTERS]},
        },
        "body": {"elements": elements},
    }


_THUMBS = (("👍 有用", "up"), ("👎 没用", "down"))


def _thumb(thumb: tuple[str, str], turn_id: str) -> Json:
    label, vote = thumb
    button = {
        "tag": "button",
        "text": {"tag": "plain_text", "content": label},
        "size": "small",
        "behaviors": [{"type": "callback", "value": {"turn_id": turn_id, "vote": vote}}],
    }
    return {"tag": "column", "width": "auto", "elements": [button]}


def _line(source: Source) -> str:
    title = _escaped(source.title)
    named = f"[{title}]({source.url})" if source.url else title
    return f"{_escaped(f'[{source.number}]')} {named}：“{_escaped(source.quote)}”\n"


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", text)
