"""Word files into blocks, by way of HTML."""

from dataclasses import replace

from corpus.blocks import Content
from corpus.clean import clean, one_line
from corpus.errors import UnreadableSourceError
from corpus.readers.html import read_html
from corpus.readers.sandbox import parse

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"


def read_docx(data: bytes, source: str) -> Content:
    """Read a Word file: headings by their styles, lists, tables, footnotes.

    Raises:
        UnreadableSourceError: It is damaged, needs a password, or unpacks into too much.
    """
    if data.startswith(_OLD_OFFICE):
        reason = "an old Word file, or one with a password; save it as docx without one"
        raise UnreadableSourceError(source, reason, trouble="locked")
    parsed = parse("docx", data, source)
    content = read_html(parsed["html"])
    metadata = {key: one_line(clean(value)) for key, value in parsed["metadata"].items()}
    title = metadata.pop("title", "")
    return replace(content, metadata=metadata, title=title)
