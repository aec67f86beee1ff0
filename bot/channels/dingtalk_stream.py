"""钉钉 in Stream mode: we connect to 钉钉, and messages come over the WebSocket.

There is no public address and no signature: who is on the other end is known by its certificate.
The vendor's own library blocks the event loop while it connects and cannot be stopped, so the four
frames that it takes are spoken here.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import anyio
from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bot.api.state import State
from bot.channels.dingtalk import DingTalk
from bot.channels.platform import call
from bot.errors import BotError, PlatformError
from bot.settings import Settings
from bot.wire import Json

TOPIC = "/v1.0/im/bot/messages/get"

_OPEN = "/v1.0/gateway/connections/open"
_PAUSES = (0.5, 5.0, 30.0)
_SILENCE_SECONDS = 60
_CLOSING_SECONDS = 2
_LARGEST = 1_000_000
_OK, _BAD, _NONE, _FAILED = 200, 400, 404, 500
_log = logging.getLogger("wenqu")


class DingTalkStream:
    """A bot of one application of 钉钉 that is connected to it."""

    def __init__(self, settings: Settings) -> None:
        """Use the application that the settings name."""
        self._bot = DingTalk(settings)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Stay connected for as long as the application runs."""
        async with self._bot.lifespan(app), anyio.create_task_group() as tasks:
            tasks.start_soon(self._stay, app.state.wenqu)
            yield
            tasks.cancel_scope.cancel()

    async def _stay(self, state: State) -> None:
        failures = 0
        while True:
            try:
                await self._listen(state)
                failures = 0
            except (PlatformError, OSError, WebSocketException) as error:
                told = error if isinstance(error, PlatformError) else type(error).__name__
                _log.warning("dingtalk: the connection is lost: %s", told)
                failures += 1
            await anyio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])

    async def _listen(self, state: State) -> None:
        """Connect, and answer frames until 钉钉 wants to be connected to anew."""
        address = await self._address()
        socket = await connect(
            address, ping_interval=_SILENCE_SECONDS, max_size=_LARGEST, proxy=None
        )
        try:
            _log.info("dingtalk: connected")
            async for raw in socket:
                if not await self._take(state, socket, raw):
                    return
        finally:
            with anyio.move_on_after(_CLOSING_SECONDS, shield=True):  # also when we are to stop
                await socket.close()

    async def _address(self) -> str:
        secret = self._bot.secret.get_secret_value()
        found = await call(
            self._bot.client,
            "POST",
            _OPEN,
            json={
                "clientId": self._bot.client_id,
                "clientSecret": secret,
                "subscriptions": [{"type": "CALLBACK", "topic": TOPIC}],
                "ua": "wenqu",
            },
        )
        address = str(found.get("endpoint"))
        is_safe = self._bot.client.base_url.scheme == "https"
        if not address.startswith("wss://" if is_safe else "ws://"):
            message = "no wss address to connect to"
            raise PlatformError(message, arrived=False)
        return f"{address}?ticket={quote(str(found.get('ticket')), safe='')}"

    async def _take(self, state: State, socket: ClientConnection, raw: str | bytes) -> bool:
        """Answer a frame, and return whether the connection goes on."""
        try:
            frame = json.loads(raw)
            kind, headers = frame["type"], frame["headers"]
            topic, frame_id = headers.get("topic"), headers.get("messageId")
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            _log.warning("dingtalk: a frame that makes no sense")
            return True
        if kind == "SYSTEM":
            await socket.send(_acknowledged(frame_id, _OK, frame.get("data")))
            return str(topic) != "disconnect"
        status = await self._heard(state, frame) if topic == TOPIC else _NONE
        await socket.send(_acknowledged(frame_id, status, json.dumps({"response": "OK"})))
        return True

    async def _heard(self, state: State, frame: Json) -> int:
        try:
            found = json.loads(frame.get("data", ""))
            await self._bot.take(state, found)
        except (ValueError, TypeError, RecursionError, HTTPException):
            return _BAD
        except (BotError, SQLAlchemyError) as error:  # 钉钉 may send it again
            _log.warning("dingtalk: a message was not taken: %s", type(error).__name__)
            return _FAILED
        return _OK


def _acknowledged(frame_id: object, status: int, data: object) -> str:
    headers = {"messageId": frame_id, "contentType": "application/json"}
    said = {_OK: "OK", _NONE: "no such topic"}.get(status, "not taken")
    return json.dumps({"code": status, "headers": headers, "message": said, "data": data})


def router(settings: Settings) -> APIRouter:
    """Return what has no endpoint, and is connected for as long as the application runs."""
    return APIRouter(lifespan=DingTalkStream(settings).lifespan)
