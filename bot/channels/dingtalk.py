"""钉钉: questions by HTTP, answers as Markdown with sources.

Protocol: `sign` is the HMAC-SHA256 of the timestamp and the secret. It does not cover the body, so
whoever has seen one request could send others for as long as its timestamp is good; therefore a
timestamp is good for one body only, and an answer goes to addresses of 钉钉 and nowhere else.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bot.api.schema import problems
from bot.api.state import State, TheState
from bot.channels import gate
from bot.channels.access import Access, Token
from bot.channels.dialogue import Dialogue
from bot.channels.inbox import Inbox
from bot.channels.jobs import Message, person
from bot.channels.markdown import markdown
from bot.channels.platform import PAUSES, Platform, call, client_of, insist
from bot.errors import SignatureError
from bot.settings import Settings
from bot.wire import Json

PATH = "/channels/dingtalk/messages"

_CHANNEL = "dingtalk"
_SIGNED = "dingtalk-signed"
_GROUP = "2"
_STALE = frozenset({"InvalidAuthentication", "40014"})
_BYTES = 12_000
"""Of an answer: a message may have 15,000, as JSON within JSON."""
_TITLE_CHARACTERS = 30
_SIGN = re.compile(r"[A-Za-z0-9+/]{43}=")
_SESSION = re.compile(r"\?[!-~]{1,1000}")


class Text(BaseModel):
    """The words of a message, or of a part of one."""

    content: str = ""


class RichText(BaseModel):
    """A formatted message: parts that are words have `text`."""

    richText: tuple[dict[str, Any], ...] = ()  # noqa: N815  # as 钉钉 spells it


class Asked(BaseModel):
    """A message to the bot, as 钉钉 spells it."""

    msgId: gate.Id  # noqa: N815
    msgtype: str
    conversationId: gate.Id  # noqa: N815
    conversationType: str  # noqa: N815
    chatbotCorpId: gate.Id = "-"  # noqa: N815
    chatbotUserId: str = ""  # noqa: N815
    senderId: gate.Storable = ""  # noqa: N815
    senderStaffId: gate.Storable | None = None  # noqa: N815
    robotCode: gate.Storable | None = None  # noqa: N815
    isInAtList: bool | None = None  # noqa: N815
    sessionWebhook: str  # noqa: N815
    sessionWebhookExpiredTime: Annotated[int, Field(ge=0, lt=2**63)]  # noqa: N815
    text: Text | None = None
    content: RichText | None = None

    @property
    def in_group(self) -> bool:
        """Whether others read it too."""
        return self.conversationType == _GROUP

    @property
    def question(self) -> str | None:
        """What was asked; None if the message has no words."""
        if self.msgtype == "text" and self.text:
            return self.text.content.strip()
        if self.msgtype == "richText" and self.content:
            words = [part.get("text") for part in self.content.richText]
            return "".join(word for word in words if isinstance(word, str)).strip()
        return None


def check(headers: Headers, secret: str, now: float) -> str:
    """Verify the headers of a request and return its timestamp.

    Raises:
        SignatureError: 钉钉 did not send this, or not now.
    """
    timestamp = gate.sole(headers.getlist("timestamp"), gate.MILLISECONDS, "timestamp")
    given = gate.sole(headers.getlist("sign"), _SIGN, "sign")
    gate.check_age(int(timestamp) / 1000, now)
    gate.check_equal(given, sign(timestamp, secret), "sign")
    return timestamp


def sign(timestamp: str, secret: str) -> str:
    """Return the signature that goes with a timestamp in milliseconds."""
    signed = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def bind(inbox: Inbox, timestamp: str, digest: str) -> None:
    """Bind a signature, which is that of a timestamp, to the body that it first came with.

    Raises:
        SignatureError: It came with another one before.
    """
    request = f"{timestamp}:{digest}"
    is_new = inbox.first(_SIGNED, timestamp)
    if inbox.first(_SIGNED, request) and not is_new:
        inbox.forget(_SIGNED, [request])
        message = "the signature of another body"
        raise SignatureError(message)


class DingTalk:
    """A bot of one application of 钉钉."""

    def __init__(self, settings: Settings) -> None:
        """Use the application that the settings name."""
        self.client_id = settings.dingtalk_client_id
        self.secret = settings.dingtalk_client_secret
        self.client = client_of(settings.dingtalk_url)
        self._reply_url = settings.dingtalk_reply_url
        self._platform = Platform(self.client, Access(self._fetch_token), _STALE)
        self._dialogue = Dialogue(_CHANNEL, self._send)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer what was asked, and close the connections at the end."""
        async with self.client, self._dialogue.lifespan(app):
            yield

    async def receive(self, request: Request, state: TheState) -> Response:
        """Take a message: it is acknowledged at once and answered later.

        Raises:
            SignatureError: 钉钉 did not send this, or not now.
        """
        raw = await request.body()
        timestamp = check(request.headers, self.secret.get_secret_value(), time.time())
        digest = hashlib.sha256(raw).hexdigest()
        await to_thread.run_sync(bind, Inbox(state.runtime.database), timestamp, digest)
        await self.take(state, gate.json_object(raw))
        return JSONResponse({})

    async def take(self, state: State, found: Json) -> None:
        """Have a message answered that 钉钉 has sent.

        Raises:
            SignatureError: It wants its answer somewhere else.
            HTTPException: 400, it lacks what 钉钉 says it has.
        """
        try:
            asked = Asked.model_validate(found)
        except ValidationError as error:
            raise HTTPException(400) from error
        if not self._is_ours(asked.sessionWebhook):
            message = "a sessionWebhook elsewhere"
            raise SignatureError(message)
        if asked.senderId and asked.senderId == asked.chatbotUserId:
            return
        if asked.in_group and asked.isInAtList is False:
            return
        await self._dialogue.accept(state, self._message(asked))

    def _message(self, asked: Asked) -> Message:
        chat = f"{asked.chatbotCorpId}:{asked.conversationId}"
        address = {
            "webhook": asked.sessionWebhook,
            "webhook_until": asked.sessionWebhookExpiredTime / 1000,
            "group": asked.conversationId if asked.in_group else "",
            "person": asked.senderStaffId or "",
            "robot": asked.robotCode or self.client_id,
        }
        asker = person(_CHANNEL, asked.senderStaffId or asked.senderId)
        return Message(_CHANNEL, asked.msgId, chat, asked.question, address, asker)

    def _is_ours(self, url: str) -> bool:
        """Whether an answer may go there: compared as text, so no two parsers can differ."""
        rest = url.removeprefix(self._reply_url)
        return url != rest and bool(_SESSION.fullmatch(rest))

    async def _send(self, message: Message, reply: Json) -> None:
        text = markdown(reply, _BYTES, line_end="  \n")
        title = " ".join(reply["answer"].split())[:_TITLE_CHARACTERS]
        if time.time() < message.address["webhook_until"]:
            await self._send_to_session(message.address, title, text)
        else:
            await self._send_by_robot(message.address, title, text)

    async def _send_to_session(self, address: Json, title: str, text: str) -> None:
        body: Json = {"msgtype": "markdown", "markdown": {"title": title, "text": text}}
        if address["group"] and address["person"]:
            body["markdown"]["text"] = f"@{address['person']}  \n{text}"
            body["at"] = {"atUserIds": [address["person"]]}
        await insist(
            lambda: call(self.client, "POST", address["webhook"], json=body),
            PAUSES,
            repeatable=False,
        )

    async def _send_by_robot(self, address: Json, title: str, text: str) -> None:
        to = (
            {"openConversationId": address["group"]}
            if address["group"]
            else {"userIds": [address["person"]]}
        )
        await self._platform.send(
            "POST",
            f"/v1.0/robot/{'groupMessages/send' if address['group'] else 'oToMessages/batchSend'}",
            lambda token: {"headers": {"x-acs-dingtalk-access-token": token}},
            json={
                "robotCode": address["robot"],
                **to,
                "msgKey": "sampleMarkdown",
                "msgParam": json.dumps({"title": title, "text": text}, ensure_ascii=False),
            },
        )

    async def _fetch_token(self) -> Token:
        keys = {"appKey": self.client_id, "appSecret": self.secret.get_secret_value()}
        found = await call(self.client, "POST", "/v1.0/oauth2/accessToken", json=keys)
        return Token(str(found["accessToken"]), float(found["expireIn"]))


def router(settings: Settings) -> APIRouter:
    """Return the endpoint of the bot that the settings name."""
    bot = DingTalk(settings)
    made = APIRouter(tags=["渠道"], lifespan=bot.lifespan)
    made.add_api_route(
        PATH,
        bot.receive,
        methods=["POST"],
        summary="钉钉消息",
        responses={HTTPStatus.OK: {"description": "已收到"}, **problems(400, 401, 413, 503)},
    )
    return made
