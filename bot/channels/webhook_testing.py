"""What tests of webhooks need: somebody who takes them, on loopback, and answers as told."""

import json
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from bot.wire import Json

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered: a status, headers, and after how many seconds."""

    status: int = 200
    headers: Mapping[str, str] | None = None
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Came:
    """A request that came; names of headers are lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.headers["webhook-id"]

    @property
    def message(self) -> Json:
        """What it says."""
        found: Json = json.loads(self.body)
        return found


class Receiver:
    """An HTTP server for the time of a `with` block.

    Attributes:
        came: Requests in order.
        url: Where it answers.
    """

    def __init__(self, *answers: Said | int, tls: ssl.SSLContext | None = None) -> None:
        """Give the answers one after the other, and the last one from then on; 200 if none."""
        self.came: list[Came] = []
        self._answers = [Said(each) if isinstance(each, int) else each for each in answers]
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/"

    def wait(self, count: int, *, seconds: float = _SECONDS) -> list[Came]:
        """Return what came, once it is so many.

        Raises:
            TimeoutError: It is fewer.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while len(self.came) < count:
                if not self._changed.wait(until - time.monotonic()):
                    message = f"{len(self.came)} requests, not {count}"
                    raise TimeoutError(message)
            return list(self.came)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and let go of the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, came: Came) -> Said:
        with self._changed:
            self.came.append(came)
            self._changed.notify_all()
            if len(self._answers) > 1:
                return self._answers.pop(0)
            return self._answers[0] if self._answers else Said()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # which leaves a connection open for the next request

            def do_POST(self) -> None:
                """Take a request."""
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                said = take(Came(self.path, headers, body))
                time.sleep(said.seconds)
                try:
                    self.send_response(said.status)
                    for name, value in (said.headers or {}).items():
                        self.send_header(name, value)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # whoever asked did not wait

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
