"""What tests of `bot.llm` need: a server that speaks, and misspeaks, a model's protocol."""

import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Step: TypeAlias = bytes | float | None
"""Bytes are sent, a number of seconds is waited, None resets the connection."""
Script: TypeAlias = Sequence[Step]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
DONE = b"data: [DONE]\n\n"
_SECONDS = 10


def chunk(text: str | None = None, *, finish: str | None = None, **delta: object) -> bytes:
    """Return one event with a part of the answer."""
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "choices": [choice]})


def event(data: object) -> bytes:
    """Return one event with any JSON in it."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def saying(*texts: str, finish: str = "stop") -> list[Step]:
    """Return the script of a model that says `texts`, a chunk each, and ends as it should."""
    return [HEAD, *(chunk(text) for text in texts), chunk(finish=finish), DONE]


def refusing(status: int, *headers: str, body: bytes = b'{"error":{"message":"no"}}') -> list[Step]:
    """Return the script of a server that answers with an error."""
    lines = [f"HTTP/1.1 {status} No", "content-type: application/json", *headers]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    return ["\r\n".join(lines).encode() + body]


@dataclass(slots=True)
class FakeModel:
    """A server on loopback that plays one script a request, the last one again and again.

    Attributes:
        scripts: In the order in which they are played.
        url: What `llm_base_url` is set to.
        requests: The JSON of each request so far.
        keys: The `authorization` of each.
        left: Set once a client has gone before its script was over.
    """

    scripts: list[Script]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_connections(self) -> int:
        """Return how many there are once no more are closing, waiting a little for that."""
        until = time.monotonic() + _SECONDS
        while self._open and time.monotonic() < until:
            time.sleep(0.01)
        return self._open

    def play(self, connection: socket.socket) -> None:
        """Read a request and play the next script."""
        with self._lock:
            self._open += 1
        try:
            self._answer(connection)
        except OSError:
            self.left.set()
        finally:
            connection.close()
            with self._lock:
                self._open -= 1

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as read:
            headers = {}
            while line := read.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = read.read(int(headers.get("content-length", 0)))
        with self._lock:
            script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
            self.requests.append(json.loads(body) if body else {})
            self.keys.append(headers.get("authorization", ""))
        for step in script:
            if step is None:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
            if isinstance(step, bytes):
                connection.sendall(step)
            elif self._is_left(connection, step):
                raise ConnectionAbortedError

    @staticmethod
    def _is_left(connection: socket.socket, seconds: float) -> bool:
        """Wait, and tell whether the client closed the connection meanwhile."""
        connection.settimeout(seconds)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        finally:
            connection.settimeout(None)


@contextmanager
def fake_model(*scripts: Script) -> Iterator[FakeModel]:
    """Serve scripts for the time of a `with` block."""
    fake = FakeModel(list(scripts))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            fake.play(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield fake
        server.shutdown()
