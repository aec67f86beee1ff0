"""What belongs to one key is to any other as if it were not there: collections, conversations."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from bot.api.door import need_of
from bot.conversations import new_id
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

OWN, FOREIGN, UNKNOWN = "own", "foreign", "unknown"
SECRET = "紫水晶"
"""Stands in the foreign collection only."""
WEBHOOKS = {"partner": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}

Probe: TypeAlias = Callable[["Visitor", str], Response]


class Visitor(NamedTuple):
    """Somebody with a key."""

    client: TestClient
    token: str

    def send(self, method: str, path: str, **more: Any) -> Response:  # noqa: ANN401  # as httpx2 has it
        headers = {"authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def chat(self, question: str, **more: object) -> Response:
        return self.send("POST", "/api/chat", json={"question": question, **more})


def named(
    method: str,
    path: str,
    *,
    query: dict[str, str] | None = None,
    **more: Any,  # noqa: ANN401  # as httpx2 has it
) -> Probe:
    """Return a request that names a collection in its address."""
    given = query or {}
    return lambda who, name: who.send(method, path, params={"collection": name, **given}, **more)


def chatted(*, stream: bool) -> Probe:
    return lambda who, name: who.chat(CAT_QUESTION, collection=name, stream=stream)


def completed(*, stream: bool) -> Probe:
    messages = [{"role": "user", "content": CAT_QUESTION}]
    return lambda who, name: who.send(
        "POST",
        "/v1/chat/completions",
        json={"model": f"wenqu/{name}", "messages": messages, "stream": stream},
    )


def by_tool(tool: str, **arguments: str) -> Probe:
    def call(who: Visitor, name: str) -> Response:
        given = {"name": tool, "arguments": {**arguments, "collection": name}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-06-18",
            "host": "127.0.0.1",
        }
        return who.send("POST", "/mcp", json=body, headers=headers)

    return call


TEXT = {"title": "狗", "text": "狗在院子里。"}
DOCUMENT = "手册/猫"

PROBES: dict[str, list[Probe]] = {
    "POST /api/chat": [chatted(stream=False), chatted(stream=True)],
    "GET /api/search": [named("GET", "/api/search", query={"q": "阿花"})],
    "GET /api/suggestions": [named("GET", "/api/suggestions")],
    "GET /api/documents": [named("GET", "/api/documents")],
    "POST /api/documents": [
        named("POST", "/api/documents", json=TEXT),
        named("POST", "/api/documents", files={"files": ("狗.txt", "狗在院子里。".encode())}),
    ],
    "GET /api/documents/{document_id}": [named("GET", f"/api/documents/{DOCUMENT}")],
    "DELETE /api/documents/{document_id}": [named("DELETE", f"/api/documents/{DOCUMENT}")],
    "GET /api/admin/index": [named("GET", "/api/admin/index")],
    "GET /api/admin/questions": [named("GET", "/api/admin/questions")],
    "POST /v1/chat/completions": [completed(stream=False), completed(stream=True)],
    "GET /v1/models/{model}": [
        # the collection that is meant without a name is the model without one
        lambda who, name: who.send("GET", f"/v1/models/wenqu{'' if name == OWN else f'/{name}'}")
    ],
    "GET /documents/{document_id}": [
        named("GET", f"/documents/{DOCUMENT}"),
        named("GET", f"/documents/{DOCUMENT}", headers={"accept": "text/html"}),
    ],
    "POST /mcp": [
        by_tool("search", query="阿花"),
        by_tool("ask", question=CAT_QUESTION),
        by_tool("read_document", document_id=DOCUMENT),
    ],
}
"""Every way to name a collection."""

LISTS = {"GET /v1/models": "/v1/models", "GET /api/admin/index": "/api/admin/index"}
"""Those that name collections themselves."""

WHOLE = {
    "GET /api/admin/conversations",
    "DELETE /api/admin/conversations",
    "GET /api/admin/report",
    "GET /api/admin/deliveries",
    "POST /api/admin/deliveries/{position}/replay",
}
"""What belongs to no collection: closed to keys that are limited."""

BY_ID = {
    "GET /api/sessions/{session_id}",
    "DELETE /api/sessions/{session_id}",
    "POST /api/feedback",
}
"""What belongs to conversations: `test_a_conversation_is_seen_by_its_own_key_only`."""

OPEN = {"GET /healthz", "GET /readyz", "GET /metrics"}
OWN_DOOR = {"POST /widget/token", "POST /channels/webhook/{name}"}


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    settings = Settings.model_validate(
        {"data": tmp_path / "var", "mcp": True, "webhooks": WEBHOOKS, "open_access": True}
    )
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library(OWN).ingest([cat_document(DOCUMENT)])
    made.library(FOREIGN).ingest([cat_document(DOCUMENT, f"手册\n\n阿花在{SECRET}上睡觉。")])
    made.library().ingest([cat_document(DOCUMENT, f"手册\n\n阿花在{SECRET}旁睡觉。")])
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        yield made


@pytest.fixture
def limited(client: TestClient, runtime: Runtime) -> Visitor:
    """Somebody with a key for everything in one collection."""
    return Visitor(client, runtime.keys.add("甲", ["admin"], [OWN])[1])


def operations(client: TestClient) -> set[str]:
    paths = client.get("/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}" for path, of in paths.items() for method in of}


def without_ids(response: Response, name: str) -> tuple[int, str]:
    return response.status_code, response.text.replace(name, "…")


def test_no_address_is_left_out(client: TestClient) -> None:
    known = {*PROBES, *LISTS, *WHOLE, *BY_ID, *OPEN, *OWN_DOOR}
    hidden = {"GET /documents/{document_id}", "POST /mcp"}
    assert operations(client) | hidden == known
    for operation in known:
        method, path = operation.split(" ")
        is_open = operation in OPEN | OWN_DOOR
        assert (need_of(method, path) is None) is is_open, operation


@pytest.mark.parametrize("operation", PROBES)
def test_a_foreign_collection_is_told_by_the_same_words_as_none(
    limited: Visitor, runtime: Runtime, operation: str
) -> None:
    before = [runtime.library(name).documents() for name in (FOREIGN, "default")]
    for probe in PROBES[operation]:
        unknown = probe(limited, UNKNOWN)
        told = without_ids(unknown, UNKNOWN)
        is_tool = operation == "POST /mcp"
        assert unknown.status_code == (200 if is_tool else 404), unknown.text
        assert "没有" in unknown.text
        assert without_ids(probe(limited, FOREIGN), FOREIGN) == told
        assert without_ids(probe(limited, "default"), "default") == told
    assert [runtime.library(name).documents() for name in (FOREIGN, "default")] == before
    assert set(runtime.collections()) == {OWN, FOREIGN, "default"}  # and nothing was begun


@pytest.mark.parametrize("operation", PROBES)
def test_its_own_collection_is_there(limited: Visitor, operation: str) -> None:
    for probe in PROBES[operation]:
        found = probe(limited, OWN)
        assert found.status_code in {200, 404 if operation.startswith("DELETE") else 200}
        assert SECRET not in found.text
        assert '"isError":true' not in found.text


def test_without_a_name_its_own_collection_is_meant(limited: Visitor) -> None:
    assert "屋顶" in limited.chat(CAT_QUESTION).json()["answer"]
    assert limited.send("GET", "/api/documents").json()["collection"] == OWN
    body = {"model": "wenqu", "messages": [{"role": "user", "content": CAT_QUESTION}]}
    assert "屋顶" in limited.send("POST", "/v1/chat/completions", json=body).text
    added = limited.send("POST", "/api/documents", json=TEXT)
    assert added.json()["added"]
    assert len(limited.send("GET", "/api/documents").json()["documents"]) == 2


@pytest.mark.parametrize("path", LISTS.values())
def test_lists_of_collections_name_its_own_only(limited: Visitor, path: str) -> None:
    found = limited.send("GET", path)
    assert found.status_code == 200
    assert FOREIGN not in found.text
    assert '"default"' not in found.text


@pytest.mark.parametrize("operation", sorted(WHOLE))
def test_what_belongs_to_no_collection_is_closed(
    limited: Visitor, runtime: Runtime, operation: str
) -> None:
    method, path = operation.replace("{position}", "1").split(" ")
    refused = limited.send(method, path)
    assert (refused.status_code, refused.json()["code"]) == (403, "key_scope")
    whole = limited._replace(token=runtime.keys.add("乙", ["admin"])[1])
    assert whole.send(method, path).status_code in {200, 404, 422}


class Cell(NamedTuple):
    """A conversation, and whose it is."""

    key: int
    collection: str
    word: str
    session_id: str
    turn_id: str


@pytest.fixture(params=[True, False], ids=["stored", "unstored"])
def cells(request: pytest.FixtureRequest, runtime: Runtime) -> Iterator[tuple[list[Visitor], Any]]:
    """Two keys, two collections, two conversations in each, each with a word of its own."""
    stores = runtime.settings.model_copy(update={"store_conversations": request.param})
    made = Runtime(stores, runtime.database, runtime.embedder, runtime.segmenter)
    with client_of(made) as client:
        tokens = [made.keys.add(name, ["ask"])[1] for name in ("甲", "乙")]
        visitors = [Visitor(client, token) for token in tokens]
        found = []
        for key, collection, number in product((0, 1), (OWN, FOREIGN), (0, 1)):
            word = f"暗号{key}{collection}{number}号"
            reply = visitors[key].chat(f"{word}：{CAT_QUESTION}", collection=collection).json()
            found.append(Cell(key, collection, word, reply["session_id"], reply["turn_id"]))
        yield visitors, found


def attempts(who: Visitor, session_id: str, turn_id: str, collection: str) -> list[Response]:
    """Read, go on with, stream, rate and lastly delete a conversation."""
    more = {"session_id": session_id, "collection": collection}
    rated = {"turn_id": turn_id, "vote": "down", "comment": "不对"}
    tool = by_tool("ask", question="那里呢？", session_id=session_id)(who, collection)
    return [
        who.send("GET", f"/api/sessions/{session_id}"),
        who.chat("那里呢？", **more),
        who.chat("那里呢？", stream=True, **more),
        who.send("POST", "/api/feedback", json=rated),
        who.send("DELETE", f"/api/sessions/{session_id}"),
        tool,
    ]


def told(responses: list[Response], session_id: str, turn_id: str) -> list[tuple[int, str]]:
    return [
        (each.status_code, each.text.replace(session_id, "…").replace(turn_id, "…"))
        for each in responses
    ]


def test_a_conversation_is_seen_by_its_own_key_only(
    cells: tuple[list[Visitor], list[Cell]],
) -> None:
    visitors, conversations = cells
    guessed = new_id(), new_id()
    nothing = [
        told(attempts(who, *guessed, collection), *guessed)
        for who, collection in product(visitors, (OWN, FOREIGN))
    ]
    assert all(each == nothing[0] for each in nothing)
    for cell, collection in product(conversations, (OWN, FOREIGN)):
        stranger = visitors[1 - cell.key]
        found = attempts(stranger, cell.session_id, cell.turn_id, collection)
        assert [each.status_code for each in found] == [404] * 5 + [200]
        assert told(found, cell.session_id, cell.turn_id) == nothing[0]
        assert not any(other.word in each.text for each in found for other in conversations)
    for cell in conversations:  # and nothing happened to it
        kept = visitors[cell.key].send("GET", f"/api/sessions/{cell.session_id}").json()
        (turn,) = kept["turns"]
        assert (turn["vote"], cell.word in turn["question"]) == (None, True)


def test_a_word_told_in_one_conversation_shows_in_no_other(
    cells: tuple[list[Visitor], list[Cell]],
) -> None:
    visitors, conversations = cells
    for cell in conversations:
        who = visitors[cell.key]
        more = {"session_id": cell.session_id, "collection": cell.collection}
        shown = [
            who.chat("我的暗号是什么？", **more).text,
            who.chat("那它呢？", stream=True, **more).text,
            who.send("GET", f"/api/sessions/{cell.session_id}").text,
            who.send("GET", "/api/suggestions", params={"collection": cell.collection}).text,
            who.send(
                "GET", "/api/search", params={"q": "暗号", "collection": cell.collection}
            ).text,
        ]
        others = [other.word for other in conversations if other is not cell]
        assert not [word for word in others for text in shown if word in text]
        assert any(cell.word in text for text in shown)


def test_a_conversation_does_not_move_to_another_collection(
    cells: tuple[list[Visitor], list[Cell]],
) -> None:
    visitors, conversations = cells
    for cell in conversations:
        other = FOREIGN if cell.collection == OWN else OWN
        found = visitors[cell.key].chat("那它呢？", session_id=cell.session_id, collection=other)
        assert (found.status_code, found.json()["code"]) == (404, "session_not_found")


def test_its_own_key_may_do_it_all(cells: tuple[list[Visitor], list[Cell]]) -> None:
    visitors, conversations = cells
    for cell in conversations:
        who = visitors[cell.key]
        found = attempts(who, cell.session_id, cell.turn_id, cell.collection)
        assert [each.status_code for each in found[:5]] == [200, 200, 200, 204, 204]
        assert who.send("GET", f"/api/sessions/{cell.session_id}").status_code == 404


def test_who_has_no_key_sees_nothing_of_those_who_have_and_the_other_way_round(
    client: TestClient, runtime: Runtime
) -> None:
    nobody = client.post("/api/chat", json={"question": CAT_QUESTION}).json()["session_id"]
    assert client.get(f"/api/sessions/{nobody}").status_code == 200
    admin = Visitor(client, runtime.keys.add("导入", ["admin"])[1])
    theirs = admin.chat(CAT_QUESTION).json()["session_id"]
    assert admin.send("GET", f"/api/sessions/{theirs}").status_code == 200
    assert admin.send("GET", f"/api/sessions/{nobody}").status_code == 404
    assert client.get(f"/api/sessions/{theirs}").status_code == 404


def test_a_session_tells_nobody_whose_it_is(client: TestClient, runtime: Runtime) -> None:
    key, token = runtime.keys.add("甲", ["ask"])
    who = Visitor(client, token)
    reply = who.chat(CAT_QUESTION)
    kept = who.send("GET", f"/api/sessions/{reply.json()['session_id']}")
    for response in (reply, kept):
        assert key.id not in json.dumps(response.json())
