"""What `/openapi.json` says: what FastAPI sees of the application, and what it cannot see.

FastAPI knows nothing of what stands before the endpoints, and tells every error as JSON of an
ordinary kind, with one of its own for values that are wrong. Here each is a problem with its own
media type, and what the door and the limits of a body may say is told for all endpoints at once.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from bot.api.door import need_of
from bot.api.problems import MEDIA_TYPE
from bot.api.schema import ProblemReply
from bot.api.state import State
from bot.caller import Need
from bot.channels.openai_errors import PREFIX
from bot.channels.openai_schema import ErrorReply
from bot.keys import Keyring
from bot.reach import open_to_all
from bot.wire import Json

_JSON = "application/json"
_REF = "#/components/schemas/"
_NOT_OURS = ("HTTPValidationError", "ValidationError")
_METHODS = frozenset({"get", "post", "delete"})
_SCHEME = "key"
_AT_THE_DOOR = (400, 401, 403, 429, 503, 504)
_OF_A_BODY = (400, 408, 413)


class DescribedApp(FastAPI):
    """An application that tells its errors, and what needs a key, as they are."""

    def openapi(self) -> dict[str, Any]:
        """Return the description; made once."""
        if self.openapi_schema is None:
            state: State = self.state.wenqu
            correct(super().openapi(), open_to_all(state.settings, Keyring([])))
        return super().openapi()


def correct(description: Json, free: frozenset[Need]) -> None:
    """Have a description told all that it cannot see.

    Args:
        description: As FastAPI made it; changed.
        free: What needs no key as long as there is none.
    """
    for method, path, operation in _operations(description):
        responses: Json = operation["responses"]
        need = need_of(method.upper(), path)
        if need is not None:
            key: dict[str, list[str]] = {_SCHEME: []}
            operation["security"] = [key, {}] if need in free else [key]
        others = (
            *(_AT_THE_DOOR if need else ()),
            *(_OF_A_BODY if "requestBody" in operation else ()),
        )
        for status in others:
            responses.setdefault(str(status), _error(status, path))
        for status, response in [*responses.items()]:
            content: Json = response.get("content", {})
            named = content.get(_JSON, {}).get("schema", {}).get("$ref", "").removeprefix(_REF)
            if named == ProblemReply.__name__:
                content[MEDIA_TYPE] = content.pop(_JSON)
            elif named in _NOT_OURS:
                del responses[status]
    components: Json = description["components"]
    components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
    for name in _NOT_OURS:
        components["schemas"].pop(name, None)


def _operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                yield method, path, operation


def _error(status: int, path: str) -> Json:
    kind = ErrorReply if path.startswith(f"{PREFIX}/") else ProblemReply
    schema = {"$ref": f"{_REF}{kind.__name__}"}
    return {"description": HTTPStatus(status).phrase, "content": {_JSON: {"schema": schema}}}
