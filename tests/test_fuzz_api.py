from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.api.description import correct
from bot.api.problems import MEDIA_TYPE
from bot.caller import ASKING, CHANGING, Need
from bot.runtime import Runtime
from bot.testing import client_of
from bot.wire import Json
from eval.bench.fuzz_api import figure

SEED = 20_240_229


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_service_does_what_its_description_says(bundled: Path) -> None:
    found = figure(bundled, full=False, seed=SEED, key="wenqu-fuzz-0123456789")
    assert found.held, found.value


def operations(client: TestClient) -> list[tuple[str, str, Json]]:
    described = client.get("/openapi.json").json()
    return [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_an_error_is_described_by_the_media_type_that_it_is_sent_as(client: TestClient) -> None:
    for method, path, operation in operations(client):
        kind = "application/json" if path.startswith("/v1/") else MEDIA_TYPE
        for status, response in operation["responses"].items():
            if status >= "400" and path != "/readyz":
                assert [*response["content"]] == [kind], (method, path, status)


def test_what_needs_a_key_is_described_as_needing_one(runtime: Runtime) -> None:
    secret = {"admin_key": runtime.settings.admin_key.__class__("x" * 16)}
    keyed = runtime.settings.model_copy(update=secret)
    runtime.settings = keyed
    with client_of(runtime) as client:
        needs = {
            (method, path): operation.get("security")
            for method, path, operation in operations(client)
        }
    assert needs["get", "/healthz"] is None
    assert needs["get", "/api/search"] == [{"key": []}, {}]  # as long as there is no key for it
    assert needs["post", "/api/documents"] == needs["get", "/api/admin/index"] == [{"key": []}]


@pytest.mark.parametrize(
    ("free", "security"),
    [(ASKING | CHANGING, [{"key": []}, {}]), (ASKING, [{"key": []}])],
)
def test_a_change_is_free_only_where_the_door_says_so(
    free: frozenset[Need], security: list[Json]
) -> None:
    operation: Json = {"responses": {"200": {}}, "requestBody": {}}
    described: Json = {
        "paths": {"/api/documents": {"post": operation, "parameters": []}},
        "components": {"schemas": {"ValidationError": {}, "HTTPValidationError": {}}},
    }
    correct(described, free)
    assert operation["security"] == security
    assert {"401", "403", "408", "413", "429", "503"} <= operation["responses"].keys()
    assert described["components"]["schemas"] == {}


def test_what_is_never_answered_is_not_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert "422" not in described["paths"]["/v1/chat/completions"]["post"]["responses"]


def test_metrics_are_described_as_the_text_that_they_are(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]
    assert [*described["responses"]["200"]["content"]] == ["text/plain"]


def test_a_stream_is_described_event_by_event(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/api/chat", "/v1/chat/completions"):
        content = paths[path]["post"]["responses"]["200"]["content"]
        assert content["text/event-stream"]["itemSchema"]["required"] == ["data"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/documents", {"GET", "POST"}),
        ("/api/documents/a/b", {"GET", "DELETE"}),
        ("/api/sessions/x", {"GET", "DELETE"}),
        ("/api/chat", {"POST"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_told_every_right_one(
    client: TestClient, path: str, allowed: set[str]
) -> None:
    response = client.patch(path)
    assert response.status_code == 405
    told = response.headers["allow"].split(", ")
    assert (set(told), len(told)) == (allowed, len(allowed))  # each of them once


def test_an_upload_without_a_file_is_described_as_wrong(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/api/documents"]["post"]
    form = described["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["files"]["minItems"] == 1
