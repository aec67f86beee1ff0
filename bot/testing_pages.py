"""What tests of fetching need: a site on loopback that answers as it is told, and a resolver."""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Page:
    """What is at a path.

    Attributes:
        body: Sent as it is.
        status: Of HTTP.
        headers: Beside `content-length`, which is that of `body` unless it is here.
        seconds: Waited before each piece.
        pieces: In how many the body is sent.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0
    pieces: int = 1


class Site:
    """An HTTP server for the time of a `with` block.

    Attributes:
        pages: By path; what is not there is 404.
        came: Headers of each request, their names in lower case, and its `path`.
    """

    def __init__(self, pages: Mapping[str, Page] | None = None) -> None:
        """Serve `pages`."""
        self.pages = dict(pages or {})
        self.came: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer."""
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.came.append({**headers, "path": self.path})
                page = site.pages.get(self.path.partition("?")[0], Page(status=404))
                self.send_response(page.status)
                for name, value in {"content-length": str(len(page.body)), **page.headers}.items():
                    self.send_header(name, value)
                try:
                    self.end_headers()
                    size = max(1, len(page.body) // page.pieces)
                    for at in range(0, len(page.body), size):
                        time.sleep(page.seconds)
                        self.wfile.write(page.body[at : at + size])
                        self.wfile.flush()
                except OSError:
                    self.close_connection = True  # whoever asked has enough

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class Names:
    """A resolver that gives one list of addresses after the other, and the last one again.

    Attributes:
        asked: The names, in order.
    """

    def __init__(self, *answers: Sequence[str]) -> None:
        """Give `answers`."""
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        """Resolve a name, as `socket.getaddrinfo` does."""
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]
