"""A document as a readable page, its cited words marked."""

from collections.abc import Iterator
from html import escape

from bot.wire import source_url
from corpus.document import Document
from corpus.sentences import lines

_CHANGED = "这份文档在引用之后有改动，引文的位置可能已经不同，所以没有标出。"


def source_page(
    document: Document, span: tuple[int, int] | None = None, *, changed: bool = False
) -> str:
    """Return HTML without scripts; whatever stands in the document, it is only shown.

    Args:
        document: To be shown.
        span: Offsets of the words to mark; what leaves the document is cut off.
        changed: Say that the document is not the one that was cited.
    """
    title = escape(document.title)
    # most documents open with their title: it is not shown twice
    heading = "" if document.text.startswith(document.title) else f"<h1>{title}</h1>"
    notice = f'<p class="notice" role="note">{_CHANGED}</p>' if changed else ""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · 问渠</title><link rel="stylesheet" href="/assets/page.css"></head>'
        f"<body><header>{heading}{_original(document)}</header>{notice}"
        f"<main>{''.join(_blocks(document, span, 1 if heading else 0))}</main></body></html>"
    )


def _original(document: Document) -> str:
    url = source_url(document.source)
    if url is None:
        return ""
    return f'<p><a href="{escape(url)}" rel="noopener noreferrer nofollow">原文</a></p>'


def _blocks(document: Document, span: tuple[int, int] | None, below: int) -> Iterator[str]:
    levels = {section.start: section.level for section in document.sections}
    first = True
    for line in lines(document.text):
        level = levels.get(line.start)
        tag = f"h{min(level + below, 6)}" if level else "p"
        marked, holds = _marked(document.text, line.start, line.end, span)
        anchor = ' id="cited"' if holds and first else ""
        first = first and not holds
        yield f"<{tag}{anchor}>{marked}</{tag}>"


def _marked(text: str, start: int, end: int, span: tuple[int, int] | None) -> tuple[str, bool]:
    """Return `text[start:end]` as HTML, and whether any of the span is in it."""
    begin, stop = (max(start, span[0]), min(end, span[1])) if span else (end, start)
    if begin >= stop:
        return escape(text[start:end]), False
    before, cited, after = text[start:begin], text[begin:stop], text[stop:end]
    return f"{escape(before)}<mark>{escape(cited)}</mark>{escape(after)}", True
