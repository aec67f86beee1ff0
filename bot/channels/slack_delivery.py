"""Puts answers into Slack, each into one message however often it is tried.

Slack has no key by which it would take a message once: so a message that says that an answer is
coming is sent first, and the answer put in its place, which may be done twice.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot.channels import slack_blocks
from bot.channels.jobs import Message
from bot.channels.platform import insist
from bot.channels.slack_client import SlackClient
from bot.channels.slack_events import Place
from bot.channels.slack_sent import Sent
from bot.errors import PlatformError
from bot.wire import Json
from index.database import Database

PAUSES: tuple[float, ...] = (1, 5, 20, *[60.0] * 10)
"""Seconds between tries: Slack may be away for some minutes."""

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class Delivery:
    """The way of answers to one workspace."""

    def __init__(
        self,
        client: SlackClient,
        database: Callable[[], Database],
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        """Send by `client`.

        Args:
            client: Of the workspace.
            database: Remembers what was sent; it is open by the time that something is.
            pauses: Seconds between tries; one try more than there are pauses.
        """
        self._client = client
        self._database = database
        self._pauses = pauses

    async def announce(self, message: Message) -> None:
        """Say that an answer is coming; a command was acknowledged by the same words.

        Raises:
            PlatformError: Slack does not take it, however often it was tried.
        """
        place = Place.model_validate(message.address)
        if not place.response_url:
            await insist(lambda: self._announced(message, place), self._pauses, repeatable=True)

    async def send(self, message: Message, reply: Json) -> None:
        """Put the answer in the place of what was announced.

        Raises:
            PlatformError: Slack does not take it, however often it was tried.
        """
        place = Place.model_validate(message.address)
        shown = slack_blocks.message(reply, place.team)

        async def send_once() -> None:
            if place.response_url:
                answer = {**shown, "replace_original": True}
                await self._client.respond(place.response_url, answer)
            else:
                timestamp = await self._announced(message, place)
                await self._client.update(place.channel, timestamp, shown)

        await insist(send_once, self._pauses, repeatable=True)

    async def _announced(self, message: Message, place: Place) -> str:
        """Return the timestamp of our message; it is sent if it was not before."""
        sent = Sent(self._database())
        mark = f"wenqu-{hashlib.sha256(message.id.encode()).hexdigest()}"
        known = await _kept(sent.begin, message.id)
        if known:
            return known
        if known is not None:  # we may have died, or not been told, while it was sent
            known = await self._client.find(place.channel, place.thread, place.since, mark)
        announced = known or await self._client.post(
            place.channel, place.thread, slack_blocks.waiting(mark)
        )
        await _kept(sent.keep, message.id, announced)
        return announced


async def _kept(work: Callable[[*_Args], _T], *args: *_Args) -> _T:
    """Read or write in a thread; a database that is away is no reason to give an answer up."""
    try:
        return await to_thread.run_sync(work, *args)
    except SQLAlchemyError as error:
        reason = f"the database does not answer: {type(error).__name__}"
        raise PlatformError(reason, arrived=False, retry_seconds=0) from error
