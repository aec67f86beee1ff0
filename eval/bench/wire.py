"""The application as its server sees it: requests in, bytes out, nothing in between.

A client library would refuse to send half of what is sent here.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Self

import anyio
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from eval.bench.senders import Request

_PARSERS = {
    ("decoder.py", "decode"), ("decoder.py", "raw_decode"), ("common.py", "fromstring"),
    ("parse.py", "parse_qs"), ("formparsers.py", "parse"), ("__init__.py", "decompress"),
}  # fmt: skip
_SECONDS = 600  # a busy machine takes its time; what hangs is found all the same


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    kind: str
    body: bytes


@dataclass(slots=True)
class Parsed:
    """The parsers that were called, as the interpreter reports it."""

    names: list[str] = field(default_factory=list)

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take note of a call; for `sys.setprofile`."""
        if event == "call" and _named(frame.f_code) in _PARSERS:
            self.names.append(":".join(_named(frame.f_code)))


def _named(code: CodeType) -> tuple[str, str]:
    return code.co_filename.rpartition("/")[2], code.co_name


class Wire:
    """Sends requests to an application that runs in a client's `with` block."""

    def __init__(self, client: TestClient) -> None:
        """Use the event loop that the application of `client` runs in."""
        self._app: ASGIApp = client.app
        assert client.portal is not None  # noqa: S101  # inside its `with`
        self._portal = client.portal

    def ask(self, request: Request, *, watched: Parsed | None = None) -> Reply:
        """Return what comes back; `watched` counts the calls of parsers meanwhile."""
        return self._portal.call(self._exchange, request, watched)

    async def _exchange(self, request: Request, watched: Parsed | None) -> Reply:
        got: list[Message] = []
        whole = anyio.Event()
        waiting: list[Message] = [{"type": "http.request", "body": request.body}]

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await whole.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            got.append(message)

        if watched is not None:
            sys.setprofile(watched)
        try:
            with anyio.fail_after(_SECONDS):
                await self._app(_scope(request), receive, send)
        finally:
            whole.set()
            if watched is not None:
                sys.setprofile(None)
        kind = next((v for k, v in got[0]["headers"] if k.lower() == b"content-type"), b"")
        body = b"".join(message.get("body", b"") for message in got[1:])
        return Reply(got[0]["status"], kind.decode(), body)


def _scope(request: Request) -> dict[str, Any]:
    length = (b"content-length", str(len(request.body)).encode())
    host = (b"host", b"127.0.0.1:8000")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"&".join(name + b"=" + _quoted(value) for name, value in request.query),
        "root_path": "",
        "headers": [host, length, *request.headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def _quoted(value: bytes) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in value)


@dataclass(slots=True)
class Overheard(logging.Handler):
    """Everything that is logged, at every level, for the time of `overhearing`."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        logging.Handler.__init__(self, logging.DEBUG)
        self.setFormatter(logging.Formatter())

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as it would be written."""
        said = f"{self.format(record)} {record.__dict__.get('fields', '')}"
        self.lines.append(said)
        if record.levelno >= logging.ERROR:
            self.errors.append(said)

    def drain(self) -> Self:
        """Forget what was heard so far."""
        self.lines.clear()
        self.errors.clear()
        return self


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Hear all loggers, whatever they would write."""
    root = logging.getLogger()
    heard, before = Overheard(), root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(heard)
        root.setLevel(before)
