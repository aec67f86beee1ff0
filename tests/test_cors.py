import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of, problem_in

SITE = "https://www.example.com"
TRICKS = [
    "null",
    "https://www.example.com.evil.example",
    "https://evil-www.example.com",
    "https://example.com",
    "https://sub.www.example.com",
    "http://www.example.com",
    "https://www.example.com:8443",
    "https://www.example.com/",
    "https://www.example.com@evil.example",
    "HTTPS://WWW.EXAMPLE.COM",
    "https://www.example.comm",
    "https://www.example.co",
    "https://wwwxexample.com",
    "*",
    "",
]


def allowing(runtime: Runtime) -> Runtime:
    runtime.settings = runtime.settings.model_copy(update={"cors_origins": (SITE,)})
    return runtime


def told(response: Response) -> dict[str, str]:
    """Return what a response tells a browser of other sites."""
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


def preflight(client: TestClient, origin: str, method: str = "POST") -> Response:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization, content-type",
    }
    return client.options("/api/chat", headers=headers)


def test_nobody_else_reads_answers_unless_it_is_set(client: TestClient) -> None:
    for origin in (SITE, *TRICKS):
        assert told(client.get("/api/documents", headers={"origin": origin})) == {}
        assert told(preflight(client, origin)) == {}


def test_a_site_that_is_listed_may_read_answers(runtime: Runtime) -> None:
    with client_of(allowing(runtime)) as client:
        found = client.get("/api/documents", headers={"origin": SITE})
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == SITE
        assert "access-control-allow-credentials" not in found.headers
        assert "Origin" in found.headers["vary"]
        asked = preflight(client, SITE)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == SITE
        assert asked.headers["access-control-allow-methods"] == "DELETE, GET, POST"
        assert {"authorization", "content-type"} <= {
            *asked.headers["access-control-allow-headers"].lower().split(", ")
        }
        assert "access-control-allow-credentials" not in asked.headers
        assert "Origin" in asked.headers["vary"]


@pytest.mark.parametrize("origin", TRICKS)
def test_no_other_site_passes_for_one_that_is_listed(runtime: Runtime, origin: str) -> None:
    with client_of(allowing(runtime)) as client:
        found = client.get("/api/documents", headers={"origin": origin})
        assert "access-control-allow-origin" not in found.headers
        assert "Origin" in found.headers["vary"]  # a cache must not give it what the other got
        asked = preflight(client, origin)
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers


def test_a_method_that_there_is_not_is_not_allowed(runtime: Runtime) -> None:
    with client_of(allowing(runtime)) as client:
        assert preflight(client, SITE, "PUT").status_code == 400


def test_the_same_answer_without_an_origin_says_that_it_depends_on_it(runtime: Runtime) -> None:
    with client_of(allowing(runtime)) as client:
        assert "Origin" in client.get("/api/documents").headers["vary"]


def test_a_listed_site_may_read_why_it_was_turned_away(runtime: Runtime) -> None:
    runtime.keys.add("甲", ["ask"])
    with client_of(allowing(runtime)) as client:
        assert preflight(client, SITE).status_code == 200  # which never comes with a key
        refused = client.post("/api/chat", json={"question": "?"}, headers={"origin": SITE})
        problem_in(refused, 401, "key_needed")
        assert refused.headers["access-control-allow-origin"] == SITE
        assert "Retry-After" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["*", "null", "https://*.example.com", f"{SITE}/"])
def test_nobody_is_allowed_in_general(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings(cors_origins=(origin,))
