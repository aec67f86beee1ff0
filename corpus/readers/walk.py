"""The walk over a parsed page: elements in, blocks out.

It keeps what a reader of the page sees: headings, paragraphs, lists with their numbers, tables,
code, captions. Scripts, styles, comments, navigation and hidden elements go. No recursion: a
page may nest as deep as it likes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from corpus.blocks import Block
from corpus.clean import clean
from corpus.readers.inline import caption, is_strong, render
from corpus.readers.line import Line, Visit
from corpus.readers.table import Table, is_layout

_SKIPPED = frozenset(
    "script style template noscript head nav svg canvas audio video iframe object embed button "  # noqa: SIM905 - one a line would fill a page
    "select textarea input datalist rt rp annotation annotation-xml dialog".split()
)
_BLOCKS = (
    "address article aside blockquote body center dd details dir div dl dt fieldset footer form "  # noqa: SIM905 - as above
    "header hgroup hr html legend main p section summary caption tbody thead tfoot".split()
)
_GUTTERS = frozenset({"gutter", "linenos", "lineno", "line-numbers"})  # classes of line numbers
_STRONG_STYLE = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_REFERENCES = re.compile("参考|引用|延伸阅读|相关链接|references|bibliography", re.IGNORECASE)
_NUMBER = re.compile("-?[0-9]{1,9}")
_DEEPEST_INDENT = 16


@dataclass(slots=True)
class _List:
    """A list that is open.

    Attributes:
        number: Of the next item; None in a list of bullets.
        group: Number of the outermost list, for its blocks.
    """

    number: int | None
    group: int


@dataclass(slots=True)
class _Item:
    """A list item that is open.

    Attributes:
        mark: Indentation and mark that its line begins with; empty once there is such a line.
        group: Of its list.
    """

    mark: str
    group: int


class Walk:
    """One walk over one tree."""

    def __init__(self) -> None:
        self._out: list[Block] = []
        self._line = Line()
        self._joined = 0  # above 0, blocks run together: in a heading, a cell, code
        self._lists: list[_List] = []
        self._items: list[_Item] = []
        self._table: Table | None = None
        self._captions: list[str] = []  # one for each figure that is open
        self._groups = 0
        self._visits: dict[str, Callable[[LexborNode], Visit]] = {
            **self._line.visits,
            **dict.fromkeys(_BLOCKS, self._visit_block),
            **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), self._visit_heading),
            **dict.fromkeys(("ul", "ol", "menu"), self._visit_list),
            **dict.fromkeys(("td", "th"), self._visit_cell),
            **dict.fromkeys(("pre", "listing", "xmp", "plaintext"), self._visit_verbatim),
            "br": self._visit_break,
            "figcaption": self._visit_figcaption,
            "figure": self._visit_figure,
            "img": self._visit_image,
            "li": self._visit_item,
            "table": self._visit_table,
            "tr": self._visit_row,
        }

    def blocks(self, root: LexborNode) -> list[Block]:
        """Walk the tree below `root` and give its blocks in reading order."""
        open_: list[tuple[LexborNode, Visit]] = []
        node: LexborNode | None = root
        while node is not None:
            visit = self._enter(node)
            child = node.first_child if visit else None
            if visit and child is not None:
                open_.append((node, visit))
                node = child
                continue
            if visit:
                next(visit, None)
            while open_ and node.next is None:
                node, visit = open_.pop()
                next(visit, None)
            node = node.next if open_ else None
        self._break()
        return self._out

    def _enter(self, node: LexborNode) -> Visit | None:
        """Begin the visit of `node`; None if nothing below it is to be seen."""
        tag = node.tag or ""
        if node.is_text_node:
            self._line.add(node.text_content or "")
            return None
        if not node.is_element_node or tag in _SKIPPED:
            return None
        attributes = node.attributes
        style = attributes.get("style") or ""
        if attributes and (_HIDDEN_STYLE.search(style) or _is_hidden(attributes)):
            return None
        visit = self._visits.get(tag, self._visit_inline)(node)
        if style and _STRONG_STYLE.search(style):
            visit = self._both(visit, self._line.visit_strong(node))
        next(visit)
        return visit

    def _both(self, outer: Visit, inner: Visit) -> Visit:
        next(outer)
        next(inner)
        yield
        next(inner, None)
        next(outer, None)

    def _break(self) -> None:
        """Begin a new line, where a block begins or ends; a list item goes on in its own."""
        if self._joined or self._items:
            self._line.wrap()
        else:
            self._end_line()

    def _end_line(self) -> None:
        pieces = self._line.take()
        text = render(pieces)
        if not text:
            return
        if self._items and self._items[-1].mark:
            item = self._items[-1]
            self._out.append(Block(item.mark + text, "item", group=item.group))
            item.mark = ""
            return
        strong = not self._items and is_strong(pieces)  # else after code or a list in the item
        self._out.append(Block(text, strong=strong))
        if strong:
            self._line.in_references = _refers(text)

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups

    def _visit_inline(self, _node: LexborNode) -> Visit:
        yield

    def _visit_block(self, _node: LexborNode) -> Visit:
        self._break()
        yield
        self._break()

    def _visit_break(self, _node: LexborNode) -> Visit:
        if self._joined or self._items:
            self._line.add_plain("\n")
        else:
            self._end_line()
        yield

    def _visit_heading(self, node: LexborNode) -> Visit:
        if self._joined or self._items:
            yield from self._visit_block(node)
            return
        self._end_line()
        self._joined += 1
        yield
        self._joined -= 1
        if text := render(self._line.take()):
            self._out.append(Block(text, "heading", level=int((node.tag or "h1")[1])))
            self._line.in_references = _refers(text)

    def _visit_verbatim(self, _node: LexborNode) -> Visit:
        if self._joined:
            yield from self._visit_block(_node)
            return
        self._end_line()
        self._joined += 1
        yield
        self._joined -= 1
        text = clean("".join(piece.text.expandtabs(4) for piece in self._line.take()))
        lines = [line.rstrip() for line in text.split("\n")]
        if code := "\n".join(lines).strip("\n"):
            self._out.append(Block(code, "code"))

    def _visit_image(self, node: LexborNode) -> Visit:
        alt = caption(node.attrs.sget("alt"))
        if self._captions:
            self._captions[-1] = alt
        else:
            self._line.add_plain(alt)
        yield

    def _visit_figure(self, _node: LexborNode) -> Visit:
        self._break()
        self._captions.append("")
        yield
        self._break()
        if alt := self._captions.pop():
            self._line.add_plain(alt)
            self._break()

    def _visit_figcaption(self, _node: LexborNode) -> Visit:
        self._break()
        yield
        self._break()
        if self._captions:
            self._captions[-1] = ""

    def _visit_list(self, node: LexborNode) -> Visit:
        if self._joined:
            yield from self._visit_block(node)
            return
        self._end_line()
        start = node.attrs.sget("start")
        number = int(start) if _NUMBER.fullmatch(start) else 1
        group = self._lists[-1].group if self._lists else self._new_group()
        self._lists.append(_List(number if node.tag == "ol" else None, group))
        yield
        self._break()
        self._lists.pop()

    def _visit_item(self, node: LexborNode) -> Visit:
        if self._joined:
            yield from self._visit_block(node)
            return
        self._end_line()
        owner = self._lists[-1] if self._lists else _List(None, self._new_group())
        value = node.attrs.sget("value")
        if owner.number is not None and _NUMBER.fullmatch(value):
            owner.number = int(value)
        mark = "- " if owner.number is None else f"{owner.number}. "
        owner.number = None if owner.number is None else owner.number + 1
        depth = min(len(self._lists), _DEEPEST_INDENT) - 1 if self._lists else 0
        self._items.append(_Item("  " * depth + mark, owner.group))
        yield
        self._end_line()
        self._items.pop()

    def _visit_table(self, node: LexborNode) -> Visit:
        if self._joined or is_layout(node):
            yield from self._visit_block(node)
            return
        self._end_line()
        self._table = Table(self._new_group())
        yield
        self._end_line()
        self._table = None

    def _visit_row(self, node: LexborNode) -> Visit:
        yield from self._visit_block(node)
        if self._table and (text := self._table.row()):
            self._out.append(Block(text, "row", group=self._table.group))

    def _visit_cell(self, node: LexborNode) -> Visit:
        if not self._table:
            yield from self._visit_block(node)
            return
        self._end_line()
        self._joined += 1
        yield
        self._joined -= 1
        span = node.attrs.sget("rowspan")
        self._table.add(render(self._line.take()), int(span) if _NUMBER.fullmatch(span) else 1)


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    classes = (attributes.get("class") or "").split()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") == "navigation"
        or not _GUTTERS.isdisjoint(classes)
    )


def _refers(heading: str) -> bool:
    return _REFERENCES.search(heading) is not None
