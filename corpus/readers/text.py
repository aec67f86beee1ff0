"""Plain text into blocks: a line is a block, unless it was wrapped by hand.

Text carries no marks of its structure, so little is claimed: a heading must say that it is one
(`第一章 …`) or be one of several numbered lines that stand alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from corpus.blocks import Block, Content
from corpus.clean import columns, joint

_SENTENCE_ENDS = tuple("。！？；：…!?;:”’」』）)")
_ITEM = re.compile(r"[-*+•·●○◆■□▪]\s|[（(]?[0-9]{1,3}(?:[、)）]|\.(?![0-9]))")
_NEW_PARAGRAPH = re.compile(r"\u3000|[ ]{2,}|[（(]?[一二三四五六七八九十]{1,3}[、）)]")
_WORD = re.compile(r"[!-~]+|.[，。、；：？！）》」』】”’…]*", re.DOTALL)
_MIN_WIDTH = 40  # columns: shorter lines are verse, names, a table
_RAGGED = 10  # columns that a full line may lack: a word that was moved down
_MIN_FULL_LINES = 3

_HAN_NUMBER = "[〇零一二三四五六七八九十百千0-9]{1,6}"
_PARTS = re.compile(rf"第{_HAN_NUMBER}([部编卷篇章回节])(?:[\s：:、.]\s*(?=\S)|\Z)")
_LISTED = re.compile(r"[一二三四五六七八九十]{1,3}、\s*(?=\S)")
_DECIMAL = re.compile(r"[1-9][0-9]?((?:\.[1-9][0-9]?){1,3})[ \u3000]+(?=\S)")
_PART_LEVELS = dict.fromkeys("部编卷篇", 1) | dict.fromkeys("章回", 2) | {"节": 3}
_LISTED_LEVEL = 2
_LONGEST_HEADING = 30


def read_text(text: str) -> Content:
    """Read plain text.

    Args:
        text: Clean, its front matter peeled off.
    """
    return Content(tuple(text_blocks(text.split("\n"))))


def text_blocks(lines: Sequence[str], width: int | None = None) -> list[Block]:
    """Join hand-wrapped lines, and find the headings and lists among them.

    A blank line is a border, and does not become a block.

    Args:
        lines: Clean.
        width: What `wrap_width` says of the text that `lines` are a part of, or of them alone.
    """
    width = wrap_width(lines) if width is None else width
    rows = [row for row in _unwrapped(lines, width) if row]
    kinds = [_heading(row) for row in rows]
    often = Counter(kinds)
    blocks: list[Block] = []
    group = 0
    for number, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        # The same numbering right beside it makes it an item of a list, or of the contents.
        alone = kind not in kinds[max(0, number - 1) : number] + kinds[number + 1 : number + 2]
        last = number + 1 == len(rows)
        if kind and alone and not last and (kind[0] == "part" or often[kind] > 1):
            blocks.append(Block(row, "heading", level=kind[1]))
        elif _ITEM.match(row):
            group += not blocks or blocks[-1].kind != "item"
            blocks.append(Block(row, "item", group=group))
        else:
            blocks.append(Block(row))
    return blocks


def _heading(line: str) -> tuple[str, int] | None:
    """Say what numbering `line` has, if it can be a heading, and the level of that numbering."""
    if len(line) > _LONGEST_HEADING or line.endswith((*_SENTENCE_ENDS, "，", "、", ",")):
        return None
    if part := _PARTS.match(line):
        return "part", _PART_LEVELS[part[1]]
    if _LISTED.match(line):
        return "listed", _LISTED_LEVEL
    if decimal := _DECIMAL.match(line):
        return "decimal", decimal[1].count(".") + _LISTED_LEVEL
    return None


def _unwrapped(lines: Iterable[str], width: int) -> list[str]:
    """Join the lines that were wrapped by hand at one width; give the others as they are."""
    rows = [line.rstrip() for line in lines]
    joined: list[list[str]] = []
    wrapped = False  # whether the line before ended only because the next word did not fit
    for row, after in zip_longest(rows, rows[1:], fillvalue=""):
        part = row.lstrip()
        if wrapped:
            joined[-1] += (joint(joined[-1][-1][-1], part[0]), part)
        else:
            joined.append([part])
        wrapped = bool(width and row and after) and _is_wrapped(row, after, width)
    return ["".join(parts) for parts in joined]


def wrap_width(lines: Iterable[str]) -> int:
    """Find the width in columns at which the text was wrapped; 0 if it was not.

    Wrapped text has many lines of nearly one width, and almost none that are longer.
    """
    every = [columns(line.rstrip()) for line in lines if line.strip()]
    widths = Counter(width for width in every if width >= _MIN_WIDTH)
    if not widths:
        return 0
    near = {width: sum(widths[width - less] for less in range(_RAGGED)) for width in widths}
    best = max(near, key=lambda width: (near[width], width))
    longer = sum(count for width, count in widths.items() if width > best)
    few = max(1, len(every) // 20)
    if near[best] < _MIN_FULL_LINES or 4 * near[best] < len(every) or longer > few:
        return 0
    return best


def _is_wrapped(row: str, after: str, width: int) -> bool:
    if row.endswith(_SENTENCE_ENDS) or _heading(after):
        return False
    if _NEW_PARAGRAPH.match(after) or _ITEM.match(after):
        return False
    word = _WORD.match(after)
    gap = len(joint(row[-1], after[0]))
    return word is not None and columns(row) + gap + columns(word[0]) > width
