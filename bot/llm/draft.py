"""An answer as it grows: sentences that were checked, their citations numbered as they come."""

from collections.abc import Sequence

from bot.answer import Citation
from bot.compose import marked
from bot.llm.support import Quote
from bot.pieces import Piece
from corpus.sentences import Span, item_marker


class Draft:
    """Turns sentences into pieces. The same words quoted twice have the same number."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._citations: dict[Quote, Citation] = {}
        self._last = ""

    @property
    def is_grounded(self) -> bool:
        """Whether a sentence with a source has been added."""
        return bool(self._citations)

    def add(
        self, sentence: str, quotes: Sequence[Quote], *, new_line: bool, note: str = ""
    ) -> Piece:
        """Return the next piece.

        Args:
            sentence: Plain text.
            quotes: What carries it.
            new_line: Whether it begins one.
            note: Said behind it, where nothing carries it.
        """
        new = []
        for quote in quotes:
            if quote not in self._citations:
                number = len(self._citations) + 1
                cited = Citation(number, quote.passage, quote.start, quote.end, quote.text)
                self._citations[quote] = cited
                new.append(cited)
        numbers = "".join(f"[{self._citations[quote].number}]" for quote in quotes)
        is_item = new_line and item_marker(sentence, Span(0, len(sentence))) > 0
        text = marked(sentence, numbers + note, keep_item=is_item)
        gap = "" if not self._last else "\n" if new_line else " " if self._last in ".!?" else ""
        self._last = text[-1]
        return Piece(gap + text, tuple(new))
