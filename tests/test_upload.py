from collections.abc import Iterator
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
from bot.commands import ingest
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_TEXT, ask, client_of, problem_in
from bot.testing_pages import Page, Site
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder


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


def test_documents_are_listed_and_read_whole(client: TestClient) -> None:
    listed = client.get("/api/documents").json()
    DocumentList.model_validate(listed)
    (item,) = listed["documents"]
    assert (item["id"], item["characters"], item["passages"]) == ("手册/猫", len(CAT_TEXT), 1)
    read = client.get("/api/documents/手册/猫").json()
    DocumentReply.model_validate(read)
    assert read["text"] == CAT_TEXT
    assert {k: read[k] for k in item} == item


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


@pytest.fixture
def fetching(tmp_path: Path, segmenter: Segmenter, site: Site) -> Iterator[TestClient]:
    """A service that may read pages of `site`, which is on this machine."""
    settings = Settings(
        data=tmp_path / "var",
        max_upload_bytes=100_000,
        fetch_hosts=("127.0.0.1",),
        fetch_ports=(site.port,),
    )
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    with client_of(made) as client:
        yield client


def page(text: str) -> Page:
    html = f"<title>狗手册</title><h1>狗手册</h1><p>{text}</p><script>x</script>"
    return Page(html.encode(), headers={"content-type": "text/html"})


def test_a_page_is_fetched_answers_and_is_replaced_by_its_next_version(
    fetching: TestClient, site: Site
) -> None:
    site.pages = {
        "/狗": page("阿黄在院子里睡觉。"),
        "/old": Page(status=301, headers={"location": "/%E7%8B%97"}),
    }
    site.pages[quote("/狗")] = site.pages.pop("/狗")
    first = fetching.post("/api/documents", json={"url": site.url("/old")})
    assert first.status_code == 200, first.text
    IngestReply.model_validate(first.json())
    (citation,) = ask(fetching, "阿黄在哪里睡觉？")["citations"]
    assert (citation["quote"], citation["title"]) == ("阿黄在院子里睡觉。", "狗手册")
    assert citation["source_url"] == site.url("/%E7%8B%97")
    site.pages[quote("/狗")] = page("阿黄在河边睡觉。")
    second = fetching.post("/api/documents", json={"url": site.url("/狗") + "#x"}).json()
    assert (second["replaced"], second["added"]) == (first.json()["added"], [])
    assert "河边" in ask(fetching, "阿黄在哪里睡觉？")["answer"]
    listed = fetching.get("/api/documents").json()["documents"]
    assert [item["source_url"] for item in listed] == [site.url("/%E7%8B%97")]


def test_a_page_goes_into_the_collection_that_is_named(fetching: TestClient, site: Site) -> None:
    site.pages = {"/a": page("鸟。")}
    url = site.url("/a")
    assert fetching.post("/api/documents", json={"url": url, "collection": "b"}).status_code == 200
    assert fetching.get("/api/documents").json()["documents"] == []
    assert len(fetching.get("/api/documents?collection=b").json()["documents"]) == 1


