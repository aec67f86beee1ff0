"""A question is worked on while somebody waits for its answer, and no longer."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api.lifetime import Lifetime, now
from bot.api.metrics import Metrics
from bot.api.problems import problem_response
from bot.api.workers import Workers
from bot.errors import OverloadedError, ShuttingDownError
from bot.problems import problem_of

UNTIL = "until"
"""In `request.state`: when the answer has to be there, by the clock of the event loop."""

_QUESTIONS = frozenset({"/api/chat", "/api/search", "/api/suggestions", "/v1/chat/completions"})
_ALWAYS = frozenset({"/healthz", "/readyz", "/metrics"})


class Waiting:
    """ASGI middleware that ends the work on a request for which nobody waits any more.

    As long as no response has begun, work on a question ends when its client goes or its time is
    over, and work on anything when the service gives up. A response that has begun, such as a
    stream, has to see to that itself: see `Lifetime.each`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        lifetime: Lifetime,
        workers: Workers,
        metrics: Metrics,
        answer_seconds: float,
    ) -> None:
        """Allow `answer_seconds` for an answer, from the arrival of its question."""
        self._app = app
        self._workers = workers
        self._lifetime = lifetime
        self._metrics = metrics
        self._seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["path"])
        except (ShuttingDownError, OverloadedError) as error:
            await self._refuse(error, scope, receive, send)
            return
        with self._lifetime.request():
            await self._serve(scope, receive, send)

    def _check(self, path: str) -> None:
        if self._lifetime.is_stopping and path not in _ALWAYS:
            self._metrics.count_refusal("shutting_down")
            raise ShuttingDownError
        if path in _QUESTIONS:  # where all are taken, not even the question is read
            self._workers.check()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["path"] in _QUESTIONS
        until = scope.setdefault("state", {})[UNTIL] = now() + self._seconds
        client = _Client(scope, receive)
        with self._lifetime.wait(until if asks else math.inf) as work:

            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await checkpoint_if_cancelled()  # or half a response would be sent
                    client.on_leaving = _nothing
                    self._lifetime.let_be(work)
                await send(message)

            client.on_leaving = work.cancel
            if asks:
                with client.watched():
                    await self._app(scope, client.receive, send_on)
            else:
                await self._app(scope, receive, send_on)
        if work.cancelled_caught and not client.has_left:
            ends = self._lifetime.is_over
            self._metrics.count_refusal("shutting_down" if ends else "deadline")
            ended = ShuttingDownError() if ends else TimeoutError()
            await self._refuse(ended, scope, receive, send)

    @staticmethod
    async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"connection": "close"} if isinstance(error, ShuttingDownError) else {}
        await problem_response(problem_of(error), headers)(scope, receive, send)


class _Client:
    """The other end of a request: the only reader of what it sends, so that it is seen to leave."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.on_leaving: Callable[[], object] = _nothing
        self.has_left = False
        self._receive = receive
        self._left = anyio.Event()
        self._sent = anyio.Event()
        if scope["method"] in {"GET", "HEAD"}:
            self._sent.set()

    async def receive(self) -> Message:
        if self._sent.is_set():
            await self._left.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._note(message)
        return message

    @contextmanager
    def watched(self) -> Iterator[None]:
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        await self._sent.wait()
        while not self.has_left:
            self._note(await self._receive())

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self.has_left = True
            self._left.set()
            self._sent.set()
            self.on_leaving()
        elif not message.get("more_body", False):
            self._sent.set()


def _nothing() -> None:
    return
