"""Files, texts and pages that come in over HTTP, made into documents one by one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corpus.document import Document
from corpus.errors import UnreadableSourceError

if TYPE_CHECKING:
    from bot.fetch import Page


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
    from corpus.readers.sandbox import Sandbox  # noqa: PLC0415  # likewise

    with Sandbox() as sandbox:
        return _taken(
            found for name, data in files for found in read_bytes(data, name, sandbox=sandbox)
        )


def take_text(title: str, text: str, source: str) -> Intake:
    """Read a text that was typed in, as Markdown.

    The same `source`, or the same title without one, replaces what it was before.
    """
    from corpus.read import read_text, safe_name  # noqa: PLC0415  # likewise

    name = source or safe_name(re.sub(r"[/\\]", " ", title) + ".md")
    taken = _taken(read_text(text, name, "markdown"))
    return Intake(tuple(replace(d, title=title) for d in taken.documents), taken.unreadable)


def take_page(page: "Page") -> Intake:
    """Read what was fetched; it replaces what was at its address before."""
    from corpus.read import read_origin  # noqa: PLC0415  # likewise

    return _taken(read_origin(page.data, page.origin))


def _taken(found: Iterable[Document | UnreadableSourceError]) -> Intake:
    documents: list[Document] = []
    unreadable: list[UnreadableSourceError] = []
    for each in found:
        if isinstance(each, Document):
            documents.append(each)
        else:
            unreadable.append(each)
    return Intake(tuple(documents), tuple(unreadable))
