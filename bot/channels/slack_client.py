"""Calls to Slack: our messages in its channels, and the answers to its commands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import PlatformError
from bot.wire import Json

_TIMEOUT_SECONDS = 10
_TRIES_WHEN_LIMITED = 3
_RECENT = 100
_PASSING = frozenset({
    "fatal_error",
    "internal_error",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
})  # fmt: skip
"""Errors that another try may mend."""


class SlackClient:
    """Slack's Web API for one workspace. To be used inside `connected`."""

    def __init__(self, token: str, api_url: str) -> None:
        """Call `api_url` with the bot's token."""
        # After a broken connection nothing is sent again by itself: it may have arrived.
        limited = AsyncRateLimitErrorRetryHandler(max_retry_count=_TRIES_WHEN_LIMITED)
        self.web = AsyncWebClient(
            token, api_url, timeout=_TIMEOUT_SECONDS, retry_handlers=[limited]
        )
        where = urlsplit(api_url)
        self._origins = {f"{where.scheme}://{host}{where.netloc}" for host in ("", "hooks.")}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Keep connections open for the time of the block."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            self.web.session = session
            yield

    async def whoami(self) -> str:
        """Return the names of the bot and the workspace that the token speaks for.

        Raises:
            PlatformError: Slack does not take the token, or does not answer.
        """
        found = await _called(self.web.auth_test)
        return f"{found.get('user')} @ {found.get('team')}"

    async def post(self, channel: str, thread: str, message: Json) -> str:
        """Send a message, below another one if `thread` is its timestamp; return its own.

        Raises:
            PlatformError: Slack does not take it, or does not answer.
        """
        below = {"thread_ts": thread} if thread else {}
        quiet = {"unfurl_links": False, "unfurl_media": False}
        sent = await _called(
            self.web.chat_postMessage, channel=channel, **below, **quiet, **message
        )
        return str(sent["ts"])

    async def find(self, channel: str, thread: str, since: str, block_id: str) -> str:
        """Return the timestamp of the message that has a block of that id, or "".

        Slack lets us look in channels only with the scope `channels:history`, which we do not ask
        for: without it nothing is found there.

        Raises:
            PlatformError: Slack does not answer.
        """
        where = {"channel": channel, "oldest": since, "limit": _RECENT}
        try:
            if thread:
                found = await _called(self.web.conversations_replies, ts=thread, **where)
            else:
                found = await _called(self.web.conversations_history, **where)
        except PlatformError as error:
            if error.retry_seconds is not None:
                raise
            return ""
        for message in found["messages"]:
            if any(block.get("block_id") == block_id for block in message.get("blocks", ())):
                return str(message["ts"])
        return ""

    async def update(self, channel: str, timestamp: str, message: Json) -> None:
        """Put `message` in the place of one of ours.

        Raises:
            PlatformError: Slack does not take it, or does not answer.
        """
        as_is = {"parse": "none", "link_names": False}  # an update is parsed unless told not to
        await _called(self.web.chat_update, channel=channel, ts=timestamp, **as_is, **message)

    async def respond(self, url: str, message: Json) -> None:
        """Show `message` to whoever gave a command or clicked.

        Raises:
            PlatformError: The address is not Slack's, or it does not take the message.
        """
        if not self.trusts(url):
            reason = "the response_url is not an address of Slack"
            raise PlatformError(reason, arrived=False)
        assert self.web.session is not None  # noqa: S101  # connected
        body = {"response_type": "ephemeral", **message}
        try:
            async with self.web.session.post(url, json=body, allow_redirects=False) as response:
                status, pause = response.status, response.headers.get("retry-after", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unanswered(error) from None
        if status != HTTPStatus.OK:
            limited = status == HTTPStatus.TOO_MANY_REQUESTS
            passing = limited or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            retry = _seconds(pause) if passing else None
            reason = f"Slack answers HTTP {status}"
            raise PlatformError(reason, arrived=False, retry_seconds=retry)

    def trusts(self, url: str) -> bool:
        """Whether an address in an event is one of Slack's, and so may be sent to."""
        try:
            where = urlsplit(url)
        except ValueError:
            return False
        return f"{where.scheme}://{where.netloc}" in self._origins


async def _called(method: Callable[..., Awaitable[Any]], **arguments: object) -> Json:
    try:
        response = await method(**arguments)
    except SlackApiError as error:
        raise _refused(error) from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unanswered(error) from None
    found: Json = response.data
    return found


def _refused(error: SlackApiError) -> PlatformError:
    data = getattr(error.response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    pause = getattr(error.response, "headers", {}).get("Retry-After", "")
    retry = _seconds(pause) if not code or code in _PASSING else None
    return PlatformError(f"Slack says {code!r}", code=code, arrived=not code, retry_seconds=retry)


def _unanswered(error: Exception) -> PlatformError:
    reason = f"Slack does not answer: {type(error).__name__}"
    return PlatformError(reason, arrived=True, retry_seconds=0)


def _seconds(header: str) -> float:
    return float(header[:6]) if header.isdecimal() else 0.0
