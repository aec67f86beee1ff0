import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.api.assets import assets_version
from bot.api.schema import (
    DeleteReply,
    SearchReply,
    SessionReply,
)
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, CAT_TEXT, ask, cat_document, client_of, problem_in
from corpus.words import Segmenter
from index.documents import digest
from index.embed import Vectors
from index.testing import CharEmbedder


def test_an_answer_quotes_the_document_at_its_offsets(client: TestClient) -> None:
    reply = ask(client, CAT_QUESTION)
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
    (citation, *_) = ask(client, CAT_QUESTION)["citations"]
    version = client.get("/api/documents/手册/猫").json()["version"]
    assert version == digest(cat_document("手册/猫"))[:12]
    where = f"start={citation['start']}&end={citation['end']}&v={version}"
    assert citation["view_url"] == f"/documents/%E6%89%8B%E5%86%8C/%E7%8C%AB?{where}"
    page = client.get(citation["view_url"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f">{citation['quote']}</mark>" in page.text


def test_offsets_are_not_applied_to_a_text_they_were_not_counted_in(
    client: TestClient, runtime: Runtime
) -> None:
    (citation, *_) = ask(client, CAT_QUESTION)["citations"]
    runtime.library().ingest([cat_document("手册/猫", "阿花搬走了。" + CAT_TEXT)])
    page = client.get(citation["view_url"]).text
    assert "<mark>" not in page
    assert "有改动" in page


def test_links_are_absolute_where_the_public_address_is_known(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    settings = runtime.settings.model_copy(
        update={"public_url": "https://docs.example/wenqu/", "open_access": True}
    )
    public = Runtime(settings, runtime.database, CharEmbedder(""), segmenter)
    with client_of(public) as client:
        (citation, *_) = ask(client, CAT_QUESTION)["citations"]
    assert citation["view_url"].startswith("https://docs.example/wenqu/documents/%E6")


def test_a_source_on_the_web_is_linked_and_any_other_is_not(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library().ingest([cat_document("手册/猫", source="https://cats.example/a?b=1")])
    assert ask(client, CAT_QUESTION)["citations"][0]["source_url"] == "https://cats.example/a?b=1"
    runtime.library().ingest([cat_document("手册/猫", source="javascript:alert(1)")])
    assert ask(client, CAT_QUESTION)["citations"][0]["source_url"] is None


def test_a_conversation_goes_on_in_its_session(client: TestClient) -> None:
    first = ask(client, CAT_QUESTION)
    second = ask(client, "哪一年出生？", session_id=first["session_id"])
    assert second["session_id"] == first["session_id"]
    assert second["turn_id"] != first["turn_id"]
    kept = client.get(f"/api/sessions/{first['session_id']}").json()
    SessionReply.model_validate(kept)
    assert [turn["question"] for turn in kept["turns"]] == ["阿花在哪里睡觉？", "哪一年出生？"]
    assert {k: v for k, v in kept["turns"][0].items() if k in first} == first


def test_an_unknown_session_is_an_error_and_never_another_conversation(client: TestClient) -> None:
    response = client.post("/api/chat", json={"question": "阿花？", "session_id": "x" * 32})
    assert problem_in(response, 404, "session_not_found")["session_id"] == "x" * 32
    problem_in(client.get("/api/sessions/nobody"), 404, "session_not_found")


def test_a_session_of_one_collection_is_unknown_in_another(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library("b").ingest([cat_document("b")])
    session_id = ask(client, CAT_QUESTION)["session_id"]
    body = {"question": "阿花？", "session_id": session_id, "collection": "b"}
    problem_in(client.post("/api/chat", json=body), 404, "session_not_found")


def test_a_deleted_session_is_gone(client: TestClient) -> None:
    path = f"/api/sessions/{ask(client, CAT_QUESTION)['session_id']}"
    response = client.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    problem_in(client.get(path), 404, "session_not_found")
    problem_in(client.delete(path), 404, "session_not_found")


def test_a_vote_shows_in_the_session(client: TestClient) -> None:
    reply = ask(client, CAT_QUESTION)
    vote = {"turn_id": reply["turn_id"], "vote": "down", "comment": "不对"}
    assert client.post("/api/feedback", json=vote).status_code == 204
    kept = client.get(f"/api/sessions/{reply['session_id']}").json()
    assert kept["turns"][0]["vote"] == "down"
    wrong = client.post("/api/feedback", json={"turn_id": "nobody", "vote": "up"})
    problem_in(wrong, 404, "turn_not_found")
    problem_in(client.post("/api/feedback", json={**vote, "vote": "meh"}), 422, "invalid_request")


def test_what_was_cited_is_not_shown_once_its_document_is_deleted(client: TestClient) -> None:
    reply = ask(client, CAT_QUESTION)
    deleted = client.delete("/api/documents/手册/猫")
    assert deleted.json() == {"deleted": ["手册/猫"], "passages": 0}
    DeleteReply.model_validate(deleted.json())
    kept = client.get(f"/api/sessions/{reply['session_id']}").json()
    (citation, *_) = kept["turns"][0]["citations"]
    assert citation["title"] == "（文档已删除）"
    assert (citation["quote"], citation["passage"], citation["view_url"]) == ("", "", None)
    problem_in(client.get("/api/documents/手册/猫"), 404, "document_not_found")
    problem_in(client.delete("/api/documents/手册/猫"), 404, "document_not_found")
    assert ask(client, CAT_QUESTION)["refused"]


def test_without_documents_there_is_a_refusal_and_the_service_is_ready(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library().delete(["手册/猫"])
    reply = ask(client, CAT_QUESTION)
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
    problem_in(client.get(f"/api/search?{query}"), 422, "invalid_request")


def test_a_collection_is_apart_from_the_others(client: TestClient, runtime: Runtime) -> None:
    runtime.library("b").ingest([cat_document("狗", "阿黄在院子里睡觉。")])
    citation = ask(client, "阿黄在哪里睡觉？", collection="b")["citations"][0]
    assert citation["view_url"].endswith("&collection=b")
    assert "<mark " in client.get(citation["view_url"]).text
    listed = client.get("/api/documents?collection=b").json()
    assert [item["id"] for item in listed["documents"]] == ["狗"]
    for path in ("/api/documents/狗", "/documents/狗"):
        problem_in(client.get(path), 404, "document_not_found")
    unknown = client.post("/api/chat", json={"question": "阿黄？", "collection": "c"})
    assert problem_in(unknown, 404, "collection_not_found")["collection"] == "c"


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
    said = problem_in(response, status, code)
    assert said["detail"] != said["detail_en"]


def test_a_misspelt_field_is_named(client: TestClient) -> None:
    response = client.post("/api/chat", json={"question": "阿花？", "session": "x"})
    said = problem_in(response, 422, "invalid_request")
    assert said["errors"][0]["where"] == "body.session"
    assert said["detail"] == "session：没有这一项。"


def test_a_form_in_place_of_json_is_told_what_to_send(client: TestClient) -> None:
    for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        response = client.post("/api/chat", content=b'{"question": "x"}', headers=headers)
        said = problem_in(response, 415, "unsupported_media_type")
        assert "content-type: application/json" in said["detail"]


def test_a_body_is_counted_as_it_arrives_and_not_believed(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(2000):
            yield b"x" * 1000

    headers = {"content-type": "application/json"}
    problem_in(client.post("/api/chat", content=chunks(), headers=headers), 413, "too_large")
    lying = {**headers, "content-length": "999999999999999999999"}
    problem_in(client.post("/api/chat", content=b"{}", headers=lying), 413, "too_large")


def test_what_is_not_there_is_a_problem_too(client: TestClient) -> None:
    problem_in(client.get("/nowhere"), 404, "not_found")
    problem_in(client.get("/assets/../app.py"), 404, "not_found")
    problem_in(client.get("/assets/chat.html"), 404, "not_found")
    response = client.put("/api/chat")
    problem_in(response, 405, "method_not_allowed")
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
    problem_in(response, 500, "internal")
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
    ask(client, CAT_QUESTION)
    ask(client, "你好")
    client.get("/api/documents/手册/猫")
    text = client.get("/metrics").text
    assert 'wenqu_answers_total{kind="grounded"} 1.0' in text
    assert 'wenqu_answers_total{kind="chat"} 1.0' in text
    assert 'wenqu_requests_total{method="POST",route="/api/chat",status="200"} 2.0' in text
    assert 'route="/api/documents/{document_id:path}"' in text
    assert 'wenqu_stage_seconds_count{stage="total"} 2.0' in text


def test_the_api_describes_itself_without_anything_from_elsewhere(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/chat",
        "/api/search",
        "/api/documents",
        "/api/documents/{document_id}",
        "/api/sessions/{session_id}",
        "/api/feedback",
        "/api/suggestions",
        "/api/admin/index",
        "/api/admin/questions",
        "/api/admin/report",
        "/api/admin/conversations",
        "/api/admin/deliveries",
        "/api/admin/deliveries/{position}/replay",
        "/widget/token",
        "/v1/chat/completions",
        "/v1/models",
        "/v1/models/{model}",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    page = client.get("/docs").text
    assert "//" not in page.replace("<!doctype html>", "")
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js"):
        assert f"/assets/{assets_version()}/{asset}" in page
        assert client.get(f"/assets/{asset}").status_code == 200


def test_every_endpoint_is_documented(client: TestClient) -> None:
    text = (Path(__file__).parents[1] / "docs" / "http.md").read_text(encoding="utf-8")
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text, (method, path)
