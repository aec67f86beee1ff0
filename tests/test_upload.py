from pathlib import Path
from urllib.parse import quote

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from bot.api.schema import (
    DocumentList,
    DocumentReply,
    IngestReply,
)
from bot.testing import CAT_TEXT, ask, problem_in


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
    said = problem_in(upload(client, ("空.md", b" \n")), 422, "unreadable")
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
    problem_in(client.post("/api/documents", content=body, headers=headers), status, code)


def test_an_upload_that_is_too_large_or_no_form_is_refused(client: TestClient) -> None:
    problem_in(upload(client, ("a.txt", b"x" * 200_000)), 413, "too_large")
    problem_in(client.post("/api/documents", content=b"x"), 415, "unsupported_media_type")
    broken = {"content-type": "multipart/form-data"}
    problem_in(client.post("/api/documents", content=b"x", headers=broken), 400, "bad_request")
    nothing = {"content-type": "multipart/form-data; boundary=b"}
    empty = client.post("/api/documents", content=b"--b--\r\n", headers=nothing)
    problem_in(empty, 400, "bad_request")
    many = [("files", (f"{number}.txt", b"x")) for number in range(300)]
    problem_in(client.post("/api/documents", files=many), 400, "bad_request")


def test_a_page_of_another_site_cannot_upload(client: TestClient) -> None:
    files = [("files", ("a.md", "鸟。".encode()))]
    for origin in ("https://evil.example", "http://testserver.evil.example", "null"):
        response = client.post("/api/documents", files=files, headers={"origin": origin})
        problem_in(response, 403, "cross_site")
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
    assert (item["id"], item["characters"], item["passages"]) == ("手册/猫", len(CAT_TEXT), 1)
    read = client.get("/api/documents/手册/猫").json()
    DocumentReply.model_validate(read)
    assert read["text"] == CAT_TEXT
    assert {k: read[k] for k in item} == item
