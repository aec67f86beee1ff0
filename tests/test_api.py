import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from httpx2 import Response
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from bot.api.schema import (
    ChatReply,
    DeleteReply,
    DocumentList,
    DocumentReply,
    IngestReply,
    ProblemReply,
    SearchReply,
    SessionReply,
)
from bot.api.state import Workers
from bot.app import create_app
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of
from bot.unstored import UnstoredConversations
from corpus.document import Document
from corpus.words import Segmenter
from index.database import Database
from index.documents import digest
from index.embed import Vectors
from index.errors import ModelError
from index.testing import CharEmbedder

TEXT = "喵星人手册\n\n阿花在屋顶上睡觉。阿花一九九七年出生。\n\n𠮷野家不卖猫粮。"


def make(name: str, text: str = TEXT, source: str = "") -> Document:
    return Document(id=name, title=f"题 {name}", text=text, source=source or f"{name}.md")


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    settings = Settings(data=tmp_path / "var", max_upload_bytes=100_000)
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([make("手册/猫")])
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        yield made


def ask(client: TestClient, question: str = "阿花在哪里睡觉？", **more: object) -> dict[str, Any]:
    response = client.post("/api/chat", json={"question": question, **more})
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    ChatReply.model_validate(reply)
    return reply


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = response.json()
    ProblemReply.model_validate(said)
    assert (said["status"], said["code"]) == (status, code)
    assert said["type"] == f"urn:wenqu:problem:{code}"
    return said


def test_an_answer_quotes_the_document_at_its_offsets(client: TestClient) -> None:
    reply = ask(client)
    assert not reply["refused"]
    assert reply["answer"]
    document = client.get("/api/documents/手册/猫").json()
    for citation in reply["citations"]:
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert citation["quote"] in citation["passage"]
        assert f"[{citation['number']}]" in reply["answer"]
        assert citation["title"] == "题 手册/猫"
        assert citation["source_url"] is None
    assert "屋顶" in reply["citations"][0]["quote"]


