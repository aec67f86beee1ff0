import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam
from starlette.testclient import TestClient

from bot.answer import Answer
from bot.app import create_app
from bot.bot import Bot
from bot.channels.openai_schema import ErrorReply
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, client_of, serving
from corpus.words import Segmenter
from index.testing import CharEmbedder

USER: ChatCompletionUserMessageParam = {"role": "user", "content": CAT_QUESTION}
BODY = {"model": "wenqu", "messages": [USER]}


def error_in(response: httpx2.Response, status: int) -> dict[str, Any]:
    """Return the error object of a response, which is in OpenAI's form and no other."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    said = response.json()
    ErrorReply.model_validate(said, strict=True)
    assert list(said) == ["error"]
    assert sorted(said["error"]) == ["code", "message", "param", "type"]
    error: dict[str, Any] = said["error"]
    return error


WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"n": 2}, "unsupported_parameter", "n"),
    ({"tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "unsupported_parameter", "tool_choice"),
    ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "unsupported_parameter",
        "messages",
    ),
    ({"messages": []}, "invalid_request", "messages"),
    ({"messages": [{"role": "king", "content": "?"}]}, "invalid_request", "messages.0.role"),
    ({"messages": [{"role": "user", "content": 5}]}, "invalid_request", "messages.0.content"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, "invalid_request", "messages.0.content.0.text"),  # noqa: E501
    ({"model": "\ud800"}, "invalid_request", "model"),
    ({"model": None}, "invalid_request", "model"),
    ({"stream": "yes"}, "invalid_request", "stream"),
    ({"max_tokens": 0}, "invalid_request", "max_tokens"),
    ({"messages": [{"role": "system", "content": "?"}]}, "question_empty", "messages"),
    ({"messages": [{"role": "user", "content": " "}]}, "question_empty", "messages"),
    ({"messages": [{"role": "user"}]}, "question_empty", "messages"),
    ({"messages": [{"role": "user", "content": "长" * 2001}]}, "question_too_long", "messages"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "parameter"), WRONG)
@pytest.mark.parametrize("streams", [False, True])
def test_a_wrong_request_gets_an_error_object_before_any_stream(
    client: TestClient, wrong: dict[str, Any], code: str, parameter: str | None, *, streams: bool
) -> None:
    body = json.dumps({**BODY, "stream": streams, **wrong})
    kind = {"content-type": "application/json"}
    response = client.post("/v1/chat/completions", content=body, headers=kind)
    error = error_in(response, 400)
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == parameter
    assert len(error["message"]) > 10


def test_below_v1_every_error_has_the_form_of_openai_and_elsewhere_none(
    client: TestClient,
) -> None:
    path = "/v1/chat/completions"
    kind = {"content-type": "application/json"}
    assert error_in(client.get("/v1/nothing"), 404)["code"] == "not_found"
    assert error_in(client.get("/v1"), 404)["type"] == "invalid_request_error"
    assert error_in(client.get(path), 405)["code"] == "method_not_allowed"
    assert error_in(client.get("/v1/models/wenqu/none"), 404)["code"] == "model_not_found"
    assert error_in(client.post(path, content="{", headers=kind), 400)["code"] == "bad_request"
    assert error_in(client.post(path, content="[]", headers=kind), 400)["param"] == "body"
    assert error_in(client.post(path, content="{}"), 415)["code"] == "unsupported_media_type"
    large = b" " * 1_000_001
    assert error_in(client.post(path, content=large, headers=kind), 413)["code"] == "too_large"
    chunks = (large[:100_000] for _ in range(11))
    assert error_in(client.post(path, content=chunks, headers=kind), 413)["code"] == "too_large"
    other = client.get("/v1x")
    assert other.headers["content-type"] == "application/problem+json"


class Breaking(Runtime):
    """Finds passages for a question, and then cannot answer it."""

    error: Exception

    def bot(self, collection: str | None = None) -> Bot:
        error = self.error

        class Broken(Bot):
            def answer(self, *_: object, **__: object) -> Answer:
                raise error

        return Broken(super().bot(collection).library)


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("secret"), "internal"), (TimeoutError(), "deadline")],
)
def test_what_fails_in_a_stream_ends_it_by_an_error_without_done(
    runtime: Runtime, segmenter: Segmenter, error: Exception, code: str
) -> None:
    def broken() -> Breaking:
        made = Breaking(runtime.settings, runtime.database, CharEmbedder(""), segmenter)
        made.error = error
        return made

    with (
        serving(broken()) as port,
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0
        ) as real,
        pytest.raises(openai.APIError) as told,
    ):
        list(real.chat.completions.create(model="wenqu", messages=[USER], stream=True))
    assert told.value.code == code
    assert told.value.type == "server_error"
    with client_of(broken()) as client:
        text = client.post("/v1/chat/completions", json={**BODY, "stream": True}).text
    first, last = text.strip().split("\n\n")
    assert "delta" in first
    assert list(json.loads(last.removeprefix("data: "))) == ["error"]
    assert "secret" not in text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(RuntimeError("secret"), 500, "internal"), (TimeoutError(), 504, "deadline")],
)
def test_what_fails_without_a_stream_has_a_status(
    runtime: Runtime, segmenter: Segmenter, error: Exception, status: int, code: str
) -> None:
    broken = Breaking(runtime.settings, runtime.database, CharEmbedder(""), segmenter)
    broken.error = error
    with client_of(broken) as client:
        told = error_in(client.post("/v1/chat/completions", json=BODY), status)
    assert (told["type"], told["code"]) == ("server_error", code)
    assert "secret" not in told["message"]


def test_a_service_that_is_not_ready_says_when_to_try_again(runtime: Runtime) -> None:
    def never(_settings: object) -> Runtime:
        raise TimeoutError

    with TestClient(create_app(runtime.settings, open_runtime=never)) as client:
        response = client.post("/v1/chat/completions", json=BODY)
    assert error_in(response, response.status_code)["type"] == "server_error"
    assert response.status_code in {503, 504}
    assert int(response.headers["retry-after"]) > 0
