import re
from typing import get_args

import pytest
from httpx2 import Response
from sqlalchemy import update
from starlette.testclient import TestClient

from bot.api.door import need_of
from bot.api.state import State
from bot.app import create_app
from bot.keys import KeyRow, Scope
from bot.links import Links
from bot.reach import is_loopback, is_private
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of, problem_in

KEY = "correct-horse-battery-staple"
TEXT = {"title": "狗", "text": "狗在院子里。"}
ADMIN = ["/api/admin/index", "/api/admin/questions", "/api/admin/report"]


def with_settings(runtime: Runtime, **settings: object) -> Runtime:
    checked = Settings.model_validate(
        {**runtime.settings.model_dump(exclude_defaults=True), **settings}
    )
    return Runtime(checked, runtime.database, runtime.embedder, runtime.segmenter)


def bearer(key: str, kind: str = "Bearer") -> dict[str, str]:
    return {"authorization": f"{kind} {key}"}


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("wenqu.example", False),
    ],
)  # fmt: skip
def test_only_this_machine_reaches_loopback(host: str, *, is_this_machine: bool) -> None:
    assert is_loopback(host) is is_this_machine
    assert is_private(Settings(host=host)) is is_this_machine


def test_a_service_with_a_public_address_is_not_private() -> None:
    assert not is_private(Settings(public_url="https://docs.example"))


