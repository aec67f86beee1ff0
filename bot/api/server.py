"""The web server: uvicorn, with an end that keeps its word and no patience with idle connections.

Imported only by those who serve: uvicorn takes a while.
"""

import asyncio
import json
import math
import time
from http import HTTPStatus
from types import FrameType
from typing import ClassVar, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from bot.api.metrics import Metrics
from bot.api.problems import MEDIA_TYPE, of_status, problem_json
from bot.api.state import State
from bot.errors import OverloadedError
from bot.problems import Problem, problem_of

_LAST_WORDS_SECONDS = 2.0
"""For those to be told whose answer does not end by itself in time."""
_CLOSE_SECONDS = 3
HEAD_BYTES = 32_768
"""Of a request line with all headers; a search for 2,000 Chinese characters takes 18,000."""
HEAD_SECONDS = 10.0
"""For the head of a request to arrive, on a new connection or after the request before."""
DRAIN_SECONDS = 120.0
"""For a client to read what was sent to it."""
_BACKLOG = 1024
_RETRY_SECONDS = 5


class Server(uvicorn.Server):
    """Serves until a signal comes; answers that were begun are then finished or told of it.

    A second signal shortens the wait. The status of the process is 0 either way.
    """

    def __init__(self, app: FastAPI, connection: type["Connection"] | None = None) -> None:
        """Serve `app`, which has its `State` in `app.state.wenqu`, by connections of this kind."""
        state: State = app.state.wenqu
        super().__init__(
            uvicorn.Config(
                app,
                http=(connection or Connection).of(state),
                ws="none",
                log_config=None,
                proxy_headers=False,  # bot.app believes the proxies that the settings name
                access_log=False,  # it would write the questions of /api/search
                server_header=False,
                backlog=_BACKLOG,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=_CLOSE_SECONDS,
            )
        )
        self._lifetime = state.lifetime
        self._background = state.background
        self._grace_seconds = state.settings.stop_seconds
        self._give_up_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; when asked again, stop waiting."""
        del sig, frame
        again = self._lifetime.is_stopping
        self._lifetime.stop()
        self._give_up_at = time.monotonic() + (0 if again else self._grace_seconds)

    async def on_tick(self, counter: int) -> bool:
        """Say whether to close: uvicorn asks ten times a second."""
        if await super().on_tick(counter):
            return True
        if self._give_up_at is None:
            return False
        if not self._lifetime.requests and not self._background.running:
            return True
        late = time.monotonic() - self._give_up_at
        if late >= 0:
            self._lifetime.give_up()
        return late > _LAST_WORDS_SECONDS


class Connection(H11Protocol):
    """A connection that has to say something soon, and of which there are only so many.

    uvicorn closes one that is idle after a request; one that never sends a request, sends half of
    its head, or does not read what it gets, would stay for good.
    """

    most: ClassVar[int]
    metrics: ClassVar[Metrics]
    head_seconds: ClassVar[float] = HEAD_SECONDS
    drain_seconds: ClassVar[float] = DRAIN_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _given_up_at = math.inf

    @classmethod
    def of(cls, state: State) -> type["Connection"]:
        """Return the class for one application: uvicorn makes the connections itself."""
        bound = {"most": state.settings.connections, "metrics": state.metrics}
        return type("Connection", (cls,), bound)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a connection, or turn it away at once."""
        super().connection_made(transport)
        self.access_log = False  # whoever listens to its logger: the log would hold questions
        if len(self.connections) > self.most:
            self.metrics.count_refusal("connections")
            self._end_with(problem_of(OverloadedError(_RETRY_SECONDS)))
        self._watch(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request, while what is left of this one is thrown away."""
        self._watch(self.head_seconds)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in the form that every error has."""
        if self._is_serving():
            self.transport.close()  # there is an answer on its way: another would be part of it
        else:
            self._end_with(of_status(400, detail_en=msg, detail="这不是 HTTP 请求。"))

    def _is_serving(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _end_with(self, problem: Problem) -> None:
        body = json.dumps(problem_json(problem), ensure_ascii=False).encode()
        head = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            *([f"retry-after: {problem.retry_seconds}"] if problem.retry_seconds else []),
            "connection: close",
        ]
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()

    def _watch(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._given_up_at = self.loop.time() + self.drain_seconds
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Close the connection if nothing goes on; if it does not read, wait a while for that."""
        if self._is_serving():
            return  # `on_response_complete` comes again
        if not self.transport.get_write_buffer_size():
            self.transport.close()
        elif self.loop.time() >= self._given_up_at:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(self.head_seconds, self._look)
