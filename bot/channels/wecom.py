"""企业微信, an application of one's own: questions by HTTP, answers sent as text with sources.

企业微信 gives up after 5 seconds and sends the message again, so it is acknowledged at once and the
answer is sent by itself. A 智能机器人 is another thing: bot.channels.wecom_bot.
"""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html import escape
from http import HTTPStatus

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from bot.api.schema import problems
from bot.api.state import TheState
from bot.channels import gate
from bot.channels.access import Access, Token
from bot.channels.dialogue import Dialogue
from bot.channels.jobs import Message, person
from bot.channels.platform import Platform, call, client_of
from bot.channels.portions import Source, pack, sources
from bot.channels.wecom_seal import SEALED, Seal
from bot.errors import SignatureError
from bot.pieces import parts
from bot.settings import Settings
from bot.wire import Json

PATH = "/channels/wecom/messages"

_CHANNEL = "wecom"
_STALE = frozenset({"40001", "40014", "42001"})
_BYTES = 2048
_LINE_BYTES = 1000
_ELEMENT = (
    rb"<([A-Za-z]{1,32})>(?:<!\[CDATA\[([^<>\[\]]{0,1000000})\]\]>|([^<>\[\]]{0,1000000}))</\1>"
)
_ELEMENTS = re.compile(_ELEMENT)
_ENVELOPE = re.compile(rb"\s*<xml>\s*(?:" + _ELEMENT + rb"\s*){1,8}</xml>\s*")
_LINK = re.compile(r"(?<=<)(?=/?[aA])")


class Asked(BaseModel):
    """A message to the application, as 企业微信 spells it."""

    FromUserName: gate.Id
    MsgType: str
    MsgId: gate.Id | None = None
    Content: str = ""


class WeCom:
    """The application that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Use the application that the settings name."""
        self._corp_id = settings.wecom_corp_id
        self._agent_id = settings.wecom_agent_id
        self._secret = settings.wecom_secret
        self._seal = Seal.of(
            settings.wecom_token.get_secret_value(),
            settings.wecom_aes_key.get_secret_value(),
            self._corp_id,
        )
        self._client = client_of(settings.wecom_url)
        self._platform = Platform(self._client, Access(self._fetch_token), _STALE)
        self._dialogue = Dialogue(_CHANNEL, self._send)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer what was asked, and close the connections at the end."""
        async with self._client, self._dialogue.lifespan(app):
            yield

    async def verify(self, request: Request) -> Response:
        """Prove to 企业微信 that the address is ours, by what only we can open.

        Raises:
            SignatureError: 企业微信 did not send this, or not now.
        """
        return proof(self._seal, request)

    async def receive(self, request: Request, state: TheState) -> Response:
        """Take a message: it is acknowledged at once and answered later.

        Raises:
            SignatureError: 企业微信 did not send this, or not now.
        """
        sealed = self._sealed(await request.body())
        asked = asked_in(self._seal.opened(request.query_params, sealed, time.time()))
        if asked.MsgId:  # an event has none; nothing is asked in it
            await self._dialogue.accept(state, self._message(asked, asked.MsgId))
        return Response()

    def _sealed(self, raw: bytes) -> str:
        """Return the sealed text in a body; no parser meets what is not verified yet.

        What stands beside it is signed by nobody, and has to be as expected.
        """
        found = {}
        if _ENVELOPE.fullmatch(raw):
            elements = [(name, cdata or text) for name, cdata, text in _ELEMENTS.findall(raw)]
            found = dict(elements) if len(dict(elements)) == len(elements) else {}
        agent = found.get(b"AgentID", b"")
        if found.get(b"ToUserName") != self._corp_id.encode() or agent not in (
            b"",
            str(self._agent_id).encode(),
        ):
            message = "an envelope for somebody else"
            raise SignatureError(message)
        sealed = found.get(b"Encrypt", b"").decode("ascii", "replace")
        return gate.sole([sealed], SEALED, "Encrypt")

    def _message(self, asked: Asked, message_id: str) -> Message:
        chat = f"{self._corp_id}:{self._agent_id}:{asked.FromUserName}"
        text = asked.Content.strip() if asked.MsgType == "text" else None
        address, asker = {"person": asked.FromUserName}, person(_CHANNEL, asked.FromUserName)
        return Message(_CHANNEL, message_id, chat, text, address, asker)

    async def _send(self, message: Message, reply: Json) -> None:
        for content in contents(reply):
            await self._platform.send(
                "POST",
                "/cgi-bin/message/send",
                lambda token: {"params": {"access_token": token}},
                json={
                    "touser": message.address["person"],
                    "msgtype": "text",
                    "agentid": self._agent_id,
                    "text": {"content": content},
                },
            )

    async def _fetch_token(self) -> Token:
        keys = {"corpid": self._corp_id, "corpsecret": self._secret.get_secret_value()}
        found = await call(self._client, "GET", "/cgi-bin/gettoken", params=keys)
        return Token(str(found["access_token"]), float(found["expires_in"]))


def router(settings: Settings) -> APIRouter:
    """Return the endpoints of the application that the settings name."""
    bot = WeCom(settings)
    made = APIRouter(tags=["渠道"], lifespan=bot.lifespan)
    said = {HTTPStatus.OK: {"description": "已收到"}, **problems(400, 401, 413, 503)}
    made.add_api_route(PATH, bot.verify, methods=["GET"], summary="企业微信验证", responses=said)
    made.add_api_route(PATH, bot.receive, methods=["POST"], summary="企业微信消息", responses=said)
    return made


def proof(seal: Seal, request: Request) -> Response:
    """Answer a request that checks an address: with what is sealed in it, and no more.

    Raises:
        SignatureError: 企业微信 did not send this, or not now.
    """
    query = request.query_params
    sealed = gate.sole(query.getlist("echostr"), SEALED, "echostr")
    return PlainTextResponse(seal.opened(query, sealed, time.time()))


def asked_in(xml: bytes) -> Asked:
    """Read a message that was verified before.

    Raises:
        HTTPException: 400, it is not what 企业微信 says it is.
    """
    try:
        root = fromstring(xml)
        return Asked.model_validate({child.tag: child.text or "" for child in root})
    except (ParseError, DefusedXmlException, ValidationError, ValueError) as error:
        raise HTTPException(400) from error


def contents(reply: Json) -> list[str]:
    """Return an answer object as texts, each of at most 2048 bytes, the sources at the end."""
    return pack(_wholes(reply), _BYTES)


def _wholes(reply: Json) -> Iterator[str]:
    yield from parts(_plain(reply["answer"]))
    for number, source in enumerate(sources(reply)):
        yield ("\n" if number else "\n\n") + _line(source)


def _line(source: Source) -> str:
    title = _plain(source.title)
    link = f'<a href="{escape(source.url)}">{title}</a>'
    short = source.url and len(link.encode()) <= _LINE_BYTES  # a link must not be cut in two
    return f"[{source.number}] {link if short else title}：“{_plain(source.quote)}”"


def _plain(text: str) -> str:
    """Take the meaning of a link from words that are quoted; nobody sees the difference."""
    return _LINK.sub("\u200b", text)
