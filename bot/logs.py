"""Logs on stderr: lines of JSON, or of plain words on a terminal. Never what people asked."""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import TextIO

from sqlalchemy.exc import SQLAlchemyError

from bot.api.envelope import REQUEST_ID
from bot.redact import Redactor, secrets_of
from bot.settings import Settings

OURS = ("wenqu", "bot", "index", "corpus")
_LONGEST = 20_000
"""Characters of a message or a trace: a line has to pass through whatever collects them."""
# what ends a line, moves a cursor or turns the direction of writing, in any terminal or viewer
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SAFE = (OSError, SQLAlchemyError)
"""Errors whose words are those of the system: the database is told to keep values to itself."""


class Lines(logging.Formatter):
    """Formats a record as one line, whatever is in it."""

    def __init__(self, redactor: Redactor | None = None, *, tells_all: bool = False) -> None:
        """Take out what `redactor` does.

        Args:
            redactor: Knows the secrets.
            tells_all: Whether errors that nobody expected may say what they say: there may be
                words of a question in it.
        """
        super().__init__()
        self._redactor = redactor or Redactor()
        self._tells_all = tells_all

    def message(self, record: logging.LogRecord) -> str:
        """Return the message without what has no place in it."""
        return self._redactor.clean(record.getMessage()[:_LONGEST])

    def trace(self, record: logging.LogRecord) -> str:
        """Return where an error came from and what kind it was, "" if there is none."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return ""
        shown = "\n".join(_told(error, tells_all=self._tells_all))
        return self._redactor.clean(shown[-_LONGEST:])


class JsonLines(Lines):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            **getattr(record, "fields", {}),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if trace := self.trace(record):
            line["trace"] = trace
        return _CONTROL.sub(_as_json, json.dumps(line, ensure_ascii=False))


class PlainLines(Lines):
    """Words for people, with the time of their own clock."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = [
            f"{_time(record).astimezone():%H:%M:%S}",
            record.levelname,
            self.message(record),
            *([f"[{request_id}]"] if (request_id := REQUEST_ID.get()) else []),
            *([trace] if (trace := self.trace(record)) else []),
        ]
        return _CONTROL.sub(_as_text, " ".join(said))


def set_up(settings: Settings, stream: TextIO) -> None:
    """Log to `stream` from the level of the settings on; of libraries only warnings."""
    form = PlainLines if stream.isatty() else JsonLines
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form(Redactor(secrets_of(settings)), tells_all=settings.log_questions))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for ours in OURS:
        logging.getLogger(ours).setLevel(settings.log_level.upper())


def _told(error: BaseException, *, tells_all: bool) -> list[str]:
    """Return an error, with those that it came from or holds before it."""
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        lines += _told(before, tells_all=tells_all)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            lines += _told(each, tells_all=tells_all)
    frames = traceback.extract_tb(error.__traceback__)
    lines += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    told = tells_all or isinstance(error, _SAFE)
    return [*lines, f"{type(error).__name__}: {error}" if told else type(error).__name__]


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _as_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _as_text(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "\\t"}.get(found[0], f"\\u{ord(found[0]):04x}")
