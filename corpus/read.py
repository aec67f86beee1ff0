"""From a path, a folder, a pattern or bytes to documents.

What cannot be read is given as the error that says why, in its place among the documents: the
others go on, and the caller decides what an error is worth.
"""

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from corpus.clean import clean, one_line
from corpus.content import content_of, text_content, unix_lines
from corpus.document import Document
from corpus.errors import UnreadableSourceError
from corpus.files import find, unreadable
from corpus.mojibake import repair
from corpus.readers.jsonl import Record, read_jsonl
from corpus.sniff import KINDS, Kind, sniff
from corpus.structure import compose

MAX_BYTES = 100_000_000

_LONGEST_NAME = 120
_LONGEST_SLUG = 40


def read(
    target: str | Path,
    *,
    base: Path | None = None,
    max_bytes: int = MAX_BYTES,
    encoding: str | None = None,
) -> Iterator[Document | UnreadableSourceError]:
    """Read a file, a folder with all below it, or a pattern such as `docs/**/*.md`.

    Args:
        target: In a folder, hidden files are passed over and links are not followed.
        base: Sources are named relative to it, or to the current folder without it; what lies
            outside keeps its whole path.
        max_bytes: A larger file is refused before it is read. JSON Lines may be of any size.
        encoding: What text files are said to be in; tried before others.

    Yields:
        Documents, and an error for each file that is none, in a fixed order.
    """
    in_folder = os.path.isdir(target)  # noqa: PTH112 - unlike Path.is_dir, False without permission

    def name(path: Path) -> str:
        return _source(path, base or Path.cwd())

    for found in find(target, name):
        if isinstance(found, UnreadableSourceError):
            yield found
            continue
        source = name(found)
        kind = KINDS.get(found.suffix.lower())
        if kind is None and (found.suffix or in_folder):
            yield _unsupported(source, found.suffix)
            continue
        yield from _read_file(found, source, kind, max_bytes, encoding)


def read_bytes(
    data: bytes, name: str, *, encoding: str | None = None
) -> Iterator[Document | UnreadableSourceError]:
    """Read what was uploaded.

    Args:
        data: The whole file.
        name: As the sender gave it, so not trusted: of a path only the last part is kept. Its
            suffix says what `data` is; without one, the content does.
        encoding: As for `read`.
    """
    source = safe_name(name)
    suffix = Path(source).suffix.lower()
    if suffix and suffix not in KINDS:
        yield _unsupported(source, suffix)
    else:
        yield from _read_stream(BytesIO(data), source, KINDS.get(suffix), len(data), encoding)


def read_stdin(
    stream: BinaryIO, *, max_bytes: int = MAX_BYTES, encoding: str | None = None
) -> Iterator[Document | UnreadableSourceError]:
    """Read a stream without a name; its content says what it is."""
    yield from _read_stream(stream, "stdin", None, max_bytes, encoding)


def safe_name(name: str) -> str:
    """Reduce a name from outside to a plain file name: no path, no control characters."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in clean(last) if char.isprintable()).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if dot else plain[:_LONGEST_NAME] or "upload"


def _source(path: Path, base: Path) -> str:
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    home = Path(os.path.abspath(base))  # noqa: PTH100 - as above
    shown = whole.relative_to(home) if whole.is_relative_to(home) else whole
    return os.fsencode(shown.as_posix()).decode("utf-8", errors="backslashreplace")


def _unsupported(source: str, suffix: str) -> UnreadableSourceError:
    kind = f"{suffix} files are" if suffix else "a file without suffix is"
    reason = f"{kind} not read; those that are: {' '.join(KINDS)}"
    return UnreadableSourceError(source, reason, trouble="unsupported")


def _read_file(
    path: Path, source: str, kind: Kind | None, max_bytes: int, encoding: str | None
) -> Iterator[Document | UnreadableSourceError]:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for whoever writes to it
            yield UnreadableSourceError(source, "no regular file", trouble="unsupported")
        elif found.st_size > max_bytes and kind != "jsonl":
            yield _too_large(source, max_bytes)
        else:
            with path.open("rb") as stream:
                yield from _read_stream(stream, source, kind, max_bytes, encoding)
    except OSError as error:
        yield unreadable(source, error)


def _too_large(source: str, max_bytes: int) -> UnreadableSourceError:
    reason = f"more than {max_bytes} bytes; split it"
    return UnreadableSourceError(source, reason, trouble="too_large")


def _read_stream(
    stream: BinaryIO, source: str, kind: Kind | None, max_bytes: int, encoding: str | None
) -> Iterator[Document | UnreadableSourceError]:
    if kind == "jsonl":
        yield from _records(stream, source, encoding)
        return
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        yield _too_large(source, max_bytes)
    elif (kind or sniff(data)) == "jsonl":
        yield from _records(BytesIO(data), source, encoding)
    else:
        try:
            yield _document(data, source, kind or sniff(data), encoding)
        except UnreadableSourceError as error:
            yield error


def _document(data: bytes, source: str, kind: Kind, encoding: str | None) -> Document:
    content = content_of(data, kind, source, encoding=encoding)
    stem = PurePosixPath(source).stem
    title, text, sections = compose(content, stem)
    return Document(_id(stem, source), title, text, source, content.metadata, sections)


def _records(
    stream: BinaryIO, source: str, encoding: str | None
) -> Iterator[Document | UnreadableSourceError]:
    lines: dict[str, int] = {}  # id -> the line that took it
    for record in read_jsonl(stream, source, encoding=encoding):
        if isinstance(record, UnreadableSourceError):
            yield record
            continue
        try:
            document = _record_document(record, source)
        except UnreadableSourceError as error:
            reason = f"line {record.line}: {error.reason}"
            yield UnreadableSourceError(source, reason, trouble=error.trouble)
            continue
        first = lines.setdefault(document.id, record.line)
        if first == record.line:
            yield document
        else:
            reason = f"line {record.line}: id {document.id!r} was taken by line {first}"
            yield UnreadableSourceError(source, reason)


def _record_document(record: Record, source: str) -> Document:
    own = f"{source}#{record.id or record.line}"
    stem = PurePosixPath(source).stem
    text = unix_lines(repair(record.text))
    content = text_content(text, "text", source)
    title, text, sections = compose(replace(content, metadata={}), stem)
    return Document(
        id=record.id or _id(stem, own),
        title=one_line(clean(record.title)) or title,
        text=text,
        source=own,
        metadata=record.metadata,
        sections=sections,
    )


def _id(stem: str, source: str) -> str:
    """Make an id that a reader recognises, and that the same source always gets."""
    # Systems spell the same name differently: macOS decomposes `é`, others do not.
    stem, source = (unicodedata.normalize("NFC", text) for text in (stem, source))
    slug = re.sub(r"\W+", "-", stem).strip("-_")[:_LONGEST_SLUG].rstrip("-_") or "document"
    return f"{slug}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
