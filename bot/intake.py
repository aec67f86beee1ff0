"""Files and texts that come in over HTTP, made into documents one by one."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from corpus.document import Document
from corpus.errors import UnreadableSourceError


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of what came in.

    Attributes:
        documents: To be ingested.
        unreadable: Each of the others, by name and with its reason.
    """

    documents: tuple[Document, ...]
    unreadable: tuple[UnreadableSourceError, ...]


def take_in(files: Iterable[tuple[str, bytes]]) -> Intake:
    """Read uploaded files; one that cannot be read does not stop the others.

    Args:
        files: Name and content of each. A name only says the format and gives the id: it never
            touches a disk.
    """
    from corpus.read import read_bytes  # noqa: PLC0415  # a service that gets no files needs none

    documents: list[Document] = []
    unreadable: list[UnreadableSourceError] = []
    for name, data in files:
        for found in read_bytes(data, name):
            if isinstance(found, Document):
                documents.append(found)
            else:
                unreadable.append(found)
    return Intake(tuple(documents), tuple(unreadable))


def take_text(title: str, text: str, source: str) -> Intake:
    """Read a text that was typed in, as Markdown.

    The same `source`, or the same title without one, replaces what it was before.
    """
    name = re.sub(r"[/\\]", " ", title)
    if source:  # two sites may both have an index.html
        last = PurePosixPath(urlsplit(source).path).stem or "page"
        name = f"{last}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    found = take_in([(f"{name}.md", text.encode())])
    documents = (replace(d, title=title, source=source or d.source) for d in found.documents)
    return Intake(tuple(documents), found.unreadable)
