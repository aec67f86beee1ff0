"""How an answer leaves by HTTP as a stream of events, whatever the words of the channel are."""

import logging
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from bot.api.state import State
from bot.problems import INTERNAL, Problem, problem_of

EVENT_STREAM = "text/event-stream"
_SEND_SECONDS = 10
_GRACE_SECONDS = 20
"""For a stream to end by itself when the service stops; less than the server gives."""

_log = logging.getLogger("wenqu")


def event_stream(state: State, events: AsyncIterator[dict[str, Any]]) -> Response:
    """Send events as they come, with signs of life in between; no proxy is to hold them back.

    Args:
        state: Says how often there has to be a sign of life.
        events: Fields of each, as `sse_starlette` takes them. An error in them cuts the connection:
            they have to tell it themselves, see `failure`.
    """
    return EventSourceResponse(
        events,
        headers={"cache-control": "no-cache, no-transform"},
        sep="\n",
        ping=state.ping_seconds,
        ping_message_factory=lambda: ServerSentEvent(comment="ping", sep="\n"),
        send_timeout=_SEND_SECONDS,
        shutdown_grace_period=_GRACE_SECONDS,
    )


def failure(error: Exception) -> Problem:
    """Return what to tell of an error in a stream, whose status was sent; log it if unexpected."""
    problem = problem_of(error)
    if problem is INTERNAL:
        _log.error("unexpected error in a stream", exc_info=error)
    return problem
