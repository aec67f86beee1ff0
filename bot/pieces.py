"""An answer a sentence at a time, as it is shown while it is being made."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bot.answer import Answer, Citation
from corpus.sentences import sentences


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. The texts of all its pieces, joined, are the text of the answer.

    Attributes:
        text: A sentence with its markers and the white space around it.
        citations: Those whose numbers no piece before used, in order.
    """

    text: str
    citations: tuple[Citation, ...] = ()


def parts(text: str) -> Iterator[str]:
    """Yield the sentences of `text` with what stands between them; joined, they are `text`."""
    ends = [span.end for span in sentences(text)][:-1]
    for start, end in pairwise([0, *ends, len(text)]):
        yield text[start:end]


def pieces(answer: Answer) -> Iterator[Piece]:
    """Yield an answer that is complete sentence by sentence."""
    waiting = {f"[{citation.number}]": citation for citation in answer.citations}
    for text in parts(answer.text):
        used = [marker for marker in waiting if marker in text]
        yield Piece(text, tuple(waiting.pop(marker) for marker in used))