def test_with_a_key_changes_need_it(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        for headers in (
            {}, bearer("wrong"), bearer(KEY[:-1]), bearer(f"{KEY}x"), bearer(KEY, "Basic"),
            bearer(""), {"authorization": KEY},
        ):  # fmt: skip
            refused = client.post("/api/documents", json=TEXT, headers=headers)
            problem_in(refused, 401, "admin_key")
            assert refused.headers["www-authenticate"] == "Bearer"
            refused = client.delete("/api/documents/手册/猫", headers=headers)
            problem_in(refused, 401, "admin_key")
        assert client.get("/api/documents/手册/猫").status_code == 200
        for kind in ("Bearer", "bearer"):
            added = client.post("/api/documents", json=TEXT, headers=bearer(KEY, kind))
            assert added.status_code == 200
        assert client.delete("/api/documents/手册/猫", headers=bearer(KEY)).status_code == 200


def test_a_key_of_bytes_that_are_no_text_is_only_wrong(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        headers = [(b"authorization", b"Bearer \xe5\xaf\x86\xff")]
        problem_in(client.delete("/api/documents/x", headers=headers), 401, "admin_key")


def test_the_key_is_asked_for_before_a_body_is_read(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        headers = {"content-type": "application/json"}
        problem_in(client.post("/api/documents", content=b"{", headers=headers), 401, "admin_key")


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0"}, {"public_url": "https://a.example"}])
def test_without_a_key_a_public_service_takes_no_changes(
    runtime: Runtime, settings: dict[str, str]
) -> None:
    with client_of(with_settings(runtime, **settings)) as client:
        said = problem_in(client.post("/api/documents", json=TEXT), 403, "no_admin_key")
        assert "WENQU_ADMIN_KEY" in said["detail"]
        problem_in(client.delete("/api/documents/手册/猫"), 403, "no_admin_key")
        problem_in(client.delete("/api/documents/手册/猫", headers=bearer("")), 403, "no_admin_key")


def test_without_a_key_a_private_service_takes_changes(client: TestClient) -> None:
    assert client.post("/api/documents", json=TEXT).status_code == 200
    assert client.delete("/api/documents/手册/猫").status_code == 200


@pytest.mark.parametrize("path", ADMIN)
def test_without_a_key_nobody_administers(client: TestClient, path: str) -> None:
    problem_in(client.get(path), 403, "no_admin_key")
    problem_in(client.get(path, headers=bearer("")), 403, "no_admin_key")


@pytest.mark.parametrize("path", ADMIN)
def test_administering_needs_the_key(runtime: Runtime, path: str) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        problem_in(client.get(path), 401, "admin_key")
        problem_in(client.get(path, headers=bearer("wrong")), 401, "admin_key")
        problem_in(client.get(f"{path}?key={KEY}&authorization=Bearer%20{KEY}"), 401, "admin_key")


def test_the_key_is_asked_for_while_the_service_starts(runtime: Runtime) -> None:
    def fail(_settings: Settings) -> Runtime:
        raise MemoryError

    loaded: list[State] = []
    settings = with_settings(runtime, admin_key=KEY).settings
    app = create_app(settings, open_runtime=fail, on_loaded=loaded.append, retry_seconds=3600)
    with TestClient(app, raise_server_exceptions=False) as client:
        problem_in(client.get("/api/admin/index"), 401, "admin_key")
        problem_in(client.delete("/api/documents/x"), 401, "admin_key")


@pytest.mark.parametrize(
    "key", ["short", "x" * 15, "with spaces in between", "密" * 16, "x" * 16 + "\n"]
)
def test_a_weak_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="at least 16") as refused:
        Settings.model_validate({"admin_key": key})
    assert key not in str(refused.value.errors(include_input=False))  # type: ignore[attr-defined]


def test_the_key_is_never_shown() -> None:
    settings = Settings.model_validate({"admin_key": KEY})
    assert KEY not in repr(settings)
    assert settings.admin_key.get_secret_value() == KEY


def refuses(said: Response, status: int, code: str) -> str:
    """Check a problem and return its words in Chinese."""
    return str(problem_in(said, status, code)["detail"])


def asked(client: TestClient, key: str = "", **more: object) -> Response:
    headers = bearer(key) if key else {}
    body = {"question": CAT_QUESTION, **more}
    return client.post("/api/chat", json=body, headers=headers)


READ = ["/api/search?q=阿花", "/api/documents", "/api/documents/手册/猫", "/api/suggestions"]
READ += ["/documents/手册/猫", "/v1/models", "/api/sessions/x"]


@pytest.mark.parametrize("path", READ)
def test_with_a_key_for_asking_nobody_reads_without_one(runtime: Runtime, path: str) -> None:
    with client_of(runtime) as client:
        assert client.get(path).status_code in {200, 404}
        _, token = runtime.keys.add("甲", ["ask"])
        assert client.get(path).status_code == 401
        assert client.get(path, headers=bearer(token)).status_code in {200, 404}
        assert client.get(path, headers={"x-api-key": token}).status_code == 401


def test_with_a_key_for_asking_nobody_asks_without_one(runtime: Runtime) -> None:
    _, token = runtime.keys.add("甲", ["ask"])
    with client_of(runtime) as client:
        said = refuses(asked(client), 401, "key_needed")
        assert "Authorization: Bearer" in said
        assert asked(client).headers["www-authenticate"] == "Bearer"
        assert asked(client, token).status_code == 200
        for page in ("/", "/docs", "/admin", "/healthz", "/readyz", "/openapi.json", "/widget.js"):
            assert client.get(page).status_code == 200


def test_wrong_and_revoked_keys_are_told_by_the_same_words(runtime: Runtime) -> None:
    key, revoked = runtime.keys.add("甲", ["ask"])
    _, good = runtime.keys.add("乙", ["ask"])
    runtime.keys.revoke(key.id)
    with client_of(runtime) as client:
        wrong = [asked(client, other).content for other in (revoked, f"wq_{key.id}_{'x' * 43}")]
        assert wrong[0] == wrong[1] == asked(client, "sk-whatever").content
        assert "向管理员索取" in refuses(asked(client, revoked), 401, "bad_key")
        assert asked(client, good).status_code == 200


def test_an_expired_key_is_told_so(runtime: Runtime) -> None:
    _, token = runtime.keys.add("甲", ["ask"], days=1)
    with client_of(runtime) as client:
        assert asked(client, token).status_code == 200
        with runtime.database.write() as session:
            session.execute(update(KeyRow).values(expires_at="2026-01-01T00:00:00Z"))
        runtime.keys.add("乙", ["ask"])  # so that the keys are read again
        assert "2026-01-01" in refuses(asked(client, token), 401, "key_expired")


def test_a_key_stays_needed_when_the_last_one_ends(runtime: Runtime) -> None:
    key, token = runtime.keys.add("甲", ["ask"])
    runtime.keys.revoke(key.id)
    with client_of(with_settings(runtime, open_access=True)) as client:
        refuses(asked(client), 401, "key_needed")
        refuses(asked(client, token), 401, "bad_key")


def test_a_key_that_ends_while_it_is_used_opens_nothing_from_then_on(runtime: Runtime) -> None:
    key, token = runtime.keys.add("甲", ["ask"])
    with client_of(runtime) as client:
        session = asked(client, token).json()["session_id"]
        runtime.keys.revoke(key.id)
        assert asked(client, token, session_id=session).status_code == 401
        assert client.get(f"/api/sessions/{session}", headers=bearer(token)).status_code == 401


def test_each_scope_opens_its_own_and_admin_all(runtime: Runtime) -> None:
    tokens = {scope: runtime.keys.add(scope, [scope])[1] for scope in get_args(Scope)}
    with client_of(runtime) as client:

        def opens(scope: str) -> list[bool]:
            headers = bearer(tokens[scope])
            found = [
                asked(client, tokens[scope]),
                client.get("/api/documents", headers=headers),
                client.post("/api/documents", json=TEXT, headers=headers),
                client.delete("/api/documents/不在", headers=headers),
                client.get("/api/admin/index", headers=headers),
                client.get("/api/admin/deliveries", headers=headers),
            ]
            for each in found:
                if each.status_code not in {200, 404}:
                    needed = problem_in(each, 403, "key_scope")["needed"]
                    assert needed in get_args(Scope)
            return [each.status_code != 403 for each in found]

        assert opens("ask") == [True, True, False, False, False, False]
        assert opens("ingest") == [False, False, True, True, False, False]
        assert opens("admin") == [True] * 6


def test_a_key_for_documents_alone_leaves_asking_open(runtime: Runtime) -> None:
    _, token = runtime.keys.add("导入", ["ingest"])
    with client_of(runtime) as client:
        assert asked(client).status_code == 200
        refuses(client.post("/api/documents", json=TEXT), 401, "admin_key")
        refuses(client.get("/api/admin/index"), 403, "no_admin_key")
        assert client.post("/api/documents", json=TEXT, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/healthz"])
def test_a_key_in_an_address_is_refused_even_where_none_is_needed(
    runtime: Runtime, path: str
) -> None:
    _, token = runtime.keys.add("导入", ["ingest"])
    with client_of(runtime) as client:
        for name in ("key", "access_token", "q"):
            response = client.post(f"{path}?{name}={token}", json={"question": CAT_QUESTION})
            if path.startswith("/v1"):
                assert response.json()["error"]["code"] == "key_in_url"
            elif path == "/healthz":
                problem_in(response, 405, "method_not_allowed")  # which reads no key at all
            else:
                assert "撤销" in refuses(response, 400, "key_in_url")
            assert token not in response.text


def test_a_public_service_answers_nobody_without_a_key(runtime: Runtime) -> None:
    for settings in ({"host": "0.0.0.0"}, {"public_url": "https://a.example"}):
        with client_of(with_settings(runtime, admin_key=KEY, **settings)) as client:
            refuses(asked(client), 401, "key_needed")
            assert asked(client, KEY).status_code == 200
        with client_of(with_settings(runtime, open_access=True, **settings)) as client:
            assert asked(client).status_code == 200
            refuses(client.post("/api/documents", json=TEXT), 403, "no_admin_key")


def test_somebody_elses_key_is_no_trouble_where_none_is_needed(client: TestClient) -> None:
    # OpenAI's clients cannot do without one
    assert asked(client, "sk-not-needed").status_code == 200
    refuses(asked(client, f"wq_{'0' * 12}_{'x' * 43}"), 401, "bad_key")  # meant for us, and wrong


def test_openai_clients_are_told_in_their_own_form(runtime: Runtime) -> None:
    runtime.keys.add("甲", ["ask"])
    with client_of(runtime) as client:
        error = client.get("/v1/models", headers=bearer("sk-x")).json()["error"]
        assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
        assert "向管理员索取" in error["message"]


def test_a_token_of_the_widget_counts_as_a_key_for_asking_and_no_more(runtime: Runtime) -> None:
    runtime.keys.add("甲", ["ask"])
    settings = {"widget_origins": "https://www.example.com"}
    with client_of(with_settings(runtime, **settings)) as client:
        body, own = {"embedder": "https://www.example.com"}, {"origin": "http://testserver"}
        token = client.post("/widget/token", json=body, headers=own).json()["token"]
        reply = asked(client, token)
        assert reply.status_code == 200
        session = f"/api/sessions/{reply.json()['session_id']}"
        assert client.get(session, headers=bearer(token)).status_code == 200
        assert client.get("/api/suggestions", headers=bearer(token)).status_code == 200
        for path in ("/api/documents", "/api/search?q=阿花", "/v1/models", "/documents/手册/猫"):
            refused = client.get(path, headers=bearer(token))
            assert refused.status_code == 403, path
        assert client.post("/api/documents", json=TEXT, headers=bearer(token)).status_code == 403
        # the source of what was said opens all the same
        assert client.get(reply.json()["citations"][0]["view_url"]).status_code == 200


def test_sources_open_by_the_link_in_an_answer_and_by_no_other(runtime: Runtime) -> None:
    runtime.library("b").ingest([cat_document("手册/猫", "阿花在桥下睡觉。")])
    _, token = runtime.keys.add("甲", ["ask"])
    with client_of(runtime) as client:
        for collection in (None, "b"):
            more = {"collection": collection} if collection else {}
            link = asked(client, token, **more).json()["citations"][0]["view_url"]
            assert client.get(link).status_code == 200
            assert "引文" in client.get(link).text
            for wrong in (
                re.sub("seal=[^&]+", "", link),
                re.sub("seal=[^&]+", "seal=x.y", link),
                re.sub("seal=.", "seal=é%00", link),
                link.replace("%E7%8C%AB", "%E7%8B%97"),  # 猫, 狗
                f"{link}&collection={'default' if collection else 'b'}",
                link.replace("/documents/", "/api/documents/"),
            ):
                assert client.get(wrong).status_code in {401, 404}, wrong
            listed = client.get("/api/documents", params=more, headers=bearer(token)).json()
            assert client.get(listed["documents"][0]["view_url"]).status_code == 200


def test_links_need_no_seal_where_nobody_needs_a_key(client: TestClient) -> None:
    assert "seal" not in asked(client).json()["citations"][0]["view_url"]


def test_a_seal_ends_with_the_conversations() -> None:
    links = Links.of("secret", days=1)
    seal = links.seal("a", "手册/猫")
    assert links.opens(seal, "a", "手册/猫")
    assert Links.of("secret", days=1).opens(seal, "a", "手册/猫")  # in another process
    assert not Links.of("", days=1).opens(seal, "a", "手册/猫")
    assert not links.opens(seal, "a", "手册/狗")
    assert not links.opens(seal, "b", "手册/猫")
    assert not links.opens("\ud800", "a", "手册/猫")
    assert not Links.of("secret", days=-1).opens(seal, "a", "手册/猫")


def test_checking_a_key_writes_nothing_but_once_a_minute(runtime: Runtime) -> None:
    _, token = runtime.keys.add("甲", ["ask"])
    with client_of(runtime) as client:
        for _ in range(5):
            assert client.get("/api/documents", headers=bearer(token)).status_code == 200
    (key,) = runtime.keys.all()
    assert key.used_at is not None


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/healthz", None), ("GET", "/", None), ("POST", "/slack/events", None),
        ("GET", "/api/documents", "ask"), ("HEAD", "/api/documents/x", "ask"),
        ("POST", "/api/documents", "ingest"), ("PATCH", "/api/documents/x", "ingest"),
        ("POST", "/api/chat", "converse"), ("GET", "/api/admin/index", "admin"),
        ("GET", "/api/admin/report", "whole"), ("POST", "/api/admin/deliveries/1/replay", "whole"),
        ("GET", "/api/made/tomorrow", "ask"), ("POST", "/v1/made/tomorrow", "ask"),
        ("GET", "/api/documentsx", "ask"), ("POST", "/api/chats", "ask"), ("POST", "/mcp", "ask"),
    ],
)  # fmt: skip
def test_what_is_new_is_closed(method: str, path: str, need: str | None) -> None:
    assert need_of(method, path) == need
