"""The door of a real `wenqu serve`: what is in its files and logs, how it starts, what it sends."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, get_args

import httpx2
import pytest

from bot.api.schema import ProblemReply
from bot.keys import Keys, Scope, digest
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, Server, serving
from corpus.words import Segmenter
from eval.bench.door import revoked
from index.database import Database
from index.embed import Vectors
from index.testing import CharEmbedder

WENQU = str(Path(sys.executable).with_name("wenqu"))
ADMIN = "correct-horse-battery-staple"


def start(data: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Have `wenqu serve` try to begin where it is expected not to."""
    return subprocess.run(
        [WENQU, "serve", "--port", "0", "--data", str(data), *argv],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.slow
def test_a_service_for_others_does_not_begin_without_a_key(tmp_path: Path) -> None:
    ended = start(tmp_path, "--host", "0.0.0.0")
    assert (ended.returncode, ended.stdout) == (2, "")
    for way in ("监听 0.0.0.0", "wenqu keys add", "wenqu serve --open", "--host 127.0.0.1"):
        assert way in ended.stderr
    ended = start(tmp_path, WENQU_PUBLIC_URL="https://docs.example")
    assert ended.returncode == 2
    assert "设了 public_url" in ended.stderr


class Reply(NamedTuple):
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


def raw(port: int, body: bytes, *headers: str, path: str = "/api/chat") -> Reply:
    """Send a request by a socket, and read what comes until the other side closes."""
    head = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "connection: close",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    top, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    return Reply(
        int(status.split(" ")[1]),
        {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)},
        rest,
    )


def streamed(**more: object) -> bytes:
    return json.dumps({"question": CAT_QUESTION, "stream": True, **more}).encode()


def refused(reply: Reply, status: int, code: str) -> dict[str, str]:
    """Check that a stream was refused before it began."""
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    said = json.loads(reply.body)
    ProblemReply.model_validate(said)
    assert said["code"] == code
    return dict(said)


@pytest.fixture
def strict(runtime: Runtime, segmenter: Segmenter) -> tuple[Runtime, str]:
    """A runtime that needs a key, and one of three a minute."""
    update = {"rate_per_minute": 3, "workers": 1, "queue": 0}
    made = Runtime(
        runtime.settings.model_copy(update=update), runtime.database, runtime.embedder, segmenter
    )
    _, token = made.keys.add("甲", ["ask"])
    return made, token


def test_what_is_wrong_with_a_stream_is_told_by_its_status(strict: tuple[Runtime, str]) -> None:
    runtime, token = strict
    key = f"authorization: Bearer {token}"
    with serving(runtime) as port:
        refused(raw(port, streamed()), 401, "key_needed")
        refused(raw(port, streamed(), f"{key[:-1]}?"), 401, "bad_key")
        refused(raw(port, streamed(question="长" * 3000), key), 422, "question_too_long")
        refused(raw(port, streamed(collection="none"), key), 404, "collection_not_found")
        good = raw(port, streamed(), key)
        assert (good.status, good.headers["content-type"].partition(";")[0]) == (
            200,
            "text/event-stream",
        )
        assert b"event: done" in good.body
        late = raw(port, streamed(), key)
        said = refused(late, 429, "rate_limited")
        assert late.headers["retry-after"] == str(said["retry_after"])
        assert 1 <= int(said["retry_after"]) <= 20
        other = f"authorization: Bearer {runtime.keys.add('乙', ['ask'])[1]}"
        assert raw(port, streamed(), other).status == 200


class Held(CharEmbedder):
    """Thinks about a question until it is let go."""

    def __init__(self) -> None:
        super().__init__("")
        self.thinks = threading.Event()
        self.let_go = threading.Event()

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        self.thinks.set()
        self.let_go.wait(30)
        return super().encode_questions(texts)


def test_a_full_queue_refuses_a_stream_by_its_status(
    strict: tuple[Runtime, str], segmenter: Segmenter
) -> None:
    runtime, token = strict
    held = Held()
    busy = Runtime(runtime.settings, runtime.database, held, segmenter)
    key = f"authorization: Bearer {token}"
    with serving(busy) as port, ThreadPoolExecutor(1) as pool:
        first = pool.submit(raw, port, streamed(), key)
        assert held.thinks.wait(30)
        late = raw(port, streamed(), key)
        held.let_go.set()
        assert late.headers["retry-after"] == str(refused(late, 503, "overloaded")["retry_after"])
        assert first.result().status == 200


@pytest.mark.slow
def test_a_revoked_key_ends_in_every_process_within_seconds(tmp_path: Path) -> None:
    figure = revoked(tmp_path, rounds=1)
    assert figure.held, figure


@pytest.mark.slow
def test_no_key_is_in_the_database_the_log_or_an_answer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/wenqu.db")
    keys = Keys(database)
    tokens = [keys.add(f"甲{scope}", [scope])[1] for scope in get_args(Scope)]
    former, ended = keys.add("丁", ["ask"])
    keys.revoke(former.id)
    secrets = [*tokens, ended, f"{tokens[0][:-4]}abcd", ADMIN, "a-secret-of-the-widget-for-signing"]
    environment = {
        "WENQU_ADMIN_KEY": ADMIN,
        "WENQU_SECRET_KEY": secrets[-1],
        "WENQU_LOG_LEVEL": "debug",
        "WENQU_RATE_PER_MINUTE": "3",
    }
    log = tmp_path / "log"
    said = []
    with log.open("wb") as file, Server(tmp_path, stderr=file, **environment) as server:
        with httpx2.Client(base_url=server.url) as client:
            for token in secrets * 2:
                headers = {"authorization": f"Bearer {token}"}
                paths = ("/api/documents", "/api/admin/index", "/v1/models", "/nowhere")
                said += [client.get(path, headers=headers).text for path in paths]
                said += [
                    client.post("/api/chat", content=b"{", headers=headers).text,
                    client.get(f"/api/documents?key={token}").text,
                    client.get("/api/documents", headers={"x-api-key": token}).text,
                ]
            said.append(client.get("/metrics").text)
            said.append(client.get("/openapi.json").text)
        for argv in (["doctor"], ["doctor", "--json"], ["keys", "list"]):
            ran = subprocess.run(
                [WENQU, *argv],
                env={**os.environ, **environment, "WENQU_DATA": str(tmp_path)},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert "admin_key" in ran.stdout or "甲" in ran.stdout
            said += [ran.stdout, ran.stderr]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    everything = "".join(said).encode() + b"".join(path.read_bytes() for path in files)
    assert log.stat().st_size > 1000
    assert b"rate_limited" in everything
    for secret in secrets:
        assert secret.encode() not in everything
        bits = secret.split("_", 2)[-1]
        assert bits.encode() not in everything
    # hashes are in the database and nowhere else
    shown = "".join(said).encode() + log.read_bytes()
    assert not [token for token in tokens if digest(token).encode() in shown]
    database.close()
