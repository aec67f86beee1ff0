"""What tests of the service need: the real application around a runtime they made."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Self

from httpx2 import Response
from starlette.testclient import TestClient

from bot.api import server as web
from bot.api.problems import MEDIA_TYPE
from bot.api.schema import ChatReply, ProblemReply
from bot.app import create_app
from bot.commands.serve import bind
from bot.runtime import Runtime
from bot.wire import Json
from corpus.document import Document

CAT_QUESTION = "阿花在哪里睡觉？"
CAT_TEXT = "喵星人手册\n\n阿花在屋顶上睡觉。阿花一九九七年出生。\n\n𠮷野家不卖猫粮。"
_SECONDS = 30


def ask(client: TestClient, question: str, **more: object) -> Json:
    """Ask, and return the whole answer object.

    Raises:
        AssertionError: It is not answered, or not as the documentation says.
    """
    response = client.post("/api/chat", json={"question": question, **more})
    if response.status_code != HTTPStatus.OK:
        raise AssertionError(response.text)
    reply: Json = response.json()
    ChatReply.model_validate(reply)
    return reply


def problem_in(response: Response, status: int, code: str) -> Json:
    """Return the problem object of a response.

    Raises:
        AssertionError: It is no such problem.
    """
    said: Json = response.json()
    ProblemReply.model_validate(said)
    kind = response.headers["content-type"]
    found = (kind, response.status_code, said["status"], said["code"], said["type"])
    expected = (MEDIA_TYPE, status, status, code, f"urn:wenqu:problem:{code}")
    if found != expected:
        message = f"expected {expected}, got {found}: {response.text}"
        raise AssertionError(message)
    return said


def cat_document(name: str, text: str = CAT_TEXT, source: str = "") -> Document:
    """Make a small document, with a character outside the basic plane in it."""
    return Document(id=name, title=f"题 {name}", text=text, source=source or f"{name}.md")


@contextmanager
def client_of(runtime: Runtime) -> Iterator[TestClient]:
    """Serve `runtime` and yield a client once it is loaded."""
    loaded = threading.Event()
    app = create_app(
        runtime.settings,
        open_runtime=lambda _settings: runtime,
        on_loaded=lambda _state: loaded.set(),
    )
    with TestClient(app) as client:
        if not loaded.wait(_SECONDS):
            message = f"not loaded after {_SECONDS} s"
            raise TimeoutError(message)
        yield client


@contextmanager
def serving(
    runtime: Runtime,
    *,
    ping_seconds: float = 15,
    connection: type[web.Connection] = web.Connection,
) -> Iterator[int]:
    """Serve `runtime` on loopback by a real server in a thread, and yield its port."""
    loaded = threading.Event()
    app = create_app(
        runtime.settings,
        open_runtime=lambda _settings: runtime,
        on_loaded=lambda _state: loaded.set(),
        ping_seconds=ping_seconds,
    )
    server = web.Server(app, connection)
    with bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            if not loaded.wait(_SECONDS):
                message = f"not loaded after {_SECONDS} s"
                raise TimeoutError(message)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(_SECONDS)


class Server:
    """`wenqu serve` as a child process on a free port, for the time of a `with` block."""

    def __init__(self, data: Path, *, stderr: BinaryIO | None = None, **environment: str) -> None:
        """Serve the data folder; the log goes to `stderr`, or where ours goes.

        Args:
            data: The folder.
            stderr: A file for the log.
            environment: Settings, such as `WENQU_ADMIN_KEY="…"`.
        """
        wenqu = str(Path(sys.executable).with_name("wenqu"))
        self._command = [wenqu, "serve", "--port", "0", "--data", str(data)]
        self._stderr = stderr
        self._environment = {**os.environ, **environment}
        self.port = 0
        self.said = ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start it and wait until it says where it answers.

        Raises:
            RuntimeError: It ended instead.
        """
        self.process = subprocess.Popen(  # noqa: S603  # our own command
            self._command,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=self._environment,
        )
        assert self.process.stdout  # noqa: S101  # it is a pipe
        self.said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)", self.said)
        if found is None:
            message = f"wenqu serve said {self.said!r}"
            raise RuntimeError(message)
        self.port = int(found[1])
        return self

    def __exit__(self, *_: object) -> None:
        """Have it stop."""
        self.process.terminate()
        self.process.communicate(timeout=_SECONDS)
