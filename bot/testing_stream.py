"""A chat page whose answers come from a script: all that a conversation can meet, on real sockets.

The pages and their scripts are those of the application; only `POST /api/chat` is played.
"""

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from bot.app import create_app
from bot.commands.serve import bind
from bot.settings import Settings
from bot.wire import Json

_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks."""


Step = tuple[str, Json] | Pause | Cut
"""An event with its name, or what happens between two."""


def citation(number: int, **more: object) -> Json:
    """Return a citation object."""
    quote = f"第 {number} 句的原文。"
    made: Json = {
        "number": number,
        "quote": quote,
        "passage": f"前文。{quote}后文。",
        "document_id": "guide",
        "title": "手册",
        "headings": ["手册", "第一章"],
        "source_url": None,
        "start": 0,
        "end": len(quote),
        "view_url": f"/documents/guide?start=0&end={len(quote)}",
    }
    return made | more


def answer(text: str, citations: Sequence[Json] = (), **more: object) -> Json:
    """Return an answer object."""
    made: Json = {
        "answer": text,
        "citations": list(citations),
        "refused": False,
        "refusal": None,
        "confidence": 0.9,
        "standalone_question": "问题",
        "session_id": "session",
        "turn_id": "turn",
        "mode": "extractive",
        "timings": {},
    }
    return made | more


def script(whole: Json, pieces: Sequence[str] = (), *, pause: float = 0) -> list[Step]:
    """Return the events of an answer, its text cut into `pieces`, with a pause before each."""
    meta = {"session_id": whole["session_id"], "turn_id": whole["turn_id"], "candidates": []}
    steps: list[Step] = [("meta", meta), *(("citation", each) for each in whole["citations"])]
    for number, text in enumerate(pieces or [whole["answer"]], start=1):
        steps += [Pause(pause), ("delta", {"text": text, "sentence": number})]
    return [*steps, Pause(pause), ("done", whole)]


@dataclass(slots=True)
class ScriptedSite:
    """Serves the chat page for the time of a `with` block; `stop` and `start` in between.

    Attributes:
        plays: What each question gets in turn, the last one for all that follow.
        questions: What was asked, oldest first.
        gone: How often a reader left before the end.
        port: Where it listens, the same after a new start.
    """

    plays: list[Sequence[Step] | Response] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    gone: int = 0
    port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _listening: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        pages = create_app(Settings())  # its lifespan does not run: no model, nothing to load
        app = Starlette(
            routes=[Route("/api/chat", self._chat, methods=["POST"]), Mount("/", pages)]
        )
        self._listening = bind("127.0.0.1", self.port)
        self.port = self._listening.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listening]}
        )
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """Vanish."""
        if self._server and self._thread and self._listening:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(_STOP_SECONDS)
            self._listening.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    async def _chat(self, request: Request) -> Response:
        self.questions.append((await request.json())["question"])
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        if isinstance(play, Response):
            return play
        return StreamingResponse(self._events(play), media_type="text/event-stream")

    async def _events(self, steps: Sequence[Step]) -> AsyncIterator[str]:
        try:
            for step in steps:
                if isinstance(step, Cut):
                    return
                if isinstance(step, Pause):
                    await anyio.sleep(step.seconds)
                    continue
                name, data = step
                yield f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
        except anyio.get_cancelled_exc_class():
            self.gone += 1
            raise