def test_a_citation_links_to_the_page_that_marks_its_words(client: TestClient) -> None:
    (citation, *_) = ask(client)["citations"]
    version = client.get("/api/documents/手册/猫").json()["version"]
    assert version == digest(make("手册/猫"))[:12]
    where = f"start={citation['start']}&end={citation['end']}&v={version}"
    assert citation["view_url"] == f"/documents/%E6%89%8B%E5%86%8C/%E7%8C%AB?{where}"
    page = client.get(citation["view_url"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<mark>{citation['quote']}</mark>" in page.text


def test_offsets_are_not_applied_to_a_text_they_were_not_counted_in(
    client: TestClient, runtime: Runtime
) -> None:
    (citation, *_) = ask(client)["citations"]
    runtime.library().ingest([make("手册/猫", "阿花搬走了。" + TEXT)])
    page = client.get(citation["view_url"]).text
    assert "<mark>" not in page
    assert "有改动" in page


def test_links_are_absolute_where_the_public_address_is_known(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    settings = runtime.settings.model_copy(update={"public_url": "https://docs.example/wenqu/"})
    public = Runtime(settings, runtime.database, CharEmbedder(""), segmenter)
    with client_of(public) as client:
        (citation, *_) = ask(client)["citations"]
    assert citation["view_url"].startswith("https://docs.example/wenqu/documents/%E6")


def test_a_source_on_the_web_is_linked_and_any_other_is_not(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library().ingest([make("手册/猫", source="https://cats.example/a?b=1")])
    assert ask(client)["citations"][0]["source_url"] == "https://cats.example/a?b=1"
    runtime.library().ingest([make("手册/猫", source="javascript:alert(1)")])
    assert ask(client)["citations"][0]["source_url"] is None


def test_a_conversation_goes_on_in_its_session(client: TestClient) -> None:
    first = ask(client)
    second = ask(client, "哪一年出生？", session_id=first["session_id"])
    assert second["session_id"] == first["session_id"]
    assert second["turn_id"] != first["turn_id"]
    kept = client.get(f"/api/sessions/{first['session_id']}").json()
    SessionReply.model_validate(kept)
    assert [turn["question"] for turn in kept["turns"]] == ["阿花在哪里睡觉？", "哪一年出生？"]
    assert {k: v for k, v in kept["turns"][0].items() if k in first} == first


def test_an_unknown_session_is_an_error_and_never_another_conversation(client: TestClient) -> None:
    response = client.post("/api/chat", json={"question": "阿花？", "session_id": "x" * 32})
    assert problem(response, 404, "session_not_found")["session_id"] == "x" * 32
    problem(client.get("/api/sessions/nobody"), 404, "session_not_found")


def test_a_session_of_one_collection_is_unknown_in_another(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library("b").ingest([make("b")])
    session_id = ask(client)["session_id"]
    body = {"question": "阿花？", "session_id": session_id, "collection": "b"}
    problem(client.post("/api/chat", json=body), 404, "session_not_found")


def test_a_deleted_session_is_gone(client: TestClient) -> None:
    path = f"/api/sessions/{ask(client)['session_id']}"
    response = client.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    problem(client.get(path), 404, "session_not_found")
    problem(client.delete(path), 404, "session_not_found")


def test_a_vote_shows_in_the_session(client: TestClient) -> None:
    reply = ask(client)
    vote = {"turn_id": reply["turn_id"], "vote": "down", "comment": "不对"}
    assert client.post("/api/feedback", json=vote).status_code == 204
    kept = client.get(f"/api/sessions/{reply['session_id']}").json()
    assert kept["turns"][0]["vote"] == "down"
    wrong = client.post("/api/feedback", json={"turn_id": "nobody", "vote": "up"})
    problem(wrong, 404, "turn_not_found")
    problem(client.post("/api/feedback", json={**vote, "vote": "meh"}), 422, "invalid_request")


def test_what_was_cited_is_not_shown_once_its_document_is_deleted(client: TestClient) -> None:
    reply = ask(client)
    deleted = client.delete("/api/documents/手册/猫")
    assert deleted.json() == {"deleted": ["手册/猫"], "passages": 0}
    DeleteReply.model_validate(deleted.json())
    kept = client.get(f"/api/sessions/{reply['session_id']}").json()
    (citation, *_) = kept["turns"][0]["citations"]
    assert citation["title"] == "（文档已删除）"
    assert (citation["quote"], citation["passage"], citation["view_url"]) == ("", "", None)
    problem(client.get("/api/documents/手册/猫"), 404, "document_not_found")
    problem(client.delete("/api/documents/手册/猫"), 404, "document_not_found")
    assert ask(client)["refused"]


def test_without_documents_there_is_a_refusal_and_the_service_is_ready(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library().delete(["手册/猫"])
    reply = ask(client)
    assert reply["refusal"]["reason"] == "no_documents"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["index"]) == (200, "empty")


def test_search_shows_what_each_retriever_said_only_if_asked(client: TestClient) -> None:
    plain = client.get("/api/search", params={"q": "屋顶"}).json()
    SearchReply.model_validate(plain)
    assert set(plain) == {"query", "hits"}
    assert "ranks" not in plain["hits"][0]
    explained = client.get("/api/search?q=屋顶&explain=true&top_k=1").json()
    SearchReply.model_validate(explained)
    (hit,) = explained["hits"]
    assert (hit["rank"], hit["ranks"]["bm25"]) == (1, 1)
    assert set(hit["scores"]) == {"dense", "bm25"}
    assert "屋顶" in explained["terms"]
    assert explained["timings"]["total"] > 0


@pytest.mark.parametrize(
    "query", ["q=屋顶&top_k=0", "q=屋顶&top_k=many", "", "q=屋顶&collection=../x"]
)
def test_a_search_with_wrong_parameters_is_refused(client: TestClient, query: str) -> None:
    problem(client.get(f"/api/search?{query}"), 422, "invalid_request")


def test_a_collection_is_apart_from_the_others(client: TestClient, runtime: Runtime) -> None:
    runtime.library("b").ingest([make("狗", "阿黄在院子里睡觉。")])
    citation = ask(client, "阿黄在哪里睡觉？", collection="b")["citations"][0]
    assert citation["view_url"].endswith("&collection=b")
    assert "<mark>" in client.get(citation["view_url"]).text
    listed = client.get("/api/documents?collection=b").json()
    assert [item["id"] for item in listed["documents"]] == ["狗"]
    for path in ("/api/documents/狗", "/documents/狗"):
        problem(client.get(path), 404, "document_not_found")
    unknown = client.post("/api/chat", json={"question": "阿黄？", "collection": "c"})
    assert problem(unknown, 404, "collection_not_found")["collection"] == "c"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"", 422, "invalid_request"),
        (b"[1]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b'"x"', 422, "invalid_request"),
        (b"\xff\xfe", 400, "bad_request"),
        (b"[" * 100_000, 400, "bad_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"question": 5}', 422, "invalid_request"),
        (b'{"question": null}', 422, "invalid_request"),
        (b'{"question": "\\u963f\\ud800"}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "session_id": "\\ud800"}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "session": "x"}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "stream": "yes"}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "top_k": 0}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "top_k": 1e99}', 422, "invalid_request"),
        (b'{"question": "\\u963f", "collection": "../x"}', 422, "invalid_request"),
        (b'{"question": ""}', 422, "question_empty"),
        (b'{"question": "\\uff1f\\uff1f"}', 422, "question_empty"),
        (json.dumps({"question": "长" * 2001}).encode(), 422, "question_too_long"),
        (json.dumps({"question": "长" * 400_000}).encode(), 413, "too_large"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_bad_question_has_a_real_status_and_never_a_500(
    client: TestClient, body: bytes, status: int, code: str, accept: str
) -> None:
    headers = {"content-type": "application/json", "accept": accept}
    response = client.post("/api/chat", content=body, headers=headers)
    said = problem(response, status, code)
    assert said["detail"] != said["detail_en"]


def test_a_misspelt_field_is_named(client: TestClient) -> None:
    response = client.post("/api/chat", json={"question": "阿花？", "session": "x"})
    said = problem(response, 422, "invalid_request")
    assert said["errors"][0]["where"] == "body.session"
    assert said["detail"] == "session：没有这一项。"


def test_a_form_in_place_of_json_is_told_what_to_send(client: TestClient) -> None:
    for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        response = client.post("/api/chat", content=b'{"question": "x"}', headers=headers)
        said = problem(response, 415, "unsupported_media_type")
        assert "content-type: application/json" in said["detail"]


def test_a_body_is_counted_as_it_arrives_and_not_believed(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(2000):
            yield b"x" * 1000

    headers = {"content-type": "application/json"}
    problem(client.post("/api/chat", content=chunks(), headers=headers), 413, "too_large")
    lying = {**headers, "content-length": "999999999999999999999"}
    problem(client.post("/api/chat", content=b"{}", headers=lying), 413, "too_large")


def test_what_is_not_there_is_a_problem_too(client: TestClient) -> None:
    problem(client.get("/nowhere"), 404, "not_found")
    problem(client.get("/assets/../app.py"), 404, "not_found")
    problem(client.get("/assets/home.html"), 404, "not_found")
    response = client.put("/api/chat")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_every_response_has_an_id_and_safe_headers(client: TestClient) -> None:
    for path in ("/healthz", "/nowhere", "/", "/docs", "/api/documents", "/metrics"):
        headers = client.get(path).headers
        assert len(headers["x-request-id"]) >= 8
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("given", "kept"), [("client-id-1234", True), ("short", False), ("a\tb c d e f g", False)]
)
def test_a_request_id_is_taken_over_if_it_is_harmless(
    client: TestClient,
    given: str,
    kept: bool,  # noqa: FBT001
) -> None:
    found = client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"]
    assert (found == given) is kept


def test_an_unexpected_error_tells_nothing_of_itself(
    runtime: Runtime, segmenter: Segmenter, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            message = f"secret {len(texts)}"
            raise RuntimeError(message)

    broken = Runtime(runtime.settings, runtime.database, Broken(""), segmenter)
    with client_of(broken) as client:
        response = client.post("/api/chat", json={"question": "阿花？"})
    assert "secret" not in response.text
    problem(response, 500, "internal")
    assert response.headers["x-request-id"]
    assert "RuntimeError: secret" in caplog.text


def test_no_question_is_written_to_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "wenqu"):
        ask(client, "阿花在哪里睡觉？")
        client.get("/api/search", params={"q": "阿花"})
    assert "POST /api/chat 200" in caplog.text
    assert "GET /api/search 200" in caplog.text
    assert "阿花" not in caplog.text
    assert "%E9%98%BF" not in caplog.text


def test_metrics_count_requests_by_pattern_and_answers_by_kind(client: TestClient) -> None:
    ask(client)
    ask(client, "你好")
    client.get("/api/documents/手册/猫")
    text = client.get("/metrics").text
    assert 'wenqu_answers_total{kind="grounded"} 1.0' in text
    assert 'wenqu_answers_total{kind="chat"} 1.0' in text
    assert 'wenqu_requests_total{method="POST",route="/api/chat",status="200"} 2.0' in text
    assert 'route="/api/documents/{document_id:path}"' in text
    assert 'wenqu_stage_seconds_count{stage="total"} 2.0' in text


def upload(client: TestClient, *files: tuple[str, bytes]) -> Response:
    return client.post("/api/documents", files=[("files", file) for file in files])


def test_uploaded_files_answer_at_once(client: TestClient) -> None:
    response = upload(client, ("狗.md", "阿黄在院子里睡觉。".encode()), ("b.txt", "鱼。".encode()))
    assert response.status_code == 200, response.text
    report = response.json()
    IngestReply.model_validate(report)
    assert (len(report["added"]), report["unreadable"]) == (2, [])
    assert "院子" in ask(client, "阿黄在哪里睡觉？")["citations"][0]["quote"]
    again = upload(client, ("狗.md", "阿黄在院子里睡觉。".encode())).json()
    assert (len(again["unchanged"]), again["embedded"]) == (1, 0)


def test_an_unreadable_file_is_named_and_the_others_are_kept(client: TestClient) -> None:
    response = upload(client, ("a.md", "鸟。".encode()), ("空.md", b" \n"))
    assert response.status_code == 207
    report = response.json()
    IngestReply.model_validate(report)
    assert len(report["added"]) == 1
    (bad,) = report["unreadable"]
    assert (bad["name"], bad["reason"]) == ("空.md", "empty")
    assert "没有文字" in bad["detail"]
    said = problem(upload(client, ("空.md", b" \n")), 422, "unreadable")
    assert said["unreadable"] == [bad]


def test_a_text_can_be_added_by_json_and_replaces_its_former_self(client: TestClient) -> None:
    url = "https://cats.example/阿黑"
    body = {"title": "阿黑", "text": "阿黑在车库里睡觉。", "source": url}
    first = client.post("/api/documents", json=body).json()
    assert len(first["added"]) == 1
    citation = ask(client, "阿黑在哪里睡觉？")["citations"][0]
    assert (citation["title"], citation["source_url"]) == ("阿黑", url)
    second = client.post("/api/documents", json={**body, "text": "阿黑在厨房里睡觉。"}).json()
    assert second["replaced"] == first["added"]
    other = {**body, "source": "https://dogs.example/阿黑"}
    assert len(client.post("/api/documents", json=other).json()["added"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"\xff", 400, "bad_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"title": "", "text": "x"}', 422, "invalid_request"),
        (b'{"title": "x", "text": 5}', 422, "invalid_request"),
        (b'{"title": "x", "text": "\\ud800"}', 400, "bad_request"),
        (b'{"title": "x", "text": " "}', 422, "unreadable"),
        (b'{"title": "x", "text": "' + b"x" * 200_000 + b'"}', 413, "too_large"),
    ],
)
def test_a_bad_text_is_refused(client: TestClient, body: bytes, status: int, code: str) -> None:
    headers = {"content-type": "application/json"}
    problem(client.post("/api/documents", content=body, headers=headers), status, code)


def test_an_upload_that_is_too_large_or_no_form_is_refused(client: TestClient) -> None:
    problem(upload(client, ("a.txt", b"x" * 200_000)), 413, "too_large")
    problem(client.post("/api/documents", content=b"x"), 415, "unsupported_media_type")
    broken = {"content-type": "multipart/form-data"}
    problem(client.post("/api/documents", content=b"x", headers=broken), 400, "bad_request")
    nothing = {"content-type": "multipart/form-data; boundary=b"}
    empty = client.post("/api/documents", content=b"--b--\r\n", headers=nothing)
    problem(empty, 400, "bad_request")
    many = [("files", (f"{number}.txt", b"x")) for number in range(300)]
    problem(client.post("/api/documents", files=many), 400, "bad_request")


def test_a_page_of_another_site_cannot_upload(client: TestClient) -> None:
    files = [("files", ("a.md", "鸟。".encode()))]
    for origin in ("https://evil.example", "http://testserver.evil.example", "null"):
        response = client.post("/api/documents", files=files, headers={"origin": origin})
        problem(response, 403, "cross_site")
    own = client.post("/api/documents", files=files, headers={"origin": "http://testserver"})
    assert own.status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "../../x.md",
        "/etc/passwd.md",
        "..\\..\\x.md",
        "%2e%2e/x.md",
        "文" * 300 + ".md",
    ],
)
def test_a_file_name_is_only_a_name(client: TestClient, tmp_path: Path, name: str) -> None:
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    report = upload(client, (name, "鸟。".encode())).json()
    (document_id,) = report["added"]
    assert "/" not in document_id
    assert "\\" not in document_id
    assert "\0" not in document_id
    assert len(document_id) <= 200
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before
    assert client.delete(f"/api/documents/{quote(document_id)}").status_code == 200


def test_documents_are_listed_and_read_whole(client: TestClient) -> None:
    listed = client.get("/api/documents").json()
    DocumentList.model_validate(listed)
    (item,) = listed["documents"]
    assert (item["id"], item["characters"], item["passages"]) == ("手册/猫", len(TEXT), 1)
    read = client.get("/api/documents/手册/猫").json()
    DocumentReply.model_validate(read)
    assert read["text"] == TEXT
    assert {k: read[k] for k in item} == item


def test_while_the_model_loads_the_process_is_up_and_not_ready(runtime: Runtime) -> None:
    go_on, loaded = threading.Event(), threading.Event()

    def slow(_settings: Settings) -> Runtime:
        go_on.wait(30)
        return runtime

    app = create_app(runtime.settings, open_runtime=slow, on_loaded=lambda _: loaded.set())
    with TestClient(app) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]) == (503, {"start": "not_ready"})
        response = client.post("/api/chat", json={"question": "阿花？"})
        problem(response, 503, "not_ready")
        assert int(response.headers["retry-after"]) > 0
        go_on.set()
        loaded.wait(30)
        assert client.get("/readyz").json() == {
            "status": "ready",
            "checks": {"start": "ok", "index": "ok"},
        }
        ask(client)


def test_a_model_that_cannot_be_loaded_is_told_to_whoever_asks(runtime: Runtime) -> None:
    loaded = threading.Event()

    def fail(_settings: Settings) -> Runtime:
        message = "no weights"
        raise ModelError(message)

    app = create_app(runtime.settings, open_runtime=fail, on_loaded=lambda _: loaded.set())
    with TestClient(app) as client:
        loaded.wait(30)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").json()["checks"] == {"start": "model"}
        problem(client.post("/api/chat", json={"question": "阿花？"}), 503, "model")


def test_loading_is_tried_again_until_it_works(runtime: Runtime) -> None:
    tries: list[int] = []
    loaded = threading.Event()
    away = OperationalError("", {}, ConnectionError("no connection"))

    def second_time(_settings: Settings) -> Runtime:
        tries.append(len(tries))
        if len(tries) < 3:
            raise away
        loaded.set()
        return runtime

    app = create_app(runtime.settings, open_runtime=second_time, retry_seconds=0.01)
    with TestClient(app) as client:
        assert loaded.wait(30)
        while client.get("/readyz").status_code != 200:
            assert client.get("/readyz").json()["checks"] == {"start": "database"}
        ask(client)
    assert tries == [0, 1, 2]


def test_conversations_past_their_time_are_deleted_when_the_service_starts(
    runtime: Runtime,
) -> None:
    purged = threading.Event()
    asked: list[datetime] = []

    class Watched(UnstoredConversations):
        def purge(self, unused_since: datetime) -> int:
            asked.append(unused_since)
            purged.set()
            return 1

    runtime.conversations = Watched()
    with client_of(runtime):
        assert purged.wait(30)
    age = datetime.now(UTC) - asked[0]
    assert timedelta(days=30) <= age < timedelta(days=30, minutes=5)


def test_an_index_made_with_another_model_is_refused_with_both_names(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    other = Runtime(runtime.settings, runtime.database, CharEmbedder("猫"), segmenter)
    with client_of(other) as client:
        assert client.get("/readyz").json()["checks"]["index"] == "model_mismatch"
        response = client.post("/api/chat", json={"question": "阿花？", "stream": True})
        assert "'char:'" in problem(response, 503, "model_mismatch")["detail_en"]


def test_a_damaged_index_is_told_and_never_answers(runtime: Runtime, segmenter: Segmenter) -> None:
    (path,) = runtime.settings.indexes.glob("default/g-*/dense.faiss")
    path.write_bytes(path.read_bytes()[:-1])
    other = Runtime(runtime.settings, runtime.database, CharEmbedder(""), segmenter)
    with client_of(other) as client:
        assert client.get("/readyz").status_code == 503
        said = problem(client.get("/api/search?q=阿花"), 503, "index_damaged")
        assert "dense.faiss" in said["detail"]


def test_more_questions_than_may_wait_are_turned_away_at_once(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    go_on, working = threading.Event(), threading.Semaphore(0)

    class Slow(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            working.release()
            go_on.wait(30)
            return super().encode_questions(texts)

    settings = runtime.settings.model_copy(update={"workers": 1, "queue": 0})
    slow = Runtime(settings, runtime.database, Slow(""), segmenter)
    replies: list[int] = []
    with client_of(slow) as client:

        def post() -> None:
            replies.append(client.post("/api/chat", json={"question": "阿花？"}).status_code)

        first = threading.Thread(target=post)
        first.start()
        assert working.acquire(timeout=30)
        response = client.post("/api/chat", json={"question": "阿花？", "stream": True})
        assert problem(response, 503, "overloaded")["retry_after"] == 5
        assert response.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
        go_on.set()
        first.join(30)
    assert replies == [200]


def test_work_that_takes_too_long_is_given_up() -> None:
    done = threading.Event()

    async def ask_slowly() -> None:
        with pytest.raises(TimeoutError):
            await Workers(1, 1, deadline_seconds=0.05).admit(done.wait, 30)
        done.set()

    started = time.monotonic()
    anyio.run(ask_slowly)
    assert time.monotonic() - started < 20


def test_conversations_are_not_stored_where_that_is_switched_off(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    settings = runtime.settings.model_copy(update={"store_conversations": False})
    silent = Runtime(settings, runtime.database, CharEmbedder(""), segmenter)
    with client_of(silent) as client:
        session_id = ask(client, "阿花在哪里睡觉？秘密")["session_id"]
        assert len(client.get(f"/api/sessions/{session_id}").json()["turns"]) == 1
    held = b"".join(path.read_bytes() for path in settings.data.glob("wenqu.db*"))
    assert "秘密".encode() not in held


def test_the_api_describes_itself_without_anything_from_elsewhere(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/chat",
        "/api/search",
        "/api/documents",
        "/api/documents/{document_id}",
        "/api/sessions/{session_id}",
        "/api/feedback",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    page = client.get("/docs").text
    assert "//" not in page.replace("<!doctype html>", "")
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js", "page.css"):
        assert f"/assets/{asset}" in page or asset == "page.css"
        assert client.get(f"/assets/{asset}").status_code == 200


def test_every_endpoint_is_documented(client: TestClient) -> None:
    text = (Path(__file__).parents[1] / "docs" / "http.md").read_text(encoding="utf-8")
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text, (method, path)
