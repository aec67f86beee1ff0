"""An answer object as plain text: for a program that only passes words on."""

from bot.channels.portions import Source, sources
from bot.wire import Json


def plain_text(reply: Json) -> str:
    """Return the answer, then its sources by number, each on a line of its own."""
    lines = list(map(_line, sources(reply)))
    return "\n".join([reply["answer"], *([""] if lines else []), *lines])


def _line(source: Source) -> str:
    quoted = f"：“{source.quote}”" if source.quote else ""
    return f"[{source.number}] {source.title}{quoted}{f' {source.url}' if source.url else ''}"
