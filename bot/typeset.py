"""A document as HTML to read: the headings, lists, tables and paragraphs of its canonical text.

Every character of a line is in the page, in order, so that offsets mean the same words there.
Signs that HTML shows by itself, such as the `- ` of a list item and the `|` of a table, are in
elements that are not displayed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.ink import Ink
from corpus.document import Document, Section
from corpus.sentences import Span, item_marker, lines

_DEEPEST = 6
_NUMBER = re.compile(r"[0-9]{1,3}(?=[.)] )")
_BULLETS = "-*•·"
_CODE_SHARE = 0.7  # of characters that are ASCII, in lines that stand together

_Kind: TypeAlias = Literal["heading", "row", "item", "lines"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in the page.

    Attributes:
        start: Where it begins.
        depth: 1 for the title, and never two more than the heading before it.
        text: As shown.
    """

    start: int
    depth: int
    text: str


def typeset(document: Document, ink: Ink) -> str:
    """Return HTML for the whole text, written with `ink`."""
    depths = {heading.start: heading.depth for heading in headings(document)}
    return "\n".join(
        _heading(ink, group[0], depths) if kind == "heading" else _WRITERS[kind](ink, group)
        for kind, group in _groups(document.text, depths)
    )


def headings(document: Document) -> list[Heading]:
    """Return the headings in order, the title first if the text opens with it."""
    first = next(lines(document.text))
    opens = document.text[first.start : first.end] == document.title
    found = [Heading(first.start, 1, document.title)] if opens else []
    above: list[Section] = []
    for section in document.sections:
        if opens and section.start == first.start:
            continue
        while above and above[-1].level >= section.level:
            above.pop()
        above.append(section)
        found.append(Heading(section.start, min(1 + len(above), _DEEPEST), section.heading))
    return found


def anchor(heading: Heading) -> str:
    """Return the id of a heading's element."""
    return f"s{heading.start}"


def _groups(text: str, depths: Mapping[int, int]) -> Iterator[tuple[_Kind, list[Span]]]:
    """Yield lines of one kind that have no blank line between them; headings stand alone."""
    group: list[Span] = []
    kind: _Kind = "lines"
    for line in lines(text):
        its_kind = _kind(text, line, depths)
        if group and (
            its_kind != kind or kind == "heading" or text.count("\n", group[-1].end, line.start) > 1
        ):
            yield kind, group
            group = []
        kind = its_kind
        group.append(line)
    yield kind, group


def _kind(text: str, line: Span, depths: Mapping[int, int]) -> _Kind:
    if line.start in depths:
        return "heading"
    if text.startswith("| ", line.start) and text.endswith(" |", line.start, line.end):
        return "row" if line.end - line.start > len("| |") else "lines"
    return "item" if item_marker(text, line) else "lines"


def _heading(ink: Ink, line: Span, depths: Mapping[int, int]) -> str:
    tag = f"h{depths[line.start]}"
    return f'<{tag} id="s{line.start}">{ink.shown(line.start, line.end)}</{tag}>'


def _lines(ink: Ink, group: Sequence[Span]) -> str:
    if len(group) == 1:
        return f"<p>{ink.shown(group[0].start, group[0].end)}</p>"
    start, end = _begin(ink.text, group[0]), group[-1].end
    letters = ink.text[start:end]
    is_code = sum(map(str.isascii, letters)) >= _CODE_SHARE * len(letters)
    inner = ink.shown(start, end)
    # a newline at the beginning of <pre> would be dropped, but a line is not blank
    return f"<pre>{inner}</pre>" if is_code else f'<p class="lines">{inner}</p>'


def _table(ink: Ink, group: Sequence[Span]) -> str:
    has_head = len(group) > 1
    head = f"<thead>{_row(ink, group[0], heads=True)}</thead>" if has_head else ""
    body = "".join(_row(ink, line, heads=False) for line in group[has_head:])
    return (
        '<div class="table" role="region" aria-label="表格" tabindex="0">'
        f"<table>{head}<tbody>{body}</tbody></table></div>"
    )


def _row(ink: Ink, line: Span, *, heads: bool) -> str:
    written, at = [], line.start
    for cell in _cells(ink.text, line):
        is_head = heads and cell.start < cell.end  # an empty heading says nothing
        opening, closing = ('<th scope="col">', "</th>") if is_head else ("<td>", "</td>")
        inner = ink.hidden(at, cell.start) + ink.shown(cell.start, cell.end)
        written += [opening, inner, closing]
        at = cell.end
    written.insert(-1, ink.hidden(at, line.end))
    return f"<tr>{''.join(written)}</tr>"


def _cells(text: str, line: Span) -> Iterator[Span]:
    begin, end = line.start + len("| "), line.end - len(" |")
    while (bar := text.find(" | ", begin, end)) >= 0:
        yield Span(begin, bar)
        begin = bar + len(" | ")
    yield Span(begin, end)


def _list(ink: Ink, group: Sequence[Span]) -> str:
    html: list[str] = []
    open_lists: list[tuple[int, str]] = []  # indentation and opening tag
    for line in group:
        indent = line.start - _begin(ink.text, line)
        opening, item = _item(ink, line)
        while open_lists and open_lists[-1][0] > indent:
            html.append(_closed(open_lists.pop()[1]))
        if open_lists and open_lists[-1][0] == indent and open_lists[-1][1] != opening:
            html.append(_closed(open_lists.pop()[1]))
        if open_lists and open_lists[-1][0] == indent:
            html.append("</li>")
        else:
            html.append(opening)
            open_lists.append((indent, opening))
        html.append(item)
    html += [_closed(opening) for _, opening in reversed(open_lists)]
    return "".join(html)


def _item(ink: Ink, line: Span) -> tuple[str, str]:
    """Return the opening tag of the list that an item belongs to, and the item, not yet closed."""
    text_start = line.start + item_marker(ink.text, line)
    number = _NUMBER.match(ink.text, line.start)
    if not number and ink.text[line.start] not in _BULLETS:
        return '<ul class="signed">', f"<li>{ink.shown(line.start, line.end)}"
    inner = ink.hidden(line.start, text_start) + ink.shown(text_start, line.end)
    return ("<ol>", f'<li value="{number[0]}">{inner}') if number else ("<ul>", f"<li>{inner}")


def _closed(opening: str) -> str:
    return f"</li></{opening[1:3]}>"


def _begin(text: str, line: Span) -> int:
    """Return where the line begins, the spaces before it included."""
    return text.rfind("\n", 0, line.start) + 1


_WRITERS = {"row": _table, "item": _list, "lines": _lines}
