import errno
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bot.answer import Answer, Citation, Turn
from bot.api.schema import ChatReply
from bot.conversations import Conversations
from bot.errors import SessionNotFoundError
from bot.pieces import pieces
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of, serving
from bot.wire import Json, Sources, piece_events
from corpus.document import Document, Passage
from corpus.words import Segmenter
from index.database import Database
from index.embed import Vectors
from index.testing import CharEmbedder

TEXT = "喵星人手册\n\n阿花在屋顶上睡觉。阿花一九九七年出生。\n\n𠮷野家不卖猫粮。"


class Event(NamedTuple):
    name: str
    id: str
    data: dict[str, Any]


def parse(stream: str) -> list[Event]:
    """Read a stream by the rules of the HTML standard, comments left out."""
    found = []
    for block in re.split(r"(?:\r\n|\r|\n){2}", stream.strip("\r\n")):
        fields: dict[str, str] = {}
        for line in re.split(r"\r\n|\r|\n", block):
            name, _, value = line.partition(":")
            if name:
                assert name not in fields, "one line of data an event"
                fields[name] = value.removeprefix(" ")
        if fields:
            found.append(Event(fields["event"], fields["id"], json.loads(fields["data"])))
    return found


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    settings = Settings(data=tmp_path / "var")
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([Document("猫", "喵星人手册", TEXT, "猫.md")])
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        yield made


