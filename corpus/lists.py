"""Lists as documents have them: a line that announces them, and their items in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.document import Document
from corpus.sentences import Span, item_marker, lines

_LABEL = re.compile(r"([^\s：:。，,；;（(]{2,15})[：:。]")


@dataclass(frozen=True, slots=True)
class ListAt:
    """Where a list stands.

    Attributes:
        announcement: The line above it, None at the beginning of a section.
        items: Its lines.
    """

    announcement: Span | None
    items: tuple[Span, ...]


def list_at(document: Document, at: int) -> ListAt | None:
    """Return the list that has an item, or its announcement, at an offset; None between lines."""
    text, section = document.text, _section(document, at)
    rows = list(lines(text, section.start, section.end))
    here = next((i for i, row in enumerate(rows) if row.start <= at < row.end), None)
    if here is None:
        return None
    first = here if item_marker(text, rows[here]) else here + 1
    while first and item_marker(text, rows[first - 1]):
        first -= 1
    last = first
    while last < len(rows) and item_marker(text, rows[last]):
        last += 1
    return ListAt(rows[first - 1] if first else None, tuple(rows[first:last]))


def lists_of(document: Document) -> Iterator[ListAt]:
    """Yield the lists of a document in order."""
    rows = list(lines(document.text))
    at = 0
    while at < len(rows):
        if item_marker(document.text, rows[at]):
            found = list_at(document, rows[at].start)
            if found is not None:
                yield found
                at += len(found.items) - 1
        at += 1


def item_label(text: str, span: Span) -> str:
    """Return what the list item is called in which `span` stands, "" if it is not or says so.

    «- 硬件分区。粒度不灵活。» is called «硬件分区», which its second sentence does not say.
    """
    start = text.rfind("\n", 0, span.start) + 1
    line = Span(start, span.end)
    marker = item_marker(text, line)
    found = _LABEL.match(text, start + marker, span.start) if marker else None
    return found[1] if found else ""


def _section(document: Document, at: int) -> Span:
    borders = {0, len(document.text)}
    for section in document.sections:
        borders.update((section.start, section.end))
    ordered = sorted(borders)
    start = max(border for border in ordered if border <= at)
    return Span(start, min(border for border in ordered if border > at))
