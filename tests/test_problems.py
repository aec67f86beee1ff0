import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy.exc import DataError, OperationalError

import bot.errors
import corpus.errors
import index.errors
from bot.api.problems import of_status, problem_json
from bot.errors import (
    AdminKeyError,
    BadKeyError,
    DeliveryNotFoundError,
    EmbedderError,
    ExtraNotInstalledError,
    KeyExpiredError,
    KeyInUrlError,
    KeyNeededError,
    KeyNotFoundError,
    KeyScopeError,
    NoAdminKeyError,
    NotReadyError,
    OverloadedError,
    PlatformError,
    QuestionError,
    RateLimitError,
    ReplyUrlError,
    ReportError,
    ReusedIdError,
    SessionNotFoundError,
    SettingsError,
    ShuttingDownError,
    SignatureError,
    TokenError,
    TurnKeptError,
    TurnNotFoundError,
    UnknownModelError,
    UnsupportedError,
)
from bot.problems import INTERNAL, TROUBLES, Problem, problem_of
from corpus.errors import ParserError, Trouble, UnreadableSourceError, WenquError
from index.errors import (
    CollectionNotFoundError,
    CorruptIndexError,
    DocumentNotFoundError,
    DriverError,
    LibraryBusyError,
    ModelError,
    ModelMismatchError,
    SchemaError,
)

KNOWN = [
    QuestionError(code="empty", reason="nothing"),
    QuestionError(code="too_long", reason="long"),
    QuestionError(code="broken", reason="broken"),
    SettingsError("port", "default", "wrong"),
    SessionNotFoundError("s"),
    ShuttingDownError(),
    TurnNotFoundError("t"),
    TurnKeptError("t"),
    ExtraNotInstalledError(library="mcp", extra="mcp"),
    UnknownModelError("gpt-4"),
    *(
        UnsupportedError(parameter=name, reason="so")
        for name in ("n", "tool_choice", "response_format", "messages")
    ),
    AdminKeyError(),
    NoAdminKeyError(),
    KeyNeededError(),
    BadKeyError(),
    KeyExpiredError("2026-01-01T00:00:00Z"),
    KeyScopeError("ingest"),
    KeyScopeError("admin", is_limited=True),
    KeyInUrlError(),
    KeyNotFoundError("k"),
    RateLimitError(3),
    ReportError("results.json", "format: Input should be 1"),
    EmbedderError("https://evil.example"),
    TokenError(),
    SignatureError("old"),
    ReusedIdError("msg_1"),
    ReplyUrlError(),
    DeliveryNotFoundError(7),
    PlatformError("HTTP 500", arrived=True),
    NotReadyError("loading"),
    OverloadedError(5),
    UnreadableSourceError("a.pdf", "needs a password", trouble="locked"),
    ParserError("no process to parse in can be started"),
    ModelError("no weights"),
    ModelMismatchError("A", "B"),
    CorruptIndexError(Path("g"), "bad"),
    LibraryBusyError("a", "process 5"),
    DriverError("mysql", "none"),
    SchemaError("0009", "0001"),
    DocumentNotFoundError("d"),
    CollectionNotFoundError("c"),
    DataError("SELECT 'secret question'", {}, Exception("secret")),
    OperationalError("SELECT 'secret question'", {}, Exception("secret")),
    TimeoutError(),
    OSError(errno.ENOSPC, "No space left on device", "/secret/path"),
    PermissionError(errno.EACCES, "Permission denied", "/secret/path"),
    OSError(errno.EIO, "Input/output error", "/secret/path"),
]


@pytest.mark.parametrize("error", KNOWN, ids=lambda error: type(error).__name__)
def test_every_known_error_is_told_in_both_languages_without_secrets(error: Exception) -> None:
    problem = problem_of(error)
    assert problem is not INTERNAL
    assert re.search(r"[\u4e00-\u9fff]", problem.detail)
    assert problem.detail_en
    assert "secret" not in str(problem_json(problem))


def test_every_trouble_of_a_source_has_words() -> None:
    assert set(TROUBLES) == set(get_args(Trouble))


def test_what_is_no_error_of_ours_tells_nothing() -> None:
    assert problem_of(RuntimeError("secret")) is INTERNAL
    assert problem_of(ValueError("secret")) is INTERNAL


def classes() -> Iterator[type[WenquError]]:
    for module in (corpus.errors, index.errors, bot.errors):
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, WenquError):
                yield found


def test_every_error_is_drawn_in_the_tree() -> None:
    tree = corpus.errors.__doc__ or ""
    assert [found.__name__ for found in classes() if found.__name__ not in tree] == []


def test_a_code_belongs_to_one_kind_of_problem_and_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "http.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([0-9]{3}) \|", text, re.MULTILINE))
    made: list[Problem] = [problem_of(error) for error in KNOWN]
    made += [of_status(status) for status in (400, 403, 408, 404, 405, 413, 415)]
    made += [INTERNAL, Problem("invalid_request", 422, "", "", "")]
    assert {problem.code: str(problem.status) for problem in made} == rows


def test_a_problem_object_has_what_programs_need() -> None:
    assert problem_json(problem_of(OverloadedError(7))) == {
        "type": "urn:wenqu:problem:overloaded",
        "title": "请稍后再试",
        "status": 503,
        "detail": "提问的人太多，请 7 秒后再试。",
        "detail_en": "too many questions are waiting: try again in 7 s",
        "code": "overloaded",
        "retry_after": 7,
    }
    assert problem_json(problem_of(DocumentNotFoundError("d")))["document_id"] == "d"