@pytest.mark.parametrize(
    ("path", "reason", "says"),
    [
        ("/none", "refused", "没有给出内容"),
        ("/picture", "unsupported", "不支持这种文件"),
        ("/large", "too_large", "太大"),
        ("/empty", "empty", "没有文字"),
        ("file:///etc/passwd", "address", "http:// 或 https://"),
        ("http://127.0.0.1:1/", "closed", "fetch_ports"),
        ("http://10.0.0.1:{port}/", "closed", "fetch_hosts"),
        ("http://user:secret@127.0.0.1/", "address", "不带用户名和密码"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_both_languages(
    fetching: TestClient, site: Site, path: str, reason: str, says: str
) -> None:
    site.pages = {
        "/picture": Page(b"x", headers={"content-type": "image/png"}),
        "/large": Page(b"x" * 100_001),
        "/empty": Page(b"<p> ", headers={"content-type": "text/html"}),
    }
    url = site.url(path) if path.startswith("/") else path.format(port=site.port)
    said = problem_in(fetching.post("/api/documents", json={"url": url}), 422, "unreadable")
    (bad,) = said["unreadable"]
    assert (bad["reason"], "secret" in str(said)) == (reason, False)
    assert says in bad["detail"]
    assert bad["detail_en"].startswith("cannot read ")


@pytest.mark.parametrize(
    "body",
    [{"url": ""}, {"url": 5}, {"url": "https://a.example/", "text": "x"}, {"url": "x" * 2001}, []],
)
def test_an_address_is_asked_for_as_the_documentation_says(
    fetching: TestClient, body: object
) -> None:
    problem_in(fetching.post("/api/documents", json=body), 422, "invalid_request")


def test_the_command_fetches_too(
    tmp_path: Path, segmenter: Segmenter, site: Site, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("WENQU_FETCH_HOSTS", "127.0.0.0/8, wiki.example")
    monkeypatch.setenv("WENQU_FETCH_PORTS", str(site.port))
    site.pages = {"/a": page("阿黄在院子里睡觉。")}

    def opened(settings: Settings, **_: object) -> Runtime:
        return Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)

    data = ["--data", str(tmp_path / "var")]
    assert ingest.run([site.url("/a"), *data], opened) == 0
    assert capsys.readouterr().out.startswith("新增 1 份")
    assert ingest.run([site.url("/a"), site.url("/b"), "gopher://a/", *data], opened) == 1
    said = capsys.readouterr()
    assert said.out.startswith("新增 0 份，更新 0 份，未变 1 份")
    assert f"读不了 {site.url('/b')}：这个网址没有给出内容" in said.err
    assert "HTTP 404" in said.err
    assert "读不了 gopher://a/：网址不对" in said.err


HOSTILE_NAMES = [
    "../../x.md", "/etc/passwd.md", "..\\..\\x.md", "%2e%2e/x.md", "..%2fx.md", "a\0b.md",
    "文" * 300 + ".md", "CON.md", "nul.txt", "COM1.md", "a/../../b.md", "....//x.md", "~/.ssh/x.md",
    "C:\\x.md", ".md", "..md", "x.md:stream", "|x.md", "-rf.md", "\u202edm.x.md", "$(id).md",
    "\\\\host\\share\\x.md", "x.md/", "\n.md",
]  # fmt: skip


def test_a_name_from_outside_makes_no_file_and_no_other_id(
    client: TestClient, tmp_path: Path
) -> None:
    def everything() -> set[Path]:
        return {path for path in tmp_path.parent.rglob("*") if "wenqu.db" not in path.name}

    before = everything()
    files = [(name, f"鸟{number}。".encode()) for number, name in enumerate(HOSTILE_NAMES)]
    report = upload(client, *files).json()
    assert len(report["added"]) > 10  # those that come to the same name are one
    for document_id in report["added"]:
        assert not set("/\\\0:|\n$") & set(document_id)
        assert len(document_id.encode()) <= 255
        assert client.delete(f"/api/documents/{quote(document_id)}").status_code == 200
    inside = tmp_path / "var" / "index" / "default"
    assert all(path.is_relative_to(inside) for path in everything() - before)


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "../" * 9 + "etc/passwd"])
def test_an_id_from_outside_leads_to_no_file(shared_client: TestClient, name: str) -> None:
    for path in (quote(name, safe=""), quote(name), quote(quote(name, safe=""), safe="")):
        for where in ("api/documents", "documents", "static", "widget"):
            found = shared_client.get(f"/{where}/{path}")
            assert found.status_code in {400, 404, 405}, (where, path, found.status_code)
            assert "root:" not in found.text
        assert shared_client.delete(f"/api/documents/{path}").status_code in {400, 404}
    wanted = quote(name, safe="")
    problem_in(shared_client.get(f"/api/documents?collection={wanted}"), 422, "invalid_request")


@pytest.fixture(scope="module")
def shared_client(
    tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter
) -> Iterator[TestClient]:
    """One service for all names: nothing is changed by them."""
    settings = Settings(data=tmp_path_factory.mktemp("ids"))
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    with client_of(made) as client:
        yield client
