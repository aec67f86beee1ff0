"""Spans of a text as HTML, some of their words marked."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from corpus.sentences import Span

CITED = "cited"
"""Id of the first cited word."""


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    cited: bool


class Ink:
    """Writes spans of one text, in order. Whatever stands in the text is escaped."""

    def __init__(self, text: str, cited: Span | None = None, others: Sequence[Span] = ()) -> None:
        """Mark words.

        Args:
            text: What offsets point into.
            cited: Words to mark and to scroll to; an empty span marks nothing.
            others: Words to mark more lightly, as far as they are not in `cited`.
        """
        self.text = text
        self._marks = _apart(cited, others)
        self._ends = [mark.end for mark in self._marks]
        self._named = False

    def shown(self, start: int, end: int) -> str:
        """Write `text[start:end]`."""
        return "".join(self._pieces(start, end, displayed=True))

    def hidden(self, start: int, end: int) -> str:
        """Write `text[start:end]` as signs that are not displayed."""
        return f'<span class="sign">{"".join(self._pieces(start, end, displayed=False))}</span>'

    def _pieces(self, start: int, end: int, *, displayed: bool) -> Iterator[str]:
        at = start
        for mark in self._marks[bisect_right(self._ends, start) :]:
            if mark.start >= end:
                break
            begin, stop = max(mark.start, at), min(mark.end, end)
            yield escape(self.text[at:begin])
            yield f"<mark{self._name(mark, displayed)}>{escape(self.text[begin:stop])}</mark>"
            at = stop
        yield escape(self.text[at:end])

    def _name(self, mark: _Mark, displayed: bool) -> str:  # noqa: FBT001  # as its caller says
        if not mark.cited:
            return ' class="other"'
        if self._named or not displayed:
            return ""
        self._named = True
        # a browser scrolls to what has the focus, without any script
        return f' id="{CITED}" tabindex="-1" autofocus'


def _apart(cited: Span | None, others: Sequence[Span]) -> list[_Mark]:
    """Return marks in order that do not overlap."""
    marks = []
    taken = cited or Span(0, 0)
    if taken.start < taken.end:
        marks.append(_Mark(taken.start, taken.end, cited=True))
    at = 0
    for other in sorted(others, key=lambda span: (span.start, span.end)):
        start = max(other.start, at)
        before = _Mark(start, min(other.end, taken.start), cited=False)
        after = _Mark(max(start, taken.end), other.end, cited=False)
        marks += [mark for mark in (before, after) if mark.start < mark.end]
        at = max(at, other.end)
    return sorted(marks, key=lambda mark: mark.start)
