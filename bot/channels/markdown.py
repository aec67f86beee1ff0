"""An answer object as Markdown for chat tools, in which nothing that is quoted is markup."""

import re

from bot.channels.portions import Source, clip, sources
from bot.pieces import parts
from bot.wire import Json

_NOTHING = "\u200b"
"""Zero-width space: parts what would be markup, and nobody sees it."""
_MARKUP = re.compile(r"(?<=\])(?=[(\[])|(?<=<)(?=[A-Za-z/!@])|^(?=#|>|```)", re.MULTILINE)
"""Where it goes: within a link or picture, within a tag, before a heading, quotation or code."""


def markdown(reply: Json, size: int, *, line_end: str = "\n") -> str:
    """Return an answer object as Markdown.

    Args:
        reply: The answer object.
        size: The most that the result may have, in bytes of UTF-8.
        line_end: What begins a new line in that tool's Markdown.
    """
    lines = [_line(source) for source in sources(reply)]
    wholes = [*parts(_plain(reply["answer"])), *(["\n\n---\n"] if lines else []), *lines]
    return clip([whole.replace("\n", line_end) for whole in wholes], size)


def _line(source: Source) -> str:
    title = _plain(source.title).replace("[", "［").replace("]", "］")
    named = f"[{title}]({source.url})" if source.url else title
    return f"\n[{source.number}] {named}：“{_plain(source.quote)}”"


def _plain(text: str) -> str:
    return _MARKUP.sub(_NOTHING, text)
