"""What people see on a terminal: colours where they are wanted, answers with their sources."""

import os
from collections.abc import Mapping
from typing import Literal, TextIO

from bot.answer import Answer
from bot.messages import FALLEN_BACK
from bot.wire import Sources

Style = Literal["bold", "faint", "green", "red", "yellow"]

_CODES: Mapping[Style, str] = {
    "bold": "1",
    "faint": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
}


def styled(text: str, style: Style, stream: TextIO) -> str:
    """Return `text` in a style if `stream` is a terminal and `NO_COLOR` is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def visible(text: str) -> str:
    """Return `text` with control characters taken out: a document must not steer a terminal."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f"))


def print_answer(answer: Answer, sources: Sources, stream: TextIO) -> None:
    """Print an answer and, below it, where each number comes from."""
    print(visible(answer.text), file=stream)
    if answer.fallback:
        print(styled(FALLEN_BACK[answer.mode], "faint", stream), file=stream)
    if not answer.citations:
        return
    print(file=stream)
    for citation in answer.citations:
        info = sources.infos.get(citation.passage.document_id)
        title = info.title if info else citation.passage.document_id
        path = [title, *(heading for heading in citation.passage.headings if heading != title)]
        place = visible(" › ".join(path))
        print(styled(f"[{citation.number}] {place}", "bold", stream), file=stream)
        print(styled(f"    {visible(citation.quote)}", "faint", stream), file=stream)
        where = f"    {citation.passage.document_id} {citation.start}–{citation.end}"
        print(styled(visible(where), "faint", stream), file=stream)
