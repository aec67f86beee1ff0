"""Cutting a document into passages: structure first, then size."""

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

from corpus.document import Document, Passage, Section
from corpus.sentences import Span, item_marker, lines, sentences

LOW = 150
"""Characters below which a passage takes in its neighbour, if they share a section."""
HIGH = 350
"""Characters that a passage does not exceed, unless one sentence alone does."""

_CLAUSE = re.compile(r"[；;，,、：:]|\s")


def chunk(document: Document, *, low: int = LOW, high: int = HIGH) -> list[Passage]:
    """Return the passages of `document` in order, without overlap.

    A passage lies within one section and holds whole sentences, list items and table rows. Text
    below the same heading is shared out evenly, so that no short rest is left, and a passage
    rather ends with a paragraph than inside it. A sentence longer than `high` is cut at its
    clauses. Headings are not part of passages but of their `headings`; a heading with nothing
    below it is a passage itself, so that no word of the document is lost.

    Args:
        document: What to cut.
        low: Wanted least size, in characters.
        high: Wanted largest size, in characters.

    Raises:
        ValueError: Not 0 < low <= high.
    """
    if not 0 < low <= high:
        message = f"sizes must be 0 < low <= high, got low={low}, high={high}"
        raise ValueError(message)
    spans = [
        span for region in _regions(document) for span in _pack(document.text, region, low, high)
    ]
    return list(_passages(document, spans))


def _passages(document: Document, spans: Iterable[Span]) -> Iterator[Passage]:
    """Cut the spans, which are in order; `Passage.cut` would look at every section each time."""
    waiting = deque(document.sections)
    above: list[Section] = []
    for span in spans:
        while waiting and waiting[0].start <= span.start:
            above.append(waiting.popleft())
        above = [section for section in above if span.end <= section.end]
        headings = tuple(section.heading for section in above)
        text = document.text[span.start : span.end]
        yield Passage(document.id, span.start, span.end, text, headings)


def _regions(document: Document) -> Iterator[Span]:
    """Yield the text between one heading and the next, or a heading that has nothing below it."""
    text = document.text
    borders = {0, len(text)}
    bodies: dict[int, int] = {}
    for section in document.sections:
        borders.update((section.start, section.end))
        heading_end = min(_line_end(text, section.start), section.end)
        alone = not text[heading_end : section.end].strip()
        bodies[section.start] = section.start if alone else heading_end
    for start, end in pairwise(sorted(borders)):
        yield Span(bodies.get(start, start), end)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _units(text: str, region: Span, high: int) -> Iterator[tuple[Span, bool]]:
    """Yield what is never cut, and whether a block ends with it."""
    for line in lines(text, region.start, region.end):
        whole = line.end - line.start <= high and (
            item_marker(text, line) > 0 or text[line.start] == "|"
        )
        spans = [line] if whole else sentences(text, line.start, line.end)
        for span in spans:
            pieces = _clauses(text, span, high)
            for piece in pieces:
                yield piece, piece.end == line.end


def _clauses(text: str, span: Span, high: int) -> list[Span]:
    """Cut a sentence of more than `high` characters at the last clause border that fits."""
    pieces: list[Span] = []
    start = span.start
    while span.end - start > high:
        cut = start + high
        for found in _CLAUSE.finditer(text, start + high // 2, start + high):
            cut = found.end()
        pieces.append(Span(start, cut))
        start = cut
        while start < span.end and text[start].isspace():
            start += 1
    pieces.append(Span(start, span.end))
    return pieces


def _pack(text: str, region: Span, low: int, high: int) -> Iterator[Span]:
    units = list(_units(text, region, high))
    if not units:
        return
    total = units[-1][0].end - units[0][0].start
    target = total / math.ceil(total / high)
    start, end, block_ended = units[0][0].start, units[0][0].end, units[0][1]
    for unit, ends_block in units[1:]:
        size, grown = end - start, unit.end - start
        rest = units[-1][0].end - unit.start
        enough = size >= low and rest >= low
        past_target = grown - target > target - size
        if grown > high or (enough and (past_target or (block_ended and size >= target * 0.75))):
            yield Span(start, end)
            start = unit.start
        end, block_ended = unit.end, ends_block
    yield Span(start, end)
