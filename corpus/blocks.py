"""What every reader gives: blocks in reading order, and what the source says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

BlockKind = Literal["heading", "paragraph", "item", "row", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    r"""A heading, paragraph, list item, table row or piece of code.

    Attributes:
        text: Clean, not blank, one line; only code has several. A list item begins with its mark
            (`- `, `2. `), indented by two spaces a level; a table row is `| a | b |`.
        kind: What it is.
        level: Of a heading, 1 for the outermost; 0 for everything else.
        group: Items of one list and rows of one table share a number above 0.
        strong: A paragraph that is bold from end to end, so perhaps a heading.
    """

    text: str
    kind: BlockKind = "paragraph"
    level: int = 0
    group: int = 0
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A source as read, before it is a document.

    Attributes:
        blocks: In reading order.
        metadata: Front matter and the like, as strings.
        title: What the format calls the title, such as HTML's `<title>`; it often names the site
            too, so a heading of level 1 is better.
    """

    blocks: tuple[Block, ...]
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    title: str = ""
