"""Connections that do not behave: what a client library would never send, on raw sockets."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from bot.api.server import HEAD_BYTES, Connection
from bot.app import REQUEST_BYTES
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, serving

LIMIT = 100_000
"""Of an upload, in the settings of `runtime`."""


class Impatient(Connection):
    head_seconds = 0.3
    drain_seconds = 0.3


@pytest.fixture
def impatient(runtime: Runtime) -> Iterator[int]:
    """A server whose times are short, so that nobody has to wait for them."""
    runtime.settings = runtime.settings.model_copy(update={"body_seconds": 0.3, "connections": 20})
    with serving(runtime, connection=Impatient) as port:
        yield port


@pytest.fixture
def port(runtime: Runtime) -> Iterator[int]:
    with serving(runtime) as made:
        yield made


def head(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode()


def talk(port: int, *parts: bytes, seconds: float = 20) -> bytes:
    """Send what the server takes of `parts`, and return all that it says until it closes."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # it has heard enough
        return read(connection)


def read(connection: socket.socket) -> bytes:
    """Read one response, or until the connection ends."""
    received = b""
    try:
        while True:
            found = re.search(rb"content-length: ([0-9]+)\r\n(?:.*\r\n)*?\r\n", received)
            if found and len(received) >= found.end() + int(found[1]):
                return received
            part = connection.recv(65_536)
            if not part:
                return received
            received += part
    except ConnectionResetError:
        return received


def status(response: bytes) -> tuple[int, str]:
    assert response, "the connection was closed without a word"
    code = json.loads(response.partition(b"\r\n\r\n")[2])["code"]
    return int(response.split()[1]), code


