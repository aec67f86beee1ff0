"""Slack: mentions, direct messages and a command, answered in place with sources and thumbs.

Protocol: events are signed by HMAC-SHA256 over `v0:timestamp:body`, sent again three times until
they are acknowledged within 3 s (https://docs.slack.dev/apis/events-api), and may come by a
connection that we open instead (Socket Mode).
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import anyio
from fastapi import APIRouter, FastAPI, Request
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bot.api.schema import problems
from bot.api.state import State
from bot.channels.dialogue import Dialogue
from bot.channels.jobs import Message
from bot.channels.slack_app import ODD, Listeners
from bot.channels.slack_client import SlackClient
from bot.channels.slack_delivery import Delivery
from bot.channels.slack_events import CHANNEL
from bot.channels.slack_gate import check_shape, check_signature
from bot.errors import PlatformError
from bot.settings import Settings

PATH = "/slack/events"
_log = logging.getLogger("wenqu")


class Slack:
    """The bot in one workspace."""

    def __init__(self, settings: Settings) -> None:
        """Use the tokens that the settings name; nothing is connected yet."""
        self._settings = settings
        self._client = SlackClient(
            settings.slack_bot_token.get_secret_value(), settings.slack_api_url
        )
        self._secret = settings.slack_signing_secret.get_secret_value()
        delivery = Delivery(self._client, lambda: self._state.runtime.database)
        self._dialogue = Dialogue(
            CHANNEL,
            delivery.send,
            announce=delivery.announce,
            collection=settings.slack_collection or None,
        )

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Take and answer questions for as long as the application runs."""
        self._state: State = app.state.wenqu
        listeners = Listeners(self._state, self._client, self._accept)
        bolt = listeners.app(self._secret, self._settings.slack_api_url)
        self._handler = AsyncSlackRequestHandler(bolt)
        async with (
            self._client.connected(),
            self._dialogue.lifespan(app),
            self._socket(bolt),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._introduce)
            yield
            tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _socket(self, bolt: AsyncApp) -> AsyncIterator[None]:
        """Get events by a connection of ours, for those whom Slack cannot reach."""
        app_token = self._settings.slack_app_token.get_secret_value()
        if not app_token:
            yield
            return
        socket = AsyncSocketModeHandler(bolt, app_token)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(socket.connect_async)
                yield
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await socket.close_async()  # type: ignore[no-untyped-call]  # of slack_bolt

    async def receive(self, request: Request) -> Response:
        """Take an event, a command or a click: acknowledged at once, answered later.

        Raises:
            SignatureError: Slack did not send this, or not now.
        """
        body = await request.body()
        check_signature(request.headers, body, self._secret, time.time())
        check_shape(request.headers, body)
        try:
            return await self._handler.handle(request)
        except ODD as error:  # it did not get as far as slack_bolt's own handling of errors
            raise HTTPException(HTTPStatus.BAD_REQUEST) from error

    async def _accept(self, message: Message) -> None:
        await self._dialogue.accept(self._state, message)

    async def _introduce(self) -> None:
        try:
            _log.info("Slack: connected as %s", await self._client.whoami())
        except PlatformError as error:
            _log.error("Slack does not take slack_bot_token: %s", error)


def router(settings: Settings) -> APIRouter:
    """Return the bot that the settings name; by Socket Mode alone it has no endpoint."""
    bot = Slack(settings)
    made = APIRouter(tags=["渠道"], lifespan=bot.lifespan)
    if settings.slack_signing_secret.get_secret_value():
        made.add_api_route(
            PATH,
            bot.receive,
            methods=["POST"],
            summary="Slack 事件、命令和按钮",
            responses={HTTPStatus.OK: {"description": "已收到"}, **problems(400, 401, 413, 503)},
        )
    return made
