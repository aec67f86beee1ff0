"""The line that a walk over a page is collecting: its pieces and the inline elements open in it."""

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from corpus.clean import clean
from corpus.readers.inline import Piece, render

Visit = Iterator[None]
"""Runs up to its `yield` when the walk enters an element, and on when it leaves."""

_POINTER = re.compile(
    r"(?:点击)?(?:链接|原文|这里|此处|网址|地址|详情|link|here|url|source)[\s0-9]*", re.IGNORECASE
)
_PERMALINKS = frozenset({"¶", "#", "§", "🔗", "↩", "↩︎", "permalink"})
_POWER = re.compile("[-+\u2212]?[0-9]+")
_LONGEST_URL = 500


class Line:
    """Pieces of the block that is being read.

    Attributes:
        in_references: Whether the section lists sources: there a link whose text says nothing
            shows its address.
        visits: What to do at an inline element, by its name.
    """

    def __init__(self) -> None:
        self.in_references = False
        self.visits: dict[str, Callable[[LexborNode], Visit]] = {
            **dict.fromkeys(("b", "strong"), self.visit_strong),
            **dict.fromkeys(("em", "i"), self._visit_emphasis),
            **dict.fromkeys(("code", "kbd", "samp", "tt", "var"), self._visit_code),
            "a": self._visit_link,
            "sup": self._visit_superscript,
        }
        self._pieces: list[Piece] = []
        self._strong = self._marked = self._code = 0  # elements of the kind that are open

    def add(self, text: str) -> None:
        """Add text in the style of the elements that are open."""
        self._pieces.append(Piece(text, self._strong > 0, self._marked > 0, self._code > 0))

    def add_plain(self, text: str) -> None:
        """Add text that the page shows without a style, such as a caption."""
        self._pieces.append(Piece(text))

    def wrap(self) -> None:
        """Put a soft line end here, unless there is one."""
        if self._pieces and not self._pieces[-1].text.endswith("\n"):
            self.add_plain("\n")

    def take(self) -> list[Piece]:
        """Give the pieces and begin the next line."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def visit_strong(self, _node: LexborNode) -> Visit:
        """Make what is inside strong."""
        self._strong += 1
        self._marked += 1
        yield
        self._strong -= 1
        self._marked -= 1

    def _visit_emphasis(self, _node: LexborNode) -> Visit:
        self._marked += 1
        yield
        self._marked -= 1

    def _visit_code(self, _node: LexborNode) -> Visit:
        self._code += 1
        yield
        self._code -= 1

    def _visit_link(self, node: LexborNode) -> Visit:
        start = len(self._pieces)
        yield
        text = render(self._pieces[start:])
        address = clean(node.attrs.sget("href"))
        if text.lower() in _PERMALINKS:
            del self._pieces[start:]
        elif self.in_references and _POINTER.fullmatch(text) and address.startswith("http"):
            self.add_plain(f"（{address[:_LONGEST_URL]}）")

    def _visit_superscript(self, _node: LexborNode) -> Visit:
        start = len(self._pieces)
        yield
        before = self._pieces[start - 1].text[-1:] if 0 < start <= len(self._pieces) else ""
        power = _POWER.fullmatch("".join(piece.text for piece in self._pieces[start:]))
        if power and before.isascii() and (before.isalnum() or before == ")"):
            self._pieces.insert(start, Piece("^"))  # 10 to the fifth is not 105
