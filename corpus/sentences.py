"""Where sentences end in Chinese text with Latin names, numbers, URLs and quotations in it.

Offsets in, offsets out: nothing is altered. A line end always ends a sentence, since a canonical
text has one block a line.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

_TERMINATORS = frozenset("。！？!?…")
_CLOSERS = frozenset("”’」』）)】》〉\"'］]")
_PAIRS = {"“": "”", "「": "」", "『": "』", "（": "）", "(": ")", "《": "》", "【": "】"}
_LONGEST_ASIDE = 120
"""Characters. A quotation or bracket longer than this is cut inside like any text."""

_URL = re.compile(
    r"(?:https?|ftp)://[!-~]+"
    r"|(?<![A-Za-z0-9._-])[A-Za-z0-9._-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
)
_ABBREVIATION = re.compile(
    r"(?:^|[^A-Za-z])(?:[A-Za-z]|e\.g|i\.e|etc|vs|cf|al|Mr|Ms|Mrs|Dr|Prof|St|No|Fig|Eq|vol|pp?|ca|"
    r"Inc|Ltd|Co|Corp|Jr|Sr|approx)$",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"[ \t]*(?:[-*•·]|[0-9]{1,3}[.)、]|[（(][0-9一二三四五六七八九十]{1,3}[)）])[ \t]+"
    r"|[ \t]*[①-⑳][ \t]*"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open span `[start, end)` of code points."""

    start: int
    end: int


def lines(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Yield each line of `text[start:end]` that is not blank, without the spaces around it."""
    stop = len(text) if end is None else end
    at = start
    while at < stop:
        line_end = text.find("\n", at, stop)
        line_end = stop if line_end < 0 else line_end
        span = _trimmed(text, at, line_end)
        if span:
            yield span
        at = line_end + 1


def item_marker(text: str, span: Span) -> int:
    """Return the length of the list marker that `span` begins with (`- `, `12. `, `①`), or 0."""
    found = _MARKER.match(text, span.start, span.end)
    return found.end() - found.start() if found else 0


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Return the sentences of `text[start:end]`, in order, without the white space around them.

    A sentence ends after `。！？…` and `!?` with the closing quotes and brackets that follow, after
    a full stop that ends a Latin sentence, and at a line end. It does not end inside a short
    quotation or bracket, a number, a version, a file name, a URL or an abbreviation, and a list
    marker belongs to the sentence behind it.
    """
    found: list[Span] = []
    for line in lines(text, start, end):
        found.extend(_in_line(text, line))
    return found


def _in_line(text: str, line: Span) -> Iterator[Span]:
    urls = deque(match.span() for match in _URL.finditer(text, line.start, line.end))
    asides = _closing(text, line)
    begin = line.start
    at = line.start + item_marker(text, line)
    while at < line.end:
        if urls and at >= urls[0][0]:
            at = max(at, urls.popleft()[1])
            continue
        if at in asides:
            at = asides[at]
            # «他说：“走吧。”» ends with its quotation, «（见下文。）后来» does not
            if (
                text[at - 1] in _TERMINATORS
                and text[at] in "”」』"
                and _starts_anew(text, at + 1, line)
            ):
                at += 1
                yield Span(begin, at)
                begin = at = _skip_spaces(text, at, line.end)
                continue
            at += 1
            continue
        if _ends_here(text, at, line):
            at += 1
            while at < line.end and (text[at] in _TERMINATORS or text[at] in _CLOSERS):
                at += 1
            yield Span(begin, at)
            begin = at = _skip_spaces(text, at, line.end)
            continue
        at += 1
    if begin < line.end:
        yield Span(begin, line.end)


def _closing(text: str, line: Span) -> dict[int, int]:
    """Return opening offset to closing offset for each short outermost pair in the line."""
    found: dict[int, int] = {}
    stack: list[int] = []
    for at in range(line.start, line.end):
        character = text[at]
        if character in _PAIRS:
            stack.append(at)
        elif stack and character == _PAIRS[text[stack[-1]]]:
            opened = stack.pop()
            if at - opened <= _LONGEST_ASIDE:
                found[opened] = at
    return found


def _ends_here(text: str, at: int, line: Span) -> bool:
    character = text[at]
    after = text[at + 1] if at + 1 < line.end else "\n"
    if character in "。！？":
        return True
    if character == "…":
        before = text[at - 1] if at > line.start else ""
        return after.isspace() or after in _CLOSERS or (before == "…" and after not in "，、；：,…")
    if character in "!?":
        return not ("!" <= after <= "~") or after in _CLOSERS or after in "!?"
    if character == ".":
        return _full_stop(text, at, line, after)
    return False


def _full_stop(text: str, at: int, line: Span, after: str) -> bool:
    if not after.isspace():
        return False
    if _ABBREVIATION.search(text[max(line.start, at - 8) : at]):
        return at + 1 >= line.end
    following = _skip_spaces(text, at + 1, line.end)
    return following >= line.end or not text[following].islower()


def _starts_anew(text: str, at: int, line: Span) -> bool:
    """Whether what follows a closed quotation is a new sentence, and not «……”他说»."""
    return at >= line.end or text[at] not in "，、；：,;:的是地得这他她说道和与及等"


def _skip_spaces(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _trimmed(text: str, start: int, end: int) -> Span | None:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if start < end else None
