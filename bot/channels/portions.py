"""Answers cut to what a chat tool takes: sentences and sources, so many bytes a message."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.wire import Json

_QUOTE_CHARACTERS = 150
_TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Source:
    """Where a marker `[n]` points.

    Attributes:
        number: The n.
        title: Of the document and the nearest heading.
        quote: The quoted words, shortened.
        url: Of the page that marks them; "" if there is none that works from elsewhere.
    """

    number: int
    title: str
    quote: str
    url: str


def sources(reply: Json) -> list[Source]:
    """Return the sources of an answer object, by number."""
    return [_source(citation) for citation in reply["citations"]]


def _source(citation: Json) -> Source:
    names = [citation["title"], *citation["headings"][-1:]]
    url = citation["view_url"] or ""
    return Source(
        citation["number"],
        _short(" › ".join(dict.fromkeys(names)), _TITLE_CHARACTERS),
        _short(" ".join(citation["quote"].split()), _QUOTE_CHARACTERS),
        url if url.startswith(("https://", "http://")) else "",  # elsewhere "/documents" is nothing
    )


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def pack(wholes: Iterable[str], size: int) -> list[str]:
    """Join strings to as few messages as they fit in, in order.

    Args:
        wholes: Cut only where one is longer than a message, and then between characters.
        size: Of a message at most, in bytes of UTF-8; no less than 4.
    """
    messages = [""]
    for whole in wholes:
        for piece in _cut(whole, size):
            if len((messages[-1] + piece).encode()) > size:
                messages.append("")
            messages[-1] += piece
    return messages


def clip(wholes: Iterable[str], size: int) -> str:
    """Join what fits in one message of `size` bytes; an ellipsis says that there was more."""
    wholes = tuple(wholes)
    if len("".join(wholes).encode()) <= size:
        return "".join(wholes)
    return pack(wholes, size - len("…".encode()))[0] + "…"


def _cut(text: str, size: int) -> Iterator[str]:
    raw = text.encode()
    while raw:
        head = raw[:size].decode(errors="ignore")
        yield head
        raw = raw[len(head.encode()) :]
