"""JSON Lines: a document a line."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from corpus.encoding import decode
from corpus.errors import UnreadableSourceError

MAX_LINE_BYTES = 20_000_000

_LONGEST_ID = 200
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Record:
    """One line.

    Attributes:
        line: Counted from 1.
        id: As given; empty if the line has none that can be used.
        title: As given, or empty.
        text: As given, not yet cleaned.
        metadata: All other keys; what is no string is written as JSON.
    """

    line: int
    id: str
    title: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)


def read_jsonl(
    stream: BinaryIO, source: str, *, encoding: str | None = None
) -> Iterator[Record | UnreadableSourceError]:
    """Read a stream of JSON objects with the key `text`, and perhaps `id` and `title`.

    A line that cannot be read is given as an error that names it, and the next one follows. One
    line at most is held in memory, and no more of it than 20 MB.
    """
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            _skip_line(stream)
            reason = f"line {number} has more than {MAX_LINE_BYTES} bytes"
            yield UnreadableSourceError(source, reason, trouble="too_large")
        elif raw.strip(b" \t\r\n\xef\xbb\xbf"):
            yield _record(raw.rstrip(b"\r\n"), number, source, encoding)


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass


def _record(
    raw: bytes, number: int, source: str, encoding: str | None
) -> Record | UnreadableSourceError:
    try:
        return _parsed(number, decode(raw, declared=encoding, source=source).text)
    except RecursionError:
        reason = f"line {number} is nested too deeply"
        return UnreadableSourceError(source, reason, trouble="too_large")
    except UnreadableSourceError as error:
        reason = f"line {number}: {error.reason}"
        return UnreadableSourceError(source, reason, trouble=error.trouble)
    except ValueError as error:
        return UnreadableSourceError(source, f"line {number}: {error}")


def _parsed(number: int, line: str) -> Record:
    found = json.loads(line)
    if not isinstance(found, dict):
        message = f"expected an object, found {_kind(found)}"
        raise ValueError(message)  # noqa: TRY004 - the value is wrong, not an argument
    text, title = found.pop("text", None), found.pop("title", None)
    if not isinstance(text, str):
        message = f"expected text to be a string, found {_kind(text)}"
        raise ValueError(message)  # noqa: TRY004 - as above
    record_id = _usable_id(found.pop("id", None))
    metadata = {key: _string(value) for key, value in found.items() if value is not None}
    title = title if isinstance(title, str) else ""
    _check_characters(text, title, *metadata, *metadata.values())
    return Record(number, record_id, title, text, metadata)


def _usable_id(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    name = str(value)
    usable = name.strip() and len(name) <= _LONGEST_ID and not _CONTROL.search(name)
    return name if usable else ""


def _check_characters(*texts: str) -> None:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            message = f"half of a surrogate pair, {text[error.start]!a}, at character {error.start}"
            raise ValueError(message) from error


def _string(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return "nothing" if value is None else type(value).__name__
