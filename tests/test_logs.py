import io
import json
import logging
from collections.abc import Iterator

import pytest

from bot.api.envelope import REQUEST_ID
from bot.logs import JsonLines, set_up


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    for name in ("wenqu", "bot", "index", "corpus"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("wenqu", logging.INFO, "a.py", 1, message, (), None)
    made.__dict__.update(more)
    return made


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    line = JsonLines().format(record("一\n二\r\x1b[2J", fields={"status": 200}))
    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line
    said = json.loads(line)
    assert (said["message"], said["status"], said["level"]) == ("一\n二\r\x1b[2J", 200, "info")
    assert "request_id" not in said


def test_a_record_names_the_request_it_belongs_to() -> None:
    token = REQUEST_ID.set("abc-12345")
    try:
        assert json.loads(JsonLines().format(record("x")))["request_id"] == "abc-12345"
    finally:
        REQUEST_ID.reset(token)


def test_a_trace_is_part_of_the_line() -> None:
    error = ValueError("bad")
    line = JsonLines().format(record("x", exc_info=(ValueError, error, None)))
    assert "ValueError: bad" in json.loads(line)["trace"]
    assert "\n" not in line


def test_ours_is_logged_from_the_level_set_and_of_libraries_only_warnings() -> None:
    stream = io.StringIO()
    set_up("info", stream)
    logging.getLogger("wenqu.access").info("ours")
    logging.getLogger("wenqu.access").debug("too fine")
    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("careful")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "ours",
        "careful",
    ]


def test_on_a_terminal_lines_are_for_people() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    set_up("info", stream)
    logging.getLogger("wenqu").info("准备好了")
    assert stream.getvalue().endswith("INFO 准备好了\n")
