"""Errors as problem details, RFC 9457, in Chinese and in English."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from bot.errors import SignatureError
from bot.problems import Problem, problem_of
from bot.wire import Json
from corpus.errors import WenquError

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_log = logging.getLogger("wenqu")

_BY_STATUS = {
    400: ("bad_request", "请求有误", "请求的内容读不懂。", "The request cannot be read."),
    403: ("cross_site", "不允许", "别的网站不能这样做。", "Another site may not do this."),
    404: ("not_found", "没有这个地址", "没有这个地址。", "There is nothing at this address."),
    405: (
        "method_not_allowed",
        "方法不对",
        "这个地址不支持这种方法。",
        "The method is not allowed.",
    ),
    408: (
        "slow_body",
        "发送太慢",
        "请求的内容没有在规定的时间里发完。",
        "The body of the request did not arrive in time.",
    ),
    413: ("too_large", "内容太大", "请求的内容太大。", "The request is too large."),
    415: (
        "unsupported_media_type",
        "内容类型不对",
        "请用 JSON，并加上 content-type: application/json。",
        "Send JSON with content-type: application/json.",
    ),
}
_MESSAGES = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项",
    "string_type": "应为文字",
    "value_error": "有无法识别的字符",
    "string_too_long": "太长",
    "string_pattern_mismatch": "格式不对",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
    "literal_error": "不在可选的值里",
    "model_attributes_type": "应为 JSON 对象",
    "dict_type": "应为 JSON 对象",
}


def problem_json(problem: Problem) -> Json:
    """Return the problem object."""
    return {
        "type": f"urn:wenqu:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "detail_en": problem.detail_en,
        "code": problem.code,
        **problem.fields,
        **({"retry_after": problem.retry_seconds} if problem.retry_seconds else {}),
    }


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem as a response, with `Retry-After` where another try is worth it."""
    extra = {"retry-after": str(problem.retry_seconds)} if problem.retry_seconds else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:  # RFC 9110 wants it to say how
        extra["www-authenticate"] = "Bearer"
    return JSONResponse(
        problem_json(problem),
        problem.status,
        {"cache-control": "no-store", **extra, **(headers or {})},
        MEDIA_TYPE,
    )


def of_status(status: int, *, detail: str = "", detail_en: str = "") -> Problem:
    """Return the problem of an HTTP status, worded for the case at hand if `detail` is given."""
    code, title, usual, usual_en = _BY_STATUS.get(status, _BY_STATUS[400])
    return Problem(code, status, title, detail or usual, detail_en or usual_en)


def add_handlers(app: FastAPI) -> None:
    """Have every error of `app` answered by a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    for known in (WenquError, OSError, SQLAlchemyError):
        app.add_exception_handler(known, _of_error)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # for the type checker
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = ", ".join(_methods(request))
    return problem_response(of_status(error.status_code), headers)


def _methods(request: Request) -> Iterator[str]:
    """Yield what the address takes; of several routes to it, the router names the first only."""
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


async def _of_error(request: Request, error: Exception) -> Response:
    if isinstance(error, SignatureError):  # the log is told which check failed, and nobody else
        _log.warning("a request to %s was refused: %s", request.scope["route"].path, error.reason)
    return problem_response(problem_of(error))


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # for the type checker
    errors = error.errors()
    if any(found["type"] == "json_invalid" for found in errors):
        return problem_response(
            of_status(400, detail="请求的内容不是 JSON。", detail_en="The body is not JSON.")
        )
    in_body = any(found["loc"][0] == "body" for found in errors)
    if in_body and "json" not in request.headers.get("content-type", ""):
        return problem_response(of_status(415))
    return problem_response(invalid(errors))


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the problem of a request whose values are not as they have to be.

    The values themselves are not repeated: they may be broken text, or secret.
    """
    where = [
        {"where": ".".join(map(str, found["loc"])), "message": found["msg"]} for found in errors
    ]
    first = errors[0]
    name = str(first["loc"][-1])
    said = _MESSAGES.get(first["type"], "不对")
    return Problem(
        "invalid_request",
        422,
        "请求有误",
        f"{name}：{said}。",
        f"{where[0]['where']}: {where[0]['message']}",
        fields={"errors": where},
    )
