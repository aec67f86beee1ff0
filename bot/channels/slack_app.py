"""The listeners of slack_bolt: questions become messages of the dialogue, thumbs feedback."""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence

from anyio import to_thread
from pydantic import ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.api.problems import MEDIA_TYPE, of_status, problem_json
from bot.api.state import State
from bot.channels import slack_blocks
from bot.channels.jobs import Message, person
from bot.channels.slack_client import SlackClient
from bot.channels.slack_events import CHANNEL, Click, Command, Event
from bot.conversations import Vote
from bot.errors import TurnNotFoundError
from bot.problems import INTERNAL, Problem, problem_of
from bot.wire import Json

_GONE = "这个回答已经不在了。"
_THANKS = "谢谢，已记下。"
ODD = (AttributeError, IndexError, KeyError, TypeError, ValidationError)
"""What slack_bolt and our models raise of a body that is signed and yet not as Slack writes it."""
_log = logging.getLogger("wenqu")


class Listeners:
    """What is done with what Slack tells."""

    def __init__(
        self, state: State, client: SlackClient, accept: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Hand questions to `accept`, and thumbs to the conversations of `state`."""
        self._state = state
        self._client = client
        self._accept = accept

    def app(self, signing_secret: str, api_url: str) -> AsyncApp:
        """Return the application; nothing in it calls Slack before it acknowledges.

        Its answers are sent after the listeners have ended: an event is acknowledged only once its
        question is kept.
        """
        app = AsyncApp(
            name="wenqu",
            signing_secret=signing_secret,
            client=AsyncWebClient(base_url=api_url),
            authorize=_authorized,
            process_before_response=True,
            ssl_check_enabled=False,  # it is answered whoever asks
            raise_error_for_unhandled_request=True,  # or the whole body would be logged
        )
        app.event("app_mention")(self.asked)
        app.event("message")(self.asked)
        app.command(re.compile(""))(self.commanded)
        app.action(slack_blocks.UP)(self.clicked)
        app.action(slack_blocks.DOWN)(self.clicked)
        app.error(_failed)
        return app

    async def asked(self, body: Json) -> None:
        """Keep what was asked in a message."""
        event = Event.model_validate(body)
        if event.event.is_question():
            await self._accept(event.message())

    async def commanded(self, body: Json, ack: AsyncAck) -> None:
        """Keep what was asked by a command; Slack sends it once, and shows what we answer."""
        command = Command.model_validate(body)
        if not self._client.trusts(command.response_url):
            await ack(of_status(400).detail)
            return
        try:
            await self._accept(command.message())
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for words
            await ack(_told(error).detail)
        else:
            await ack(slack_blocks.SEARCHING)

    async def clicked(self, body: Json, ack: AsyncAck) -> None:
        """Keep a vote, as `POST /api/feedback` does, and show it."""
        click = Click.model_validate(body)
        (button,) = click.actions
        team, turn_id = button.value.split(":")
        if team != click.team.id:
            _log.warning("a vote from another workspace of Slack is ignored")
            await ack()
            return
        vote: Vote = "up" if button.action_id == slack_blocks.UP else "down"
        voter = person(CHANNEL, team, click.user.id)
        feedback = self._state.runtime.conversations.feedback
        try:
            await to_thread.run_sync(lambda: feedback(turn_id, vote, voter=voter))
        except TurnNotFoundError:
            self._state.spawn(self._say, click, _GONE)
        else:
            self._state.spawn(self._show, click)
        await ack()

    async def _show(self, click: Click) -> None:
        message = click.message
        if message is None:
            await self._say(click, _THANKS)
            return
        blocks = slack_blocks.chosen(message.blocks, click.actions[0].action_id)
        shown = {"text": message.text, "blocks": blocks}
        await self._client.update(click.channel.id, message.ts, shown)

    async def _say(self, click: Click, text: str) -> None:
        await self._client.respond(click.response_url, {"text": text, "replace_original": False})


async def _authorized(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    """Take every event: it is signed, and the listeners call Slack by a client of their own."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


async def _failed(error: Exception) -> BoltResponse:
    """Return the problem of a request that could not be taken: Slack sends an event again."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200)  # an event that we have no use for
    problem = _told(error)
    headers: dict[str, str | Sequence[str]] = {"content-type": MEDIA_TYPE}
    if problem.retry_seconds:
        headers["retry-after"] = str(problem.retry_seconds)
    body = json.dumps(problem_json(problem), ensure_ascii=False)
    return BoltResponse(status=problem.status, body=body, headers=headers)


def _told(error: Exception) -> Problem:
    problem = problem_of(error)
    if problem is INTERNAL and isinstance(error, ODD):
        _log.warning("a request of Slack has not the expected shape: %s", type(error).__name__)
        return of_status(400)
    if problem is INTERNAL:
        _log.error("a request of Slack failed", exc_info=error)
    return problem
