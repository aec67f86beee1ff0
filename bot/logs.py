"""Logs on stderr: a line of JSON each, or plain words on a terminal. Never what people asked."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from bot.api.envelope import REQUEST_ID


class JsonLines(logging.Formatter):
    """One JSON object a record, on one line whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, stream: TextIO) -> None:
    """Log to `stream` from `level` on; of libraries only warnings."""
    handler = logging.StreamHandler(stream)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    handler.setFormatter(plain if stream.isatty() else JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("wenqu", "bot", "index", "corpus"):
        logging.getLogger(ours).setLevel(level.upper())
