"""The walk over a parsed page: elements in, blocks out.

It keeps what a reader of the page sees: headings, paragraphs, lists with their numbers, tables,
code, captions. Scripts, styles, comments, navigation and hidden elements go. No recursion: a
page may nest as deep as it likes.
"""

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from corpus.blocks import Block
from corpus.clean import clean, joint
from corpus.readers.inline import Piece, caption, is_strong, render
from corpus.readers.table import Table, is_layout

# A visit runs up to its `yield` when the walk enters an element, and on when it leaves.
_Visit = Iterator[None]

_SKIPPED = frozenset(
    "script style template noscript head nav svg canvas audio video iframe object embed button "
    "select textarea input datalist rt rp annotation annotation-xml dialog".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dir div dl dt fieldset footer form "
    "header hgroup hr html legend main p section summary caption tbody thead tfoot".split()
)
_GUTTERS = frozenset({"gutter", "linenos", "lineno", "line-numbers"})
_STRONG_STYLE = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_REFERENCES = re.compile(r"参考|引用|延伸阅读|相关链接|references|bibliography", re.IGNORECASE)
_POINTER = re.compile(r"(?:点击)?(?:链接|原文|这里|此处|网址|地址|详情|link|here|url|source)[\s0-9]*", re.IGNORECASE)  # fmt: skip
_PERMALINKS = frozenset({"¶", "#", "§", "🔗", "↩", "↩︎", "permalink"})
_POWER = re.compile(r"[-+−]?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_LONGEST_URL = 500


class _List:
    """A list that is open.

    Attributes:
        number: Of the next item; None in a list of bullets.
        group: Number of the outermost list, for its blocks.
    """

    def __init__(self, number: int | None, group: int) -> None:
        self.number = number
        self.group = group


class _Item:
    """A list item that is open.

    Attributes:
        mark: Indentation and mark that its line begins with.
        group: Of its list.
        place: Where its line stands among the blocks; -1 before there is one.
    """

    def __init__(self, mark: str, group: int) -> None:
        self.mark = mark
        self.group = group
        self.place = -1


class Walk:
    """One walk over one tree."""

    def __init__(self) -> None:
        self._out: list[Block] = []
        self._line: list[Piece] = []
        self._strong = self._marked = self._code = 0  # elements of the kind that are open
        self._joined = 0  # above 0, blocks run together: in a heading, a cell, code
        self._lists: list[_List] = []
        self._items: list[_Item] = []
        self._table: Table | None = None
        self._captions: list[str] = []  # one for each figure that is open
        self._groups = 0
        self._in_references = False
        self._visits: dict[str, Callable[[LexborNode], _Visit]] = {
            **dict.fromkeys(_BLOCKS, self._visit_block),
            **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), self._visit_heading),
            **dict.fromkeys(("b", "strong"), self._visit_strong),
            **dict.fromkeys(("em", "i"), self._visit_emphasis),
            **dict.fromkeys(("code", "kbd", "samp", "tt", "var"), self._visit_code),
            **dict.fromkeys(("ul", "ol", "menu"), self._visit_list),
            **dict.fromkeys(("td", "th"), self._visit_cell),
            **dict.fromkeys(("pre", "listing", "xmp", "plaintext"), self._visit_verbatim),
            "a": self._visit_link,
            "br": self._visit_break,
            "figcaption": self._visit_figcaption,
            "figure": self._visit_figure,
            "img": self._visit_image,
            "li": self._visit_item,
            "sup": self._visit_superscript,
            "table": self._visit_table,
            "tr": self._visit_row,
        }

    def blocks(self, root: LexborNode) -> list[Block]:
        """Walk the tree below `root` and give its blocks in reading order."""
        open_: list[tuple[LexborNode, _Visit]] = []
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

    def _enter(self, node: LexborNode) -> _Visit | None:
        """Begin the visit of `node`; None if nothing below it is to be seen."""
        tag = node.tag or ""
        if node.is_text_node:
            self._add(node.text_content or "")
            return None
        if not node.is_element_node or tag in _SKIPPED:
            return None
        attributes = node.attributes
        style = attributes.get("style") or ""
        if attributes and (_HIDDEN_STYLE.search(style) or _is_hidden(attributes)):
            return None
        visit = self._visits.get(tag, self._visit_inline)(node)
        if style and _STRONG_STYLE.search(style):
            visit = self._both(visit, self._visit_strong(node))
        next(visit)
        return visit

    def _both(self, outer: _Visit, inner: _Visit) -> _Visit:
        next(outer)
        next(inner)
        yield
        next(inner, None)
        next(outer, None)

    def _add(self, text: str, *, plain: bool = False) -> None:
        strong, marked, code = self._strong > 0, self._marked > 0, self._code > 0
        self._line.append(Piece(text) if plain else Piece(text, strong, marked, code))

    def _take(self) -> list[Piece]:
        pieces, self._line = self._line, []
        return pieces

    def _break(self) -> None:
        """End the line, where a block begins or ends."""
        if self._joined:
            if self._line and not self._line[-1].text.endswith("\n"):
                self._line.append(Piece("\n"))
            return
        pieces = self._take()
        if text := render(pieces):
            self._emit(text, strong=is_strong(pieces))

    def _emit(self, text: str, *, strong: bool = False) -> None:
        if not self._items:
            self._out.append(Block(text, strong=strong))
            self._in_references = _refers(text) if strong else self._in_references
            return
        item = self._items[-1]
        if item.place < 0:
            item.place = len(self._out)
            self._out.append(Block(item.mark + text, "item", group=item.group))
        elif item.place == len(self._out) - 1:
            line = self._out[-1].text
            self._out[-1] = Block(line + joint(line[-1], text[0]) + text, "item", group=item.group)
        else:  # after a nested list or code: too far from its mark to be the same line
            self._out.append(Block(text))

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups

    def _visit_inline(self, _node: LexborNode) -> _Visit:
        yield

    def _visit_block(self, _node: LexborNode) -> _Visit:
        self._break()
        yield
        self._break()

    def _visit_break(self, _node: LexborNode) -> _Visit:
        if self._items or self._joined:
            self._line.append(Piece("\n"))
        else:
            self._break()
        yield

    def _visit_heading(self, node: LexborNode) -> _Visit:
        self._break()
        if self._items or self._joined:
            yield
            self._break()
            return
        self._joined += 1
        yield
        self._joined -= 1
        if text := render(self._take()):
            self._out.append(Block(text, "heading", level=int((node.tag or "h1")[1])))
            self._in_references = _refers(text)

    def _visit_strong(self, _node: LexborNode) -> _Visit:
        self._strong += 1
        self._marked += 1
        yield
        self._strong -= 1
        self._marked -= 1

    def _visit_emphasis(self, _node: LexborNode) -> _Visit:
        self._marked += 1
        yield
        self._marked -= 1

    def _visit_code(self, _node: LexborNode) -> _Visit:
        self._code += 1
        yield
        self._code -= 1

    def _visit_verbatim(self, _node: LexborNode) -> _Visit:
        self._break()
        if self._joined:
            yield
            self._break()
            return
        self._joined += 1
        yield
        self._joined -= 1
        text = clean("".join(piece.text.expandtabs(4) for piece in self._take()))
        lines = [line.rstrip() for line in text.split("\n")]
        if code := "\n".join(lines).strip("\n"):
            self._out.append(Block(code, "code"))

    def _visit_link(self, node: LexborNode) -> _Visit:
        start = len(self._line)
        yield
        text = render(self._line[start:])
        href = clean(node.attrs.sget("href"))
        if text.lower() in _PERMALINKS:
            del self._line[start:]
        elif self._in_references and _POINTER.fullmatch(text) and href.startswith("http"):
            self._add(f"（{href[:_LONGEST_URL]}）", plain=True)

    def _visit_superscript(self, _node: LexborNode) -> _Visit:
        start = len(self._line)
        yield
        before = self._line[start - 1].text[-1:] if start else ""
        power = _POWER.fullmatch("".join(piece.text for piece in self._line[start:]))
        if power and before.isascii() and (before.isalnum() or before == ")"):
            self._line.insert(start, Piece("^"))  # 10 to the fifth is not 105

    def _visit_image(self, node: LexborNode) -> _Visit:
        alt = caption(node.attrs.sget("alt"))
        if self._captions:
            self._captions[-1] = alt
        else:
            self._add(alt, plain=True)
        yield

    def _visit_figure(self, _node: LexborNode) -> _Visit:
        self._break()
        self._captions.append("")
        yield
        self._break()
        if alt := self._captions.pop():
            self._add(alt, plain=True)
            self._break()

    def _visit_figcaption(self, _node: LexborNode) -> _Visit:
        self._break()
        yield
        self._break()
        if self._captions:
            self._captions[-1] = ""

    def _visit_list(self, node: LexborNode) -> _Visit:
        self._break()
        start = node.attrs.sget("start")
        number = int(start) if _NUMBER.fullmatch(start) else 1
        group = self._lists[-1].group if self._lists else self._new_group()
        self._lists.append(_List(number if node.tag == "ol" else None, group))
        yield
        self._break()
        self._lists.pop()

    def _visit_item(self, node: LexborNode) -> _Visit:
        self._break()
        if self._joined:
            yield
            self._break()
            return
        owner = self._lists[-1] if self._lists else _List(None, self._new_group())
        value = node.attrs.sget("value")
        if owner.number is not None and _NUMBER.fullmatch(value):
            owner.number = int(value)
        mark = "- " if owner.number is None else f"{owner.number}. "
        owner.number = None if owner.number is None else owner.number + 1
        self._items.append(_Item("  " * max(0, len(self._lists) - 1) + mark, owner.group))
        yield
        self._break()
        self._items.pop()

    def _visit_table(self, node: LexborNode) -> _Visit:
        self._break()
        if self._table or self._joined or is_layout(node):
            yield
            self._break()
            return
        self._table = Table(self._new_group())
        yield
        self._break()
        self._table = None

    def _visit_row(self, _node: LexborNode) -> _Visit:
        self._break()
        yield
        self._break()
        if self._table and (text := self._table.row()):
            self._out.append(Block(text, "row", group=self._table.group))

    def _visit_cell(self, node: LexborNode) -> _Visit:
        self._break()
        if not self._table:
            yield
            self._break()
            return
        self._joined += 1
        yield
        self._joined -= 1
        span = node.attrs.sget("rowspan")
        self._table.add(render(self._take()), int(span) if _NUMBER.fullmatch(span) else 1)


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
