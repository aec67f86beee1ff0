"""A question and a passage as one row of tokens, and the way back from tokens to characters."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.document import Passage
from corpus.fold import simplify
from index.model import PROMPTS
from index.rows import search_path

if TYPE_CHECKING:
    from tokenizers import Tokenizer

QUESTION_TOKENS = 96
PASSAGE_TOKENS = 400
"""A passage has at most 350 characters, save for tables; what is longer is read to here."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The tokens `<s> query: Q </s> passage: path, text </s>`.

    Attributes:
        ids: Of all tokens.
        first: Place among `ids` of the first token of the text.
        spans: Where each token of the text stands in it, start and end, in characters.
    """

    ids: tuple[int, ...]
    first: int
    spans: tuple[tuple[int, int], ...]

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the places among `ids` of the first and last token of a span of the text."""
        inside = [at for at, (a, b) in enumerate(self.spans) if a < end and start < b]
        return (self.first + inside[0], self.first + inside[-1]) if inside else None


def pair(tokenizer: "Tokenizer", question: str, path: str, text: str) -> Pair:
    """Encode a question with a passage, both in simplified script, whatever they are typed in.

    Args:
        tokenizer: Of the built-in model.
        question: That stands alone.
        path: Title and headings of the passage, on one line; may be empty.
        text: Of the passage, what a span is looked for in.
    """
    asked = tokenizer.encode(PROMPTS["query"] + simplify(question)).ids
    opening = f"{PROMPTS['passage']}{simplify(path)}\n" if path else PROMPTS["passage"]
    said = tokenizer.encode(opening + simplify(text))
    end = asked[-1]
    places = range(1, min(len(said.ids) - 1, PASSAGE_TOKENS))  # less <s> and </s>
    ids = (*asked[:-1][:QUESTION_TOKENS], end, *(said.ids[at] for at in places), end)
    shift = len(opening)
    spans = [(said.offsets[at][0] - shift, said.offsets[at][1] - shift) for at in places]
    of_text = [(_past_blanks(text, max(a, 0), b), b) for a, b in spans if b > 0]
    return Pair(ids, len(ids) - 1 - len(of_text), tuple(of_text))


def _past_blanks(text: str, start: int, end: int) -> int:
    """Return where a token's word begins: the token has the blank or line end before it as well."""
    word = text[start:end]
    return start + len(word) - len(word.lstrip() or word)


def passage_pair(tokenizer: "Tokenizer", question: str, title: str, passage: Passage) -> Pair:
    """Encode a question with a passage of a document of that title."""
    return pair(tokenizer, question, search_path(title, passage.headings), passage.text)
