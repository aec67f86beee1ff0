"""A line of text out of the inline elements of HTML."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from corpus.clean import clean, has_han, one_line

_PAIR = re.compile(r"\*\*([^*]++)\*\*")
_FILE_NAME = re.compile(
    r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?)|https?:\S*|[0-9a-f-]{16,}", re.IGNORECASE
)
_NO_CAPTION = re.compile(
    r"(?:在这里插入)?(?:图片|图像|图|插图|配图|截图|示意图|头像|照片)(?:描述|说明)?[\s0-9_-]*"
    r"|(?:img|image|images|picture|pic|photo|figure|fig|screenshot|logo|icon|avatar|alt|null)[\s0-9_-]*",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+")


class Piece(NamedTuple):
    """Text with one style.

    Attributes:
        text: As parsed, line ends included.
        strong: In `<strong>`, `<b>` or bold by its style.
        marked: Strong or emphasised.
        code: In `<code>` and the like, where an asterisk is an asterisk.
    """

    text: str
    strong: bool = False
    marked: bool = False
    code: bool = False


def render(pieces: Sequence[Piece]) -> str:
    """Join pieces into one clean line; empty if there is no text."""
    text = "".join(piece.text for piece in pieces)
    if "*" in text:
        text = _without_pairs(_without_strays(pieces), pieces)
    return one_line(clean(text))


def is_strong(pieces: Sequence[Piece]) -> bool:
    """Tell whether every piece with text is strong."""
    return all(piece.strong or not piece.text.strip() for piece in pieces)


def caption(alt: str) -> str:
    """Give the text that stands for an image if it says something, else an empty string."""
    alt = one_line(clean(alt))
    if _NO_CAPTION.fullmatch(alt) or _FILE_NAME.fullmatch(alt):
        return ""
    return alt if has_han(alt) or len(_WORDS.findall(alt)) > 1 else ""


def _without_strays(pieces: Sequence[Piece]) -> list[str]:
    """Take out Markdown's emphasis marks that a broken conversion left beside `<strong>`.

    `<strong>**公有云*</strong>` shows that marks were left; then those at the edges of marked
    pieces go, on both sides. Without such a doubled mark in the line, an asterisk is the author's.
    """
    texts = [piece.text for piece in pieces]
    marked = [piece.marked and not piece.code for piece in pieces]
    edges = (
        text[:2] + text[-2:] for text, is_marked in zip(texts, marked, strict=True) if is_marked
    )
    if not any("**" in edge for edge in edges):
        return texts
    for number, piece in enumerate(pieces):
        if piece.code:
            continue
        if marked[number] or (number and marked[number - 1]):
            texts[number] = texts[number].lstrip("*")
        if marked[number] or any(marked[number + 1 : number + 2]):
            texts[number] = texts[number].rstrip("*")
    return texts


def _without_pairs(texts: Sequence[str], pieces: Sequence[Piece]) -> str:
    """Undo `**…**` around Chinese: CommonMark leaves it where a full-width mark ends the bold."""
    masked = "".join(
        "\0" * len(text) if piece.code else text for text, piece in zip(texts, pieces, strict=True)
    )
    kept: list[str] = []
    place, text = 0, "".join(texts)
    for pair in _PAIR.finditer(masked):
        if has_han(pair[1]):
            kept += (text[place : pair.start()], text[pair.start(1) : pair.end(1)])
            place = pair.end()
    return "".join((*kept, text[place:]))
