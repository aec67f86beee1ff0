import time
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from bot.errors import TokenError
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of, problem_in
from bot.tokens import Claims, Tokens

SITE = "https://www.example.com"
OWN = {"origin": "http://testserver"}


@pytest.fixture
def widget(runtime: Runtime) -> Runtime:
    """The runtime with a site that may embed the widget."""
    runtime.settings = runtime.settings.model_copy(update={"widget_origins": (SITE,)})
    return runtime


def token_of(client: TestClient, **body: str) -> str:
    response = client.post("/widget/token", json={"embedder": SITE, **body}, headers=OWN)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["expires_in"] == 900
    return str(response.json()["token"])


def ask(client: TestClient, token: str, origin: str = OWN["origin"], **more: str) -> Response:
    headers = {"authorization": f"Bearer {token}", "origin": origin}
    return client.post("/api/chat", json={"question": CAT_QUESTION, **more}, headers=headers)


def policy_of(response: Response) -> dict[str, str]:
    parts = response.headers["content-security-policy"].split("; ")
    return dict(part.partition(" ")[::2] for part in parts)


def test_no_site_may_frame_the_widget_unless_it_is_listed(client: TestClient) -> None:
    assert policy_of(client.get("/widget/frame"))["frame-ancestors"] == "'none'"


def test_listed_sites_and_no_others_may_frame_the_widget(widget: Runtime) -> None:
    origins = (SITE, "http://127.0.0.1:9000")
    widget.settings = widget.settings.model_copy(update={"widget_origins": origins})
    with client_of(widget) as client:
        response = client.get("/widget/frame")
        policy = policy_of(response)
    assert policy["frame-ancestors"] == f"{SITE} http://127.0.0.1:9000"
    assert "x-frame-options" not in response.headers
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/widget/frame"])
def test_pages_run_only_our_scripts_and_no_text_becomes_html(client: TestClient, path: str) -> None:
    policy = policy_of(client.get(path))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "'none'"
    if path == "/":
        assert policy["frame-ancestors"] == "'none'"


def test_a_token_lets_the_widget_ask(widget: Runtime) -> None:
    with client_of(widget) as client:
        reply = ask(client, token_of(client))
    assert reply.status_code == 200
    assert "屋顶" in reply.json()["answer"]
    assert "set-cookie" not in reply.headers


def test_a_request_without_a_token_is_none_of_the_widgets_business(widget: Runtime) -> None:
    with client_of(widget) as client:
        assert client.post("/api/chat", json={"question": CAT_QUESTION}).status_code == 200
        assert ask(client, "some-other-key").status_code == 200


def test_a_token_is_given_only_to_our_frame_on_a_listed_site(widget: Runtime) -> None:
    with client_of(widget) as client:
        for origin in (SITE, "null", "http://testserver.evil.example", "https://evil.example"):
            headers = {"origin": origin}
            response = client.post("/widget/token", json={"embedder": SITE}, headers=headers)
            problem_in(response, 403, "embedder_not_allowed")
        problem_in(
            client.post("/widget/token", json={"embedder": SITE}), 403, "embedder_not_allowed"
        )
        for embedder in (f"{SITE}.evil.example", "https://evil.example", "null", "", f"{SITE}/"):
            response = client.post("/widget/token", json={"embedder": embedder}, headers=OWN)
            problem_in(response, 403, "embedder_not_allowed")


def test_a_token_of_another_site_is_not_good_for_its_own_pages(widget: Runtime) -> None:
    with client_of(widget) as client:
        problem_in(ask(client, token_of(client), origin=SITE), 401, "bad_token")


def test_a_token_that_was_altered_or_made_elsewhere_is_refused(widget: Runtime) -> None:
    with client_of(widget) as client:
        token = token_of(client)
        elsewhere = Tokens.of("").give(Claims(SITE, "default"))
        middle = len(token) // 2
        other = "A" if token[middle] != "A" else "B"
        altered = f"{token[:middle]}{other}{token[middle + 1 :]}"
        for wrong in (altered, token[:-1], f"{token}x", elsewhere, "wqw_", "wqw_é", "wqw_a.b.c"):
            headers = [(b"authorization", f"Bearer {wrong}".encode())]
            response = client.post("/api/chat", json={"question": "?"}, headers=headers)
            problem_in(response, 401, "bad_token")
            problem_in(client.get("/api/sessions/x", headers=headers), 401, "bad_token")
            problem_in(client.get("/api/suggestions", headers=headers), 401, "bad_token")


def test_a_token_opens_one_collection_only(widget: Runtime) -> None:
    widget.library("birds").ingest([cat_document("鸟", "喜鹊在树上睡觉。")])
    with client_of(widget) as client:
        birds = token_of(client, collection="birds")
        assert ask(client, birds, collection="birds").status_code == 200
        problem_in(ask(client, birds), 401, "bad_token")
        problem_in(ask(client, token_of(client), collection="birds"), 401, "bad_token")
        headers = {"authorization": f"Bearer {birds}"}
        found = client.get("/api/suggestions?collection=birds", headers=headers)
        assert found.json() == {"collection": "birds", "questions": []}
        problem_in(client.get("/api/suggestions", headers=headers), 401, "bad_token")
        unknown = {"embedder": SITE, "collection": "fish"}
        response = client.post("/widget/token", json=unknown, headers=OWN)
        problem_in(response, 404, "collection_not_found")


def test_a_site_taken_off_the_list_loses_its_tokens(widget: Runtime) -> None:
    key = {"secret_key": "the same before and after"}
    widget.settings = Settings(**{**widget.settings.model_dump(), **key})
    with client_of(widget) as client:
        token = token_of(client)
        assert ask(client, token).status_code == 200
    widget.settings = Settings(**{**widget.settings.model_dump(), **key, "widget_origins": ()})
    with client_of(widget) as client:
        problem_in(ask(client, token), 401, "bad_token")


def test_a_token_expires() -> None:
    tokens = Tokens.of("secret", lifetime_seconds=1)
    claims = Claims(SITE, "default")
    token = tokens.give(claims)
    assert tokens.read(token) == claims
    time.sleep(1.1)  # the signature holds whole seconds
    with pytest.raises(TokenError):
        tokens.read(token)


def test_tokens_of_one_secret_are_read_by_every_process() -> None:
    token = Tokens.of("secret").give(Claims(SITE, "default"))
    assert Tokens.of("secret").read(token) == Claims(SITE, "default")
    with pytest.raises(TokenError):
        Tokens.of("other").read(token)


@pytest.mark.parametrize(
    "origin",
    ["https://a.example/", "a.example", "https://*.example", "https://a b", "ftp://a.example", "*"],
)
def test_a_setting_that_is_no_origin_is_told(origin: str) -> None:
    with pytest.raises(ValueError, match=r"is no origin: write https://www\.example\.com"):
        Settings(widget_origins=(origin,))


def test_origins_are_read_from_one_line(tmp_path: Path) -> None:
    line = "https://a.example, http://127.0.0.1:8080"
    settings = Settings.model_validate({"data": tmp_path, "widget_origins": line})
    assert settings.widget_origins == ("https://a.example", "http://127.0.0.1:8080")
