"""HTML, well-formed or not, into blocks.

Parsed as a browser parses it (lexbor, through selectolax), never by patterns.
"""

from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from corpus.blocks import Block, Content
from corpus.clean import clean, one_line
from corpus.readers.nesting import shallow
from corpus.readers.walk import Walk

_META = {
    "author": "author",
    "article:author": "author",
    "date": "date",
    "article:published_time": "date",
    "description": "description",
    "keywords": "keywords",
}


def read_html(html: str) -> Content:
    """Read a page or a fragment of one.

    Args:
        html: Decoded. Its nesting may be of any depth: what is deeper than a browser would go
            counts as siblings.

    Raises:
        MemoryError: The tree does not fit.
    """
    page = _parsed(html)
    body = page.body
    blocks = Walk().blocks(_main(body)) if body else []
    if "\ufffd" not in html:
        blocks = _without_replacements(blocks)
    return Content(tuple(blocks), _metadata(page), _title(page))


def _parsed(html: str) -> LexborHTMLParser:
    try:
        return LexborHTMLParser(shallow(html))
    except SelectolaxError as error:  # it can make a tree of anything, if there is room for it
        raise MemoryError from error


def _without_replacements(blocks: list[Block]) -> list[Block]:
    """Take out U+FFFD that the page never had: the parser puts it for `&#0;` and the like."""
    texts = (block.text.replace("\ufffd", "").strip("\n").rstrip() for block in blocks)
    pairs = zip(blocks, texts, strict=True)
    return [replace(block, text=text) for block, text in pairs if text]


def _main(body: LexborNode) -> LexborNode:
    """Find the one element that holds the article, if it holds most of the text."""
    for selector in ("main, [role=main]", "article"):
        found = body.css(selector)
        if len(found) == 1 and 2 * len(found[0].text()) >= len(body.text()):
            return found[0]
    return body


def _title(page: LexborHTMLParser) -> str:
    title = page.head.css_first("title") if page.head else None
    return one_line(clean(title.text())) if title else ""


def _metadata(page: LexborHTMLParser) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for meta in page.head.css("meta[content]") if page.head else ():
        key = _META.get(meta.attrs.sget("name") or meta.attrs.sget("property"))
        value = one_line(clean(meta.attrs.sget("content")))
        if key and value:
            metadata.setdefault(key, value)
    return metadata
