"""From the bytes of one source to its documents.

Meant for a child process: the parsers below are large, and the bytes may be anybody's. Everybody
else reads through `corpus.read`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from corpus.clean import clean, one_line
from corpus.content import content_of, text_content, unix_lines
from corpus.document import Document
from corpus.errors import UnreadableSourceError
from corpus.mojibake import repair
from corpus.origin import Origin
from corpus.readers.jsonl import Record, read_jsonl
from corpus.sniff import Kind, sniff
from corpus.structure import compose

_LONGEST_SLUG = 40


def documents_of(stream: BinaryIO, origin: Origin) -> Iterator[Document | UnreadableSourceError]:
    """Read one source in this process.

    Yields:
        Its document, or the documents of its lines, and an error in the place of what is none.
    """
    if origin.kind == "jsonl":
        yield from _records(stream, origin)
        return
    data = stream.read(origin.max_bytes + 1)
    kind = origin.kind or sniff(data)
    if len(data) > origin.max_bytes:
        yield origin.too_large()
    elif kind == "jsonl":
        yield from _records(BytesIO(data), origin)
    else:
        try:
            yield _document(data, origin, kind)
        except UnreadableSourceError as error:
            yield error


def _document(data: bytes, origin: Origin, kind: Kind) -> Document:
    content = content_of(data, kind, origin)
    stem = _stem(origin.source)
    title, text, sections = compose(content, stem)
    name = _id(stem, origin.source)
    return Document(name, title, text, origin.source, content.metadata, sections)


def _records(stream: BinaryIO, origin: Origin) -> Iterator[Document | UnreadableSourceError]:
    source = origin.source
    lines: dict[str, int] = {}  # id -> the line that took it
    for record in read_jsonl(stream, source, encoding=origin.encoding or origin.charset):
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
    stem = _stem(source)
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


def _stem(source: str) -> str:
    """Return what a reader calls the source: the name of a file, the last part of an address."""
    if not source.startswith(("http://", "https://")):
        return PurePosixPath(source).stem
    parts = urlsplit(source)
    return PurePosixPath(unquote(parts.path)).stem or parts.hostname or ""


def _id(stem: str, source: str) -> str:
    """Make an id that a reader recognises, and that the same source always gets."""
    # Systems spell the same name differently: macOS decomposes `é`, others do not.
    stem, source = (unicodedata.normalize("NFC", text) for text in (stem, source))
    slug = re.sub(r"\W+", "-", stem).strip("-_")[:_LONGEST_SLUG].rstrip("-_") or "document"
    return f"{slug}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
