"""What tests of Slack need: its side of the endpoint, and settings that lead to `slack_fake`."""

import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import httpx2

from bot.channels.inbox import Threads
from bot.channels.slack_fake import BOT, BOT_TOKEN, SIGNING_SECRET, TEAM, FakeSlack
from bot.conversations import Conversation
from bot.runtime import Runtime
from bot.settings import Settings
from bot.wire import Json

_SECONDS = 60
_TICK_SECONDS = 0.02


class Sender:
    """Slack's side of the endpoint: signs and posts."""

    def __init__(self, url: str) -> None:
        """Send to the service at `url`, inside `with`."""
        self.client = httpx2.Client(base_url=url, timeout=_SECONDS)

    def __enter__(self) -> Self:
        self.client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.__exit__(None, None, None)

    def post(self, body: bytes, kind: str = "application/json", **more: str) -> httpx2.Response:
        """Send a signed body; `more` headers have `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {"content-type": kind, **signed(body), **given}
        return self.client.post("/slack/events", content=body, headers=headers)

    def event(self, event: Json, event_id: str = "Ev1", **headers: str) -> httpx2.Response:
        """Send an event."""
        return self.post(json.dumps(envelope(event, event_id)).encode(), **headers)

    def form(self, fields: dict[str, str]) -> httpx2.Response:
        """Send a command, or a click in the field `payload`."""
        return self.post(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def signed(body: bytes, at: int | None = None) -> dict[str, str]:
    """Return the headers that sign a body, now or at that Unix time."""
    timestamp = str(int(time.time()) if at is None else at)
    base = b"v0:" + timestamp.encode() + b":" + body
    made = hmac.new(SIGNING_SECRET.encode(), base, "sha256").hexdigest()
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={made}"}


def envelope(event: Json, event_id: str = "Ev1") -> Json:
    """Return what Slack sends of an event."""
    return {"type": "event_callback", "team_id": TEAM, "event_id": event_id, "event": event}


def mention(text: str, ts: str, **more: object) -> Json:
    """Return the event of a message that mentions the bot."""
    said = {"type": "app_mention", "channel": "C1", "user": "U1", "ts": ts}
    return {**said, "text": f"<@{BOT}> {text}", **more}


def direct(text: str, ts: str, **more: object) -> Json:
    """Return the event of a direct message."""
    said = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U1", "ts": ts}
    return {**said, "text": text, **more}


def slack_settings(data: Path, slack: FakeSlack, **more: object) -> Settings:
    """Return settings that connect to the fake."""
    given: Json = {
        "data": data,
        "slack_bot_token": BOT_TOKEN,
        "slack_signing_secret": SIGNING_SECRET,
        "slack_api_url": slack.url,
    }
    return Settings.model_validate({**given, **more})


def conversation_in(runtime: Runtime, place: str) -> Conversation:
    """Return the conversation of a channel or thread, such as `C1:1.1`."""
    session_id = Threads(runtime.database).session("slack", f"{TEAM}:{place}")
    return runtime.conversations.get(session_id or "")


def questions_in(runtime: Runtime, place: str) -> list[str]:
    """Return what was asked there."""
    return [kept.turn.question for kept in conversation_in(runtime, place).turns]


def until(true: Callable[[], object], seconds: float = _SECONDS) -> None:
    """Wait for something that happens elsewhere.

    Raises:
        AssertionError: It did not happen in that time.
    """
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            message = f"it did not happen within {seconds} s"
            raise AssertionError(message)
        time.sleep(_TICK_SECONDS)
