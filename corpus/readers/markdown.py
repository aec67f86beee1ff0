"""Markdown into blocks, by way of HTML."""

from functools import cache

from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin

from corpus.blocks import Content
from corpus.readers.html import read_html
from corpus.readers.hugo import without_anchors, without_comments, without_shortcodes

_MAX_NESTING = 20


def read_markdown(text: str) -> Content:
    """Read CommonMark with tables, strikethrough, footnotes, HTML and Hugo's additions.

    Args:
        text: Decoded, with LF line ends and its front matter peeled off.
    """
    return read_html(_parser().render(plain_markdown(text)))


def plain_markdown(text: str) -> str:
    """Take out what is not Markdown: comments, shortcodes, heading anchors."""
    return without_anchors(without_shortcodes(without_comments(text)))


@cache
def _parser() -> MarkdownIt:
    # each opening bracket is looked through up to so many levels deep: more is slow, not better
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _MAX_NESTING}).enable(
        ["table", "strikethrough"]
    )
    return parser.use(footnote_plugin)
