"""How an answer leaves by HTTP as a stream of events, whatever the words of the channel are."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from bot.api.state import State
from bot.problems import INTERNAL, Problem, problem_of

EVENT_STREAM = "text/event-stream"
EVENTS = {
    "itemSchema": {
        "type": "object",
        "required": ["data"],
        "properties": {name: {"type": "string"} for name in ("event", "id", "data")},
    }
}
"""What the description says of an event stream: `itemSchema`, since `schema` is about all of it."""
_SEND_SECONDS = 10
_GRACE_SECONDS = 3
"""For a stream to end by itself once the server closes, which it does when all have been told."""

_log = logging.getLogger("wenqu")


def event_stream(state: State, events: AsyncGenerator[dict[str, Any]]) -> Response:
    """Send events as they come, with signs of life in between; no proxy is to hold them back.

    Args:
        state: Says how often there has to be a sign of life.
        events: Fields of each, as `sse_starlette` takes them. An error in them cuts the connection:
            they have to tell it themselves, see `failure`.
    """
    return EventSourceResponse(
        _counted(state, events),
        headers={"cache-control": "no-cache, no-transform"},
        sep="\n",
        ping=state.ping_seconds,
        ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
        send_timeout=_SEND_SECONDS,
        shutdown_grace_period=_GRACE_SECONDS,
    )


async def _counted(
    state: State, events: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any]]:
    with state.metrics.streaming():
        async with aclosing(events):
            async for event in events:
                yield event


def failure(error: Exception) -> Problem:
    """Return what to tell of an error in a stream, whose status was sent; log it if unexpected."""
    problem = problem_of(error)
    if problem is INTERNAL:
        _log.error("unexpected error in a stream", exc_info=error)
    return problem
