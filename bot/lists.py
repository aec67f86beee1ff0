"""Lists as the documents have them: the line that announces them, and their items in order."""

import re

from bot.evidence import Evidence
from corpus.document import Document, Passage
from corpus.sentences import Span, item_marker, lines, sentences

LONGEST = 12
"""Items shown at most."""

_LABEL_END = re.compile(r"[：:。，,；;（(]")
_LONGEST_LABEL = 30


def whole_list(document: Document, evidence: Evidence) -> list[Evidence]:
    """Return the list that `evidence` announces or belongs to: its announcement, then its items.

    The first sentence of each item is taken, which in a list names what the item is about. Empty
    if there is no list of at least two items at that place.
    """
    section = _section(document, evidence.start)
    rows = list(lines(document.text, section.start, section.end))
    at = next((i for i, row in enumerate(rows) if row.start <= evidence.start < row.end), None)
    if at is None:
        return []
    text = document.text
    if not _is_item(text, rows[at]):
        leads_on = text[rows[at].end - 1] in "：:" or evidence.end == rows[at].end
        if not leads_on or at + 1 >= len(rows) or not _is_item(text, rows[at + 1]):
            return []
        first = at + 1
    else:
        first = at
        while first and _is_item(text, rows[first - 1]):
            first -= 1
    last = first
    while last + 1 < len(rows) and _is_item(text, rows[last + 1]):
        last += 1
    if last == first:
        return []
    items = rows[first : last + 1][:LONGEST]
    head = [_last_sentence(text, rows[first - 1])] if first else []
    spans = [*head, *(_first_sentence(text, row) for row in items)]
    return [_evidence(document, span, evidence.score) for span in spans]


def announces(document: Document, evidence: Evidence) -> bool:
    """Whether `evidence` ends a line that the items of a list follow."""
    text = document.text
    if _is_item(text, _line(text, evidence.start)):
        return False
    rest = text[evidence.end :]
    following = next(lines(rest), None)
    alone = not rest.partition("\n")[0].strip()
    return alone and following is not None and _is_item(rest, following)


def label(document: Document, evidence: Evidence) -> str:
    """Return what the list item that `evidence` stands in is about, "" outside of lists."""
    line = _line(document.text, evidence.start)
    marker = item_marker(document.text, line)
    said = document.text[line.start + marker : line.end]
    return _LABEL_END.split(said, maxsplit=1)[0][:_LONGEST_LABEL] if marker else ""


def _line(text: str, at: int) -> Span:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return Span(start, len(text) if end < 0 else end)


def _evidence(document: Document, span: Span, score: float) -> Evidence:
    return Evidence(Passage.cut(document, span.start, span.end), span.start, span.end, score)


def _is_item(text: str, row: Span) -> bool:
    return item_marker(text, row) > 0


def _first_sentence(text: str, row: Span) -> Span:
    return sentences(text, row.start, row.end)[0]


def _last_sentence(text: str, row: Span) -> Span:
    return sentences(text, row.start, row.end)[-1]


def _section(document: Document, at: int) -> Span:
    borders = {0, len(document.text)}
    for section in document.sections:
        borders.update((section.start, section.end))
    ordered = sorted(borders)
    start = max(border for border in ordered if border <= at)
    return Span(start, min(border for border in ordered if border > at))
