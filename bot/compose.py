"""From evidence to the text of an answer: whole sentences, each with its source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer import Citation
from bot.evidence import Evidence
from bot.verify import MARKER
from corpus.sentences import Span, item_marker

_END = re.compile(r"[。！？!?…；;，,、：:.]+$")
_QUOTED_END = re.compile(r"[。！？!?…][”’」』）)】》\"']+$")
_STOPS = {"；": "。", ";": "。", "，": "。", ",": "。", "、": "。", ":": "："}
_SPACES = re.compile(r"\s+")
_FULL_WIDTH = str.maketrans("[]", "［］")


@dataclass(frozen=True, slots=True)
class Composed:
    """The text of an answer and what it stands on, numbered alike."""

    text: str
    citations: tuple[Citation, ...]


def compose(chosen: Sequence[Evidence], *, direct: str = "", as_list: bool = False) -> Composed:
    """Put sentences together, each followed by the number of its quotation.

    Args:
        chosen: At least one, in the order in which they are read.
        direct: A short answer to stand first, taken from the first of `chosen`; "" for none.
        as_list: One line for each, instead of running text.
    """
    citations: list[Citation] = []
    parts: list[str] = []
    if direct:
        parts.append(f"{direct}[1]。")
    for number, evidence in enumerate(chosen, start=1):
        citations.append(
            Citation(number, evidence.passage, evidence.start, evidence.end, evidence.text)
        )
        parts.append(marked(evidence.text, f"[{number}]", keep_item=as_list))
    return Composed(("\n" if as_list else "").join(parts), tuple(citations))


def marked(sentence: str, marks: str, *, keep_item: bool) -> str:
    """Return the sentence on one line with `marks`, such as `[1][3]`, before the final stop."""
    if not keep_item:
        sentence = sentence[item_marker(sentence, Span(0, len(sentence))) :]
    # A source may have a [3] of its own, which must not be taken for one of our markers.
    plain = MARKER.sub(lambda found: found.group().translate(_FULL_WIDTH), sentence)
    if plain.startswith("|"):
        plain = "，".join(cell.strip() for cell in plain.strip("|").split("|") if cell.strip())
    plain = _SPACES.sub(" ", plain).strip()
    if _QUOTED_END.search(plain):
        return f"{plain}{marks}"
    end = _END.search(plain)
    stop = end.group() if end else ""
    body = plain[: len(plain) - len(stop)]
    if not keep_item or stop:
        stop = _STOPS.get(stop[:1], stop or "。")
    return f"{body}{marks}{stop}"
