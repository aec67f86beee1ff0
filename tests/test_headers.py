import re

import pytest
from starlette.testclient import TestClient

from bot.runtime import Runtime
from bot.testing import client_of

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
EMBEDDED = {"/widget.js", "/widget/frame"}
PATHS = [
    "/", "/docs", "/admin", "/openapi.json", "/healthz", "/readyz", "/metrics", "/api/documents",
    "/api/search?q=x", "/api/suggestions", "/api/sessions/x", "/api/admin/index", "/nowhere",
    "/api/admin/report", "/v1/models", "/v1/models/x", "/v1/nothing", "/assets/theme.css",
    "/assets/x/theme.css", "/assets/none.js", "/documents/nothing", "/documents/手册/猫",
    "/widget.js", "/widget/frame", "/api/chat", "/widget/token", "/favicon.ico", "/../etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"])
def test_every_response_tells_browsers_what_it_is_not_for(client: TestClient, method: str) -> None:
    described = [
        re.sub(r"\{.*?\}", "x", path) for path in client.get("/openapi.json").json()["paths"]
    ]
    for path in sorted({*PATHS, *described}):
        headers = client.request(method, path).headers
        found = {name: headers.get(name) for name in EVERYWHERE}
        assert found == EVERYWHERE, (method, path)
        policy = headers["content-security-policy"]
        for directive in ("default-src 'none'", "base-uri 'none'", "form-action 'none'"):
            assert directive in policy, (method, path)
        assert "frame-ancestors" in policy
        for source in ("unsafe-eval", "script-src 'unsafe", "*", "http:", "data: 'self'"):
            assert source not in policy, (method, path)
        shared = method == "GET" and path in EMBEDDED
        kind = "cross-origin" if shared else "same-origin"
        assert headers["cross-origin-resource-policy"] == kind, (method, path)
        assert "strict-transport-security" not in headers
        assert "server" not in headers


@pytest.mark.parametrize(
    ("public_url", "told"),
    [("https://docs.example", "max-age=31536000"), ("http://docs.example", None), ("", None)],
)
def test_browsers_are_told_to_stay_with_https_only_where_it_is_the_public_address(
    runtime: Runtime, public_url: str, told: str | None
) -> None:
    runtime.settings = runtime.settings.model_copy(update={"public_url": public_url})
    with client_of(runtime) as client:
        for path in ("/", "/healthz", "/nowhere"):
            assert client.get(path).headers.get("strict-transport-security") == told