def question(length: int) -> bytes:
    """Return a body of so many bytes, as Chinese as can be: three bytes a character."""
    frame = len(b'{"question":""}')
    padding = (length - frame) % 3
    body = '{"question":"' + "长" * ((length - frame) // 3) + "a" * padding + '"}'
    assert len(body.encode()) == length
    return body.encode()


def chunked(body: bytes, size: int = 10_000) -> list[bytes]:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return [*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


@pytest.mark.parametrize("extra", [0, 1])
def test_bytes_are_counted_and_not_characters_however_they_are_sent(port: int, extra: int) -> None:
    body = question(REQUEST_BYTES + extra)
    expected = (413, "too_large") if extra else (422, "question_too_long")
    declared = talk(port, head("/api/chat", f"content-length: {len(body)}"), body)
    assert status(declared) == expected
    assert status(talk(port, head("/api/chat", "transfer-encoding: chunked"), *chunked(body))) == (
        expected
    )


def test_a_length_that_is_a_lie_helps_nobody(port: int, impatient: int) -> None:
    body = json.dumps({"question": CAT_QUESTION}).encode()
    more = head("/api/chat", f"content-length: {len(body) + 50}")
    assert status(talk(impatient, more, body)) == (408, "slow_body")
    fewer = head("/api/chat", f"content-length: {len(body) - 5}")
    assert talk(port, fewer, body).startswith(b"HTTP/1.1 400")
    huge = head("/api/chat", "content-length: 99999999999999999999")
    assert talk(port, huge).split()[1] in {b"400", b"413"}
    both = head("/api/chat", "content-length: 5", "transfer-encoding: chunked")
    assert int(talk(port, both, *chunked(body)).split()[1]) in {200, 400}
    none = head("/api/chat")  # then there is no body
    assert status(talk(port, none)) == (422, "invalid_request")


def test_an_endless_body_is_cut_off_and_fills_no_memory(impatient: int) -> None:
    sent = 0
    piece = b"10000\r\n%s\r\n" % (b"x" * 65_536)
    before = resident()
    with socket.create_connection(("127.0.0.1", impatient), 20) as connection:
        connection.sendall(head("/api/chat", "transfer-encoding: chunked"))
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < 10_000_000_000:
                connection.sendall(piece)
                sent += len(piece)
    assert 1_000_000 < sent < 10_000_000_000
    assert resident() - before < 50_000_000
    assert ask(impatient).status_code == 200


def resident() -> int:
    """Bytes of this process, in which the server runs."""
    pages = Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * 4096


def ask(port: int) -> httpx2.Response:
    body = {"question": CAT_QUESTION}
    return httpx2.post(f"http://127.0.0.1:{port}/api/chat", json=body, timeout=30)


def test_an_upload_of_ten_thousand_parts_is_refused(port: int) -> None:
    part = "--b\r\ncontent-disposition: form-data; name=f; filename=a.txt\r\n\r\n\r\n"
    body = (part * 10_000 + "--b--\r\n").encode()
    kind = {"content-type": "multipart/form-data; boundary=b"}
    url = f"http://127.0.0.1:{port}/api/documents"
    assert len(body) > LIMIT
    assert httpx2.post(url, content=body, headers=kind).json()["code"] == "too_large"
    few = (part * 201 + "--b--\r\n").encode()
    assert len(few) < LIMIT
    response = httpx2.post(url, content=few, headers=kind)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_body_that_comes_too_slowly_is_given_up(impatient: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient), 20) as connection:
        connection.sendall(head("/api/chat", "content-length: 1000") + b'{"question":"')
        received = b""
        for _ in range(200):
            try:
                connection.sendall(b"x")
            except OSError:
                break
            connection.settimeout(0.02)
            try:
                received += connection.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                break
            if received:
                break
        connection.settimeout(20)
        received += read(connection)
    assert status(received) == (408, "slow_body")
    assert b"\r\nconnection: close\r\n" in received
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "parts", [[], [b"POST /api"], [b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: "]]
)
def test_a_head_that_does_not_come_is_not_waited_for(
    impatient: int, parts: Sequence[bytes]
) -> None:
    with socket.create_connection(("127.0.0.1", impatient), 20) as connection:
        for part in parts:
            connection.sendall(part)
        assert connection.recv(100) == b""


def test_half_a_second_request_is_not_waited_for_either(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), 20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /hea")
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert received.count(b"HTTP/1.1 200") == 1


def test_a_client_that_does_not_read_is_cut_off(impatient: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", impatient))
        connection.settimeout(20)
        connection.sendall(b"GET /assets/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n")
        until = time.monotonic() + 20
        while open_connections(impatient) > 1:  # the one that asks
            assert time.monotonic() < until
            time.sleep(0.1)


def open_connections(port: int) -> int:
    """Connections to the port, by the system's own account; 01 is established."""
    lines = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(each[1].endswith(f":{port:04X}") and each[3] == "01" for each in fields) + 1


def test_more_connections_than_there_may_be_are_told_so_and_places_become_free(
    impatient: int,
) -> None:
    idle = [socket.create_connection(("127.0.0.1", impatient), 20) for _ in range(60)]
    answers = [connection.recv(4096) for connection in idle]
    for connection in idle:
        connection.close()
    refused = [answer for answer in answers if answer]
    assert len(refused) == 40
    assert {status(answer) for answer in refused} == {(503, "overloaded")}
    assert all(b"\r\nretry-after: 5\r\n" in answer for answer in refused)
    assert ask(impatient).status_code == 200
    metrics = httpx2.get(f"http://127.0.0.1:{impatient}/metrics").text
    assert 'wenqu_refusals_total{reason="connections"} 40.0' in metrics


def test_a_head_that_is_too_long_or_no_http_is_a_problem_too(port: int) -> None:
    long = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (2 * HEAD_BYTES)
    for sent in (long, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"):
        assert status(talk(port, sent)) == (400, "bad_request")
    longest = httpx2.get(f"http://127.0.0.1:{port}/api/search", params={"q": "长" * 2000})
    assert longest.status_code in {200, 422}, "it is read, and judged by what it says"


def test_clients_that_leave_leave_nothing_behind(runtime: Runtime) -> None:
    with serving(runtime, ping_seconds=0.2) as port:
        before, after = _leave(port, 100), _leave(port, 100)
        for _ in range(4):  # a pool makes its threads when it first needs them, and then no more
            if after[0] > before[0] or after[1] > before[1]:
                before, after = after, _leave(port, 100)
        metrics = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        for name, value in (("streams", 0), ("requests_open", 1), ("queue_waiting", 0)):
            assert f"\nwenqu_{name} {value}.0\n" in metrics, name
        assert ask(port).status_code == 200
    assert after[0] <= before[0], "files"
    assert after[1] <= before[1], "threads"


def _leave(port: int, times: int) -> tuple[int, int]:
    """Leave so often, at different moments, and return what is held once all is quiet."""
    body = json.dumps({"question": CAT_QUESTION, "stream": True}).encode()
    request = head("/api/chat", f"content-length: {len(body)}") + body
    for number in range(times):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(request[: None if number % 4 else len(request) - 5])
            if number % 2:
                connection.recv(64)
    until = time.monotonic() + 30
    while open_connections(port) > 1:
        assert time.monotonic() < until
        time.sleep(0.05)
    return len([*Path("/proc/self/fd").iterdir()]), threading.active_count()
