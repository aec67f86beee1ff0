import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bot.api.envelope import REQUEST_ID
from bot.logs import OURS, JsonLines, PlainLines, set_up
from bot.redact import HIDDEN, Redactor, secrets_of
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, serving
from corpus.words import Segmenter
from index.embed import Vectors
from index.testing import CharEmbedder

# what a terminal or a viewer may take for the end of a line or an order
ODD = "一\n二\r\x1b[2J\x9b1m\x85三\u2028四\u202e五\x00\x7f"


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("wenqu", logging.INFO, "a.py", 1, message, (), None)
    made.__dict__.update(more)
    return made


@contextmanager
def logged(settings: Settings) -> Iterator[list[dict[str, Any]]]:
    """Collect what is logged, of all libraries and at every level."""
    stream, found = io.StringIO(), list[dict[str, Any]]()
    set_up(settings, stream)
    logging.getLogger().setLevel(logging.DEBUG)
    yield found
    found.extend(map(json.loads, stream.getvalue().splitlines()))


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    line = JsonLines().format(record(ODD, fields={"status": 200}))
    assert line.isprintable()
    assert line.splitlines() == [line]
    said = json.loads(line)
    assert (said["message"], said["status"], said["level"]) == (ODD, 200, "info")
    assert "request_id" not in said


def test_on_a_terminal_it_is_one_line_too_and_gives_no_orders() -> None:
    error = ValueError("bad")
    line = PlainLines(tells_all=True).format(record(ODD, exc_info=(ValueError, error, None)))
    assert line.isprintable()
    assert "一\\n二\\u000d\\u001b[2J" in line
    assert line.endswith("ValueError: bad")


def test_a_record_names_the_request_it_belongs_to() -> None:
    token = REQUEST_ID.set("abc-12345")
    try:
        assert json.loads(JsonLines().format(record("x")))["request_id"] == "abc-12345"
        assert PlainLines().format(record("x")).endswith("INFO x [abc-12345]")
    finally:
        REQUEST_ID.reset(token)


def fail() -> None:
    try:
        int("阿花的问题")
    except ValueError as error:
        message = "又一个问题"
        raise KeyError(message) from error


def raised() -> Exception:
    """Return an error that came from another, as an answer's would."""
    with pytest.raises(KeyError) as found:
        fail()
    return found.value


def trace(error: BaseException, *, tells_all: bool = False) -> str:
    made = record("x", exc_info=(type(error), error, error.__traceback__))
    return str(json.loads(JsonLines(tells_all=tells_all).format(made))["trace"])


def test_a_trace_says_where_and_what_kind_and_not_what_was_in_it() -> None:
    shown = trace(raised()).splitlines()
    assert [line.rpartition(" ")[2] for line in shown if ".py:" in line] == [
        "fail",
        "raised",
        "fail",
    ]
    assert [line for line in shown if ".py:" not in line] == ["ValueError", "KeyError"]
    group = ExceptionGroup("阿花", [raised(), OSError(28, "No space left on device")])
    assert trace(group).splitlines()[-2:] == [
        "OSError: [Errno 28] No space left on device",
        "ExceptionGroup",
    ]


def test_a_trace_tells_all_where_that_is_asked_for() -> None:
    assert trace(raised(), tells_all=True).splitlines()[-1] == "KeyError: '又一个问题'"


_WRONG = text("SELECT :question FROM nowhere")


def test_a_database_error_is_told_without_the_values(runtime: Runtime) -> None:
    with runtime.database.read() as session, pytest.raises(OperationalError) as found:
        session.execute(_WRONG, {"question": "阿花在哪里"})
    told = trace(found.value)
    assert "no such table: nowhere" in told
    assert "阿花" not in told


def test_ours_is_logged_from_the_level_set_and_of_libraries_only_warnings() -> None:
    stream = io.StringIO()
    set_up(Settings(), stream)
    logging.getLogger("wenqu.access").info("ours")
    logging.getLogger("wenqu.access").debug("too fine")
    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("careful")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "ours",
        "careful",
    ]


def test_on_a_terminal_lines_are_for_people() -> None:
    stream = Terminal()
    set_up(Settings(), stream)
    logging.getLogger("wenqu").info("准备好了")
    assert stream.getvalue().endswith("INFO 准备好了\n")


SECRETS = {
    "admin_key": "canary-admin-key-123456",
    "llm_api_key": "canary-llm-key",
    "slack_bot_token": "xoxb-canary-bot",
    "slack_signing_secret": "canary signing+secret/",
    "database_url": "postgresql://wenqu:canary-password@db.example/wenqu",
}


