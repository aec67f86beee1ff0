"""Errors below `/v1` as OpenAI's clients expect them, whoever raised them."""

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api.problems import MEDIA_TYPE
from bot.wire import Json

PREFIX = "/v1"
_SERVER_ERROR = 500
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_PARAMETERS = {"model_not_found": "model", "question": "messages"}


def error_json(problem: Json) -> Json:
    """Return a problem object as OpenAI's error object, with the words of both languages."""
    status, code = problem["status"], problem["code"]
    usual = "server_error" if status >= _SERVER_ERROR else "invalid_request_error"
    return {
        "error": {
            "message": f"{problem['detail']} {problem['detail_en']}",
            "type": _TYPES.get(status, usual),
            "param": _parameter(problem),
            "code": _CODES.get(status, code),
        }
    }


def _parameter(problem: Json) -> str | None:
    for error in problem.get("errors", ()):
        return str(error["where"]).removeprefix("body.")
    if "parameter" in problem:
        return str(problem["parameter"])
    code = str(problem["code"])
    return _PARAMETERS.get(code) or _PARAMETERS.get(code.partition("_")[0])


class OpenAIErrors:
    """ASGI middleware that says problems in OpenAI's form; everything else passes as it is.

    It goes around all others, so that what they refuse is told in that form, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Go around `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == PREFIX or path.startswith(f"{PREFIX}/")):
            await self._app(scope, receive, _Translation(send))
        else:
            await self._app(scope, receive, send)


class _Translation:
    """Sends on a response; a problem, which is small, only once it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        problem = json.loads(self._body)
        body = json.dumps(error_json(problem), ensure_ascii=False).encode()
        own = {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}
        kept = [(name, value) for name, value in start["headers"] if name.lower() not in own]
        # a value that fails a check is 422 elsewhere in wenqu, and 400 with OpenAI
        status = 400 if problem["status"] == 422 else problem["status"]  # noqa: PLR2004
        await self._send({**start, "status": status, "headers": [*kept, *own.items()]})
        await self._send({"type": "http.response.body", "body": body})


def _is_problem(start: Message) -> bool:
    return MutableHeaders(scope=start).get("content-type") == MEDIA_TYPE
