"""What tests of the channels need: a platform on loopback that speaks HTTP and remembers."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from bot.runtime import Runtime
from bot.settings import Settings
from bot.wire import Json
from corpus.words import Segmenter
from index.embed import Embedder

_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the platform got."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


class FakePlatform:
    """The HTTP interface of a platform, for the time of a `with` block.

    Attributes:
        calls: What it got, in order.
        url: Where it answers.
    """

    def __init__(self, answer: Callable[[Call], tuple[int, object]]) -> None:
        """Answer a call by what `answer` returns: a status, and what is sent as JSON."""
        self.calls: list[Call] = []
        self._answer = answer
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def at(self, path: str) -> list[Call]:
        """Return the calls to a path, or to what begins with it if it ends in `*`."""
        if path.endswith("*"):
            return [call for call in self.calls if call.path.startswith(path[:-1])]
        return [call for call in self.calls if call.path == path]

    def wait(self, path: str, count: int = 1) -> list[Call]:
        """Return the calls to a path once there are so many.

        Raises:
            TimeoutError: There are fewer.
        """
        until = time.monotonic() + _SECONDS
        with self._changed:
            while len(self.at(path)) < count:
                if not self._changed.wait(until - time.monotonic()):
                    message = f"{len(self.at(path))} calls to {path}, not {count}: {self.calls}"
                    raise TimeoutError(message)
            return self.at(path)

    def __enter__(self) -> "FakePlatform":
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _got(self, call: Call) -> tuple[int, object]:
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        return self._answer(call)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                raw = self.rfile.read(length)
                where = urlsplit(self.path)
                call = Call(
                    self.command,
                    where.path,
                    dict(parse_qsl(where.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else {},
                )
                status, said = platform._got(call)  # two halves of one thing
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:  # noqa: ANN401  # as the base class has it
                """Log nothing."""

        return Handler


def configured(
    runtime: Runtime, embedder: Embedder, segmenter: Segmenter, **settings: object
) -> Runtime:
    """Return a runtime like another one, with more settings, over the same database."""
    given = {
        name: SecretStr(str(value)) if _is_secret(name) else value
        for name, value in settings.items()
    }
    changed = runtime.settings.model_copy(update=given)
    return Runtime(changed, runtime.database, embedder, segmenter)


def _is_secret(name: str) -> bool:
    return Settings.model_fields[name].annotation is SecretStr


def changed_at(text: str, place: int) -> str:
    """Return `text` with another character of the same kind at a place."""
    old = text[place]
    new = {"9": "0", "z": "a", "Z": "A", "f": "a"}.get(old) or chr(ord(old) + 1)
    return text[:place] + new + text[place + 1 :]