@pytest.mark.parametrize("libraries", ["httpx", "httpx2", "openai", "slack_sdk", "uvicorn.error"])
@pytest.mark.parametrize(
    "said",
    [
        "canary-admin-key-123456",
        "key is canary-llm-key here",
        "canary%20signing%2Bsecret%2F",
        "postgresql://wenqu:canary-password@db.example/wenqu",
        "GET https://qyapi.example/send?access_token=canary&debug=1",
        "POST /x?msg_signature=canary&timestamp=1&nonce=canary",
        "https://canary:canary@host/",
        "headers={'Authorization': 'Bearer canary'}",
        "[(b'authorization', b'Basic canary'), (b'accept', b'*/*')]",
        "Authorization: Bearer canary",
        "X-Slack-Signature: v0=canary",
        "webhook-signature: v1,canary=",
        '{"tenant_access_token": "canary", "expire": 7200}',
        "token sk-canary-canary",
        "whsec_canaryCANARY",
        "mail to canary.user+x@mail.example.com now",
        "电话13812345678，canary@a.cn",
        "tel +86 138-1234-5678",
        "tel +1 415 555 2671",
    ],
)
def test_no_secret_and_nobody_s_address_gets_through(libraries: str, said: str) -> None:
    with logged(Settings.model_validate(SECRETS)) as lines:
        logging.getLogger(libraries).debug(said)
        logging.getLogger(libraries).warning("x %s", said)
    shown = "".join(line["message"] for line in lines)
    assert len(lines) == 2
    for canary in ("canary", "CANARY", "138", "555"):
        assert canary not in shown
    assert HIDDEN in shown


def test_what_is_no_secret_stays() -> None:
    plain = (
        "GET /api/documents/{document_id:path} 200 12.5 ms",
        "2026-11-24T13:16:47.838+00:00 delivery 17955263367581336 to crm is given up",
        "model multilingual-e5-small@2 v1.24, 1979 年, 3.14159265358979, offsets 12:15",
        "token of the widget is not ours",
    )
    clean = Redactor(secrets_of(Settings())).clean
    assert [clean(text) for text in plain] == list(plain)


def test_redaction_takes_time_in_proportion(
    cpu_seconds: Callable[[Callable[[], object]], float],
) -> None:
    clean = Redactor(["secret-secret"]).clean
    for piece in ("a", "a.", "1", "+1 ", "authorization ", "token=", "://", "'key': '"):
        once, twice = (piece * (n // len(piece)) for n in (20_000, 40_000))
        spent = cpu_seconds(partial(clean, once))
        assert cpu_seconds(partial(clean, twice)) < 3 * spent + 0.05, piece


def test_every_secret_of_the_settings_is_known() -> None:
    whsec = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    given = {**SECRETS, "webhooks": {"crm": {"secret": [whsec]}}}
    found = secrets_of(Settings.model_validate(given))
    assert {*SECRETS.values(), whsec, "canary-password"} - found == {SECRETS["database_url"]}


class Failing(CharEmbedder):
    """Fails with the question in its words, as a library may."""

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        message = f"cannot embed {texts}"
        raise RuntimeError(message)


PRIVATE = "阿花的秘密住址在哪里？"


def test_no_question_is_in_a_log_at_any_level_or_in_an_error_or_a_metric(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    failing = Runtime(runtime.settings, runtime.database, Failing(""), segmenter)
    said: list[str] = []
    with logged(runtime.settings) as lines:
        for made in (runtime, failing):
            with serving(made) as port, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as http:
                http.headers["authorization"] = "Bearer canary-canary"
                said = [
                    http.post("/api/chat", json={"question": PRIVATE, "stream": True}).text,
                    http.post("/api/chat", json={"question": PRIVATE, "top_k": PRIVATE}).text,
                    http.get("/api/search", params={"q": PRIVATE}).text,
                    http.get(f"/api/documents/{PRIVATE}").text,
                    http.get("/metrics").text,
                ]
                with socket.create_connection(("127.0.0.1", port), 20) as connection:
                    connection.sendall(f"{PRIVATE}\r\n\r\n".encode())
                    connection.recv(1000)
    lines = [line for line in lines if not line["logger"].startswith("http")]  # of our own client
    written = json.dumps(lines, ensure_ascii=False)
    assert {line["status"] for line in lines if line.get("route") == "/api/chat"} == {200, 422, 500}
    assert "RuntimeError" in written
    for word in ("秘密", "住址", "canary", "%E7%A7%98", "\\u79d8"):
        assert word not in written
        assert word not in said[4]
    assert "秘密" not in said[1]


def test_questions_are_logged_where_that_is_asked_for(runtime: Runtime) -> None:
    runtime.settings = runtime.settings.model_copy(update={"log_questions": True})
    with logged(runtime.settings) as lines, serving(runtime) as port:
        url = f"http://127.0.0.1:{port}/api/chat"
        response = httpx2.post(url, json={"question": PRIVATE})
    (asked,) = [line for line in lines if line["logger"] == "wenqu.questions"]
    assert asked["question"] == PRIVATE
    assert asked["request_id"] == response.headers["x-request-id"]


def test_threads_log_under_the_request_they_work_for(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    names = []

    class Speaking(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            names.append(threading.current_thread().name)
            logging.getLogger("index").info("embedding")
            return super().encode_questions(texts)

    speaking = Runtime(runtime.settings, runtime.database, Speaking(""), segmenter)
    with logged(runtime.settings) as lines, serving(speaking) as port:
        url = f"http://127.0.0.1:{port}/api/chat"
        headers = {"x-request-id": "request-of-mine"}
        httpx2.post(url, json={"question": CAT_QUESTION}, headers=headers)
    assert names[0].startswith("wenqu")
    ids = {line.get("request_id") for line in lines if line["message"] == "embedding"}
    assert ids == {"request-of-mine"}