def stream(client: TestClient, question: str, **more: object) -> list[Event]:
    body = {"question": question, "stream": True, **more}
    response = client.post("/api/chat", json=body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return parse(response.text)


@pytest.mark.parametrize("question", ["阿花在哪里睡觉？", "你好", "火星上有几只企鹅？"])
def test_a_stream_is_one_meta_then_the_answer_then_one_done(
    client: TestClient, question: str
) -> None:
    events = stream(client, question)
    names = [event.name for event in events]
    assert (names[0], names[-1]) == ("meta", "done")
    assert set(names[1:-1]) <= {"delta", "citation"}
    done = events[-1].data
    ChatReply.model_validate(done)
    assert "".join(e.data["text"] for e in events if e.name == "delta") == done["answer"]
    assert [e.data for e in events if e.name == "citation"] == done["citations"]


def test_a_citation_comes_before_the_first_sentence_that_uses_it(client: TestClient) -> None:
    known: set[int] = set()
    for event in stream(client, "阿花在哪里睡觉？"):
        if event.name == "citation":
            known.add(event.data["number"])
        if event.name == "delta":
            used = {int(number) for number in re.findall(r"\[([0-9]+)\]", event.data["text"])}
            assert used <= known


def test_the_meta_tells_what_is_searched_and_where_the_answer_may_come_from(
    client: TestClient,
) -> None:
    events = stream(client, "阿花在哪里睡觉？")
    meta, done = events[0].data, events[-1].data
    assert set(meta) == {"session_id", "turn_id", "standalone_question", "candidates"}
    for name in ("session_id", "turn_id", "standalone_question"):
        assert meta[name] == done[name]
    assert meta["candidates"] == [{"document_id": "猫", "title": "喵星人手册", "headings": []}]


def test_events_are_numbered_within_their_turn(client: TestClient) -> None:
    events = stream(client, "阿花在哪里睡觉？")
    turn_id = events[0].data["turn_id"]
    assert [event.id for event in events] == [f"{turn_id}:{n}" for n in range(1, len(events) + 1)]


def test_a_stream_says_what_the_plain_answer_says(client: TestClient) -> None:
    question = "阿花在哪里睡觉？"
    done = stream(client, question)[-1].data
    plain = client.post("/api/chat", json={"question": question}).json()
    own = {"session_id", "turn_id", "timings"}
    assert {k: v for k, v in done.items() if k not in own} == {
        k: v for k, v in plain.items() if k not in own
    }


def test_chinese_is_sent_as_it_is_and_nothing_in_between_may_keep_it_back(
    client: TestClient,
) -> None:
    body = {"question": "阿花在哪里睡觉？"}
    response = client.post("/api/chat", json=body, headers={"accept": "text/event-stream"})
    assert "阿花" in response.text
    assert "\\u" not in response.text
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert "\r" not in response.text


def test_a_follow_up_streams_in_the_same_session(client: TestClient) -> None:
    first = stream(client, "阿花在哪里睡觉？")[-1].data
    second = stream(client, "哪一年出生？", session_id=first["session_id"])[-1].data
    kept = client.get(f"/api/sessions/{first['session_id']}").json()
    assert [turn["turn_id"] for turn in kept["turns"]] == [first["turn_id"], second["turn_id"]]


class Keeping:
    """The conversations of a runtime, with another way of keeping a turn."""

    def __init__(
        self, runtime: Runtime, add: Callable[[Conversations, str, Turn, str], None]
    ) -> None:
        self._inner = runtime.conversations
        self._add = add

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def owned_by(self, owner: str | None) -> "Keeping":
        """Return the same for one owner, as the conversations of a runtime do."""
        mine = Keeping.__new__(Keeping)
        mine._inner, mine._add = self._inner.owned_by(owner), self._add
        return mine

    def add(self, session_id: str, turn: Turn, *, turn_id: str) -> None:
        self._add(self._inner, session_id, turn, turn_id)


class Waiting(CharEmbedder):
    """Embeds questions at once, and what an answer is made of only after an event."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__("")
        self.began = threading.Event()
        self._event = event

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        return super().encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.began.set()
        self._event.wait(30)
        return super().encode_passages(texts)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SessionNotFoundError("gone"), 404, "session_not_found"),
        (OSError(errno.ENOSPC, "no space left"), 507, "disk_full"),
        (RuntimeError("secret"), 500, "internal"),
    ],
)
def test_what_fails_after_the_first_event_ends_the_stream_with_an_error(
    runtime: Runtime, error: Exception, status: int, code: str
) -> None:
    def fail(_inner: Conversations, _session: str, _turn: Turn, _id: str) -> None:
        raise error

    runtime.conversations = Keeping(runtime, fail)  # type: ignore[assignment]  # the rest is its
    with client_of(runtime) as client:
        events = stream(client, "阿花在哪里睡觉？")
    assert [event.name for event in events] == ["meta", "error"]
    assert (events[-1].data["status"], events[-1].data["code"]) == (status, code)
    assert "secret" not in json.dumps(events[-1].data)


def test_a_client_that_leaves_frees_its_place_and_the_turn_is_kept(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    leave, kept = threading.Event(), threading.Event()

    def tell(inner: Conversations, session_id: str, turn: Turn, turn_id: str) -> None:
        inner.add(session_id, turn, turn_id=turn_id)
        kept.set()

    settings = runtime.settings.model_copy(update={"workers": 1, "queue": 0})
    embedder = Waiting(leave)
    slow = Runtime(settings, runtime.database, embedder, segmenter)
    slow.conversations = Keeping(slow, tell)  # type: ignore[assignment]  # the rest is its
    with serving(slow) as port:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            body = json.dumps({"question": "阿花在哪里睡觉？", "stream": True}).encode()
            head = (
                "POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + body)
            received = b""
            while b"candidates" not in received or not received.endswith(b"\r\n"):
                received += connection.recv(64)
            assert embedder.began.wait(30)
        leave.set()
        assert kept.wait(30)
        session_id = re.search(rb'"session_id":"([^"]+)"', received)
        assert session_id
        base = f"http://127.0.0.1:{port}"
        turns = httpx2.get(f"{base}/api/sessions/{session_id[1].decode()}").json()["turns"]
        assert [turn["question"] for turn in turns] == ["阿花在哪里睡觉？"]
        again = httpx2.post(f"{base}/api/chat", json={"question": "阿花在哪里睡觉？"}, timeout=30)
        assert again.status_code == 200
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"event: delta" not in received


def test_a_ping_keeps_a_waiting_stream_open(runtime: Runtime, segmenter: Segmenter) -> None:
    pinged = threading.Event()

    slow = Runtime(runtime.settings, runtime.database, Waiting(pinged), segmenter)
    body = {"question": "阿花在哪里睡觉？", "stream": True}
    with (
        serving(slow, ping_seconds=0.05) as port,
        httpx2.stream("POST", f"http://127.0.0.1:{port}/api/chat", json=body) as response,
    ):
        lines = response.iter_lines()
        assert ": ping" in lines  # reads on until it comes
        pinged.set()
        assert "event: done" in lines


def events_of(answer: Answer) -> list[tuple[str, Json]]:
    return [
        event
        for number, piece in enumerate(pieces(answer), start=1)
        for event in piece_events(piece, number, Sources({}))
    ]


@given(
    st.lists(st.sampled_from(["容器隔离进程", "一行\n又一行", "v1.24 好", "“引。”"]), min_size=1)
)
def test_joined_deltas_are_the_answer_whatever_it_looks_like(parts: list[str]) -> None:
    passage = Passage("d", 0, 4, "容器隔离")
    text = "".join(f"{part}[{n}]。" for n, part in enumerate(parts, start=1))
    citations = tuple(Citation(n, passage, 0, 4, "容器隔离") for n in range(1, len(parts) + 1))
    events = events_of(Answer(text, "grounded", citations))
    said = [data["text"] for name, data in events if name == "delta"]
    assert "".join(said) == text
    assert all(said)
    cited = [data["number"] for name, data in events if name == "citation"]
    assert cited == list(range(1, len(parts) + 1))


def test_a_citation_is_sent_once_however_often_it_is_used() -> None:
    citation = Citation(1, Passage("d", 0, 4, "容器隔离"), 0, 4, "容器隔离")
    events = events_of(Answer("是[1]。容器隔离[1]。", "grounded", (citation,)))
    assert [name for name, _ in events] == ["citation", "delta", "delta"]
    assert [data.get("sentence") for _, data in events] == [None, 1, 2]
