"""From blocks to the canonical text and its sections."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from corpus.blocks import Block, Content
from corpus.clean import clean, one_line
from corpus.document import Section
from corpus.opening import opening_lines, title_of

_LONGEST_HEADING = 30  # characters of a bold paragraph that is a heading in all but name
_SENTENCE_ENDS = tuple("。！？；：，、…—.!?;:,”’）)》」』")


def compose(content: Content, stem: str) -> tuple[str, str, tuple[Section, ...]]:
    """Lay out the canonical text.

    Blocks are separated by a blank line; items of one list and rows of one table by a line end.
    The title, if the metadata have one, opens the text as a heading, then author and date.

    Args:
        content: What a reader gave.
        stem: The title of last resort, such as the name of the file.

    Returns:
        The title, the text, and the sections in order of their start.
    """
    title = (
        title_of(content.metadata) or _found_title(content) or one_line(clean(stem)) or "document"
    )
    text, sections = _lay_out(_promoted(_opened(content, title)))
    return title, text, sections


def _found_title(content: Content) -> str:
    tops = [block.text for block in content.blocks if block.level == 1]
    if tops and (len(tops) == 1 or not content.title):  # several are chapters, not titles
        return tops[0]
    first = content.blocks[0] if content.blocks else None
    return content.title or (first.text if first and first.kind == "heading" else "")


def _opened(content: Content, title: str) -> list[Block]:
    """Put title, author and date before the blocks, without saying the title twice."""
    blocks = list(content.blocks)
    head = []
    if blocks and (blocks[0].level == 1 or blocks[0].text == title):
        head.append(Block(blocks.pop(0).text, "heading", level=1))
    if title in {title_of(content.metadata), content.title} and title not in {b.text for b in head}:
        head.insert(0, Block(title, "heading", level=1))
    lines = [Block(line) for line in opening_lines(content.metadata)]
    return [*head[:1], *lines, *head[1:], *blocks]


def _promoted(blocks: Sequence[Block]) -> Iterable[Block]:
    """Make short bold paragraphs headings, one level below the real heading they stand under."""
    level = 1
    for number, block in enumerate(blocks, start=1):
        if block.kind == "heading":
            level = block.level
        last = number == len(blocks)
        if block.strong and not last and _reads_as_heading(block.text):
            yield replace(block, kind="heading", level=level + 1, strong=False)
        else:
            yield block


def _reads_as_heading(text: str) -> bool:
    return len(text) <= _LONGEST_HEADING and not text.endswith(_SENTENCE_ENDS)


def _lay_out(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...]]:
    parts: list[str] = []
    sections: list[Section] = []
    ruling: list[int] = []  # places in `sections` that are not closed yet, outermost first
    group = end = 0
    for block in blocks:
        parts.append("" if not parts else "\n" if block.group and block.group == group else "\n\n")
        start = end + len(parts[-1])
        if block.kind == "heading":
            while ruling and sections[ruling[-1]].level >= block.level:
                place = ruling.pop()
                sections[place] = replace(sections[place], end=end)
            ruling.append(len(sections))
            sections.append(Section(block.text, block.level, start, start))
        parts.append(block.text)
        group, end = block.group, start + len(block.text)
    for place in ruling:
        sections[place] = replace(sections[place], end=end)
    return "".join(parts), tuple(sections)
