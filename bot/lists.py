"""Lists as the documents have them: the line that announces them, and their items in order."""

import re
from collections.abc import Sequence

from bot.evidence import Evidence
from corpus.document import Document, Passage
from corpus.lists import list_at
from corpus.sentences import Span, item_marker, lines, sentences

LONGEST = 12
"""Items shown at most."""

_FEWEST = 2
_LABEL_END = re.compile(r"[：:。，,；;（(]")
_LONGEST_LABEL = 30


def whole_list(document: Document, evidence: Evidence) -> list[Evidence]:
    """Return the list that `evidence` announces or belongs to: its announcement, then its items.

    The first sentence of each item is taken, which in a list names what the item is about. Empty
    if there is no list of at least two items at that place.
    """
    found = list_at(document, evidence.start)
    if found is None or len(found.items) < _FEWEST:
        return []
    head, text = found.announcement, document.text
    if head and head.start <= evidence.start < head.end:
        leads_on = text[head.end - 1] in "：:" or evidence.end == head.end
        if not leads_on:
            return []
    spans = [_last_sentence(text, head)] if head else []
    spans += [_first_sentence(text, row) for row in found.items[:LONGEST]]
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


def opens_item(document: Document, evidence: Evidence) -> bool:
    """Whether `evidence` is the first sentence of a list item, which names what it is about."""
    text, line = document.text, _line(document.text, evidence.start)
    return (
        _is_item(text, line)
        and not document.text[line.start + item_marker(text, line) : evidence.start].strip()
    )


def announcement(items: Sequence[Evidence]) -> str:
    """Return the line above the items of a whole list, "" if it begins with them."""
    text = items[0].text if items else ""
    return "" if item_marker(text, Span(0, len(text))) else text


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
