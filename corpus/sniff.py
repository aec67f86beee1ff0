"""Tell by its content what a text is, where its name does not."""

import re
from typing import Literal

Kind = Literal["html", "markdown", "text", "pdf", "docx", "jsonl"]

KINDS: dict[str, Kind] = {
    ".docx": "docx",
    ".htm": "html",
    ".html": "html",
    ".jsonl": "jsonl",
    ".markdown": "markdown",
    ".md": "markdown",
    ".ndjson": "jsonl",
    ".pdf": "pdf",
    ".text": "text",
    ".txt": "text",
    ".xhtml": "html",
}
"""Suffixes that are read, in lower case, and what they stand for."""

_PAGE = re.compile(r"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_ELEMENT = re.compile(
    r"<(?:!--|\?xml|(?:article|b|blockquote|body|center|div|font|h[1-6]|head|header|img|main|meta|ol"
    r"|p|section|span|strong|table|ul)\b)",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"</(?:blockquote|div|h[1-6]|li|p|table|td|tr|ul)\s*>", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6} +\S", re.MULTILINE)
_SUBHEADING = re.compile(r"^#{2,6} +\S", re.MULTILINE)
_ENOUGH = 3  # block elements in a text that is not HTML from end to end
_HEADINGS = 2


def is_html(text: str, *, markdown: bool = False) -> bool:
    """Tell whether `text` is HTML: a page, a fragment, or prose with HTML in it.

    Args:
        text: With its front matter peeled off.
        markdown: It is said to be Markdown, in which HTML is at home: then only a text that is
            HTML from end to end counts.
    """
    text = text.strip()
    if _PAGE.match(text):
        return True
    blocks = len(_CLOSING.findall(text))
    if _ELEMENT.match(text) and text.endswith(">") and blocks and not _HEADING.search(text):
        return True
    return not markdown and blocks >= _ENOUGH and not _HEADING.search(text)


def is_markdown(text: str) -> bool:
    """Tell whether a text of no known kind is Markdown: it has several headings below the first."""
    return len(_SUBHEADING.findall(text)) >= _HEADINGS


def sniff(data: bytes) -> Kind:
    """Tell the kind of bytes that came without a name; all that is no known format is text."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data.startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return "docx"
    if start.startswith(b"{") and b'"text"' in data.split(b"\n", 1)[0]:
        return "jsonl"
    return "text"
