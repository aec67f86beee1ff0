"""Whether passages carry a sentence, and in which words: the gate for all that a model writes.

Stricter than `bot.verify.supported`, which says whether quotes and a sentence speak of the same.
A sentence passes if one run of clauses in one sentence of a passage has all its telling words and
numbers, binds them together in the same way, and makes no smaller claim. In doubt it does not pass:
the documents' own sentences are always there instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.llm.rules import keeps_limits, says
from bot.llm.statement import Clause, clauses, is_name
from bot.llm.wording import wording
from bot.verify import supported
from corpus.document import Passage
from corpus.fold import fold
from corpus.sentences import Span, item_marker, sentences
from corpus.words import Segmenter


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that a model was shown, and what stands over it."""

    passage: Passage
    title: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of a passage, in offsets of the document."""

    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words there."""
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence of a passage, with the one before it where it begins with a pronoun."""

    quote: Quote
    clauses: tuple[Clause, ...]
    about: str


def quotes_for(claim: str, sources: Sequence[Source], segmenter: Segmenter) -> tuple[Quote, ...]:
    """Return the words that carry `claim`, () if none do.

    Args:
        claim: One sentence without markers, plain text.
        sources: The passages that it cites, and no others.
        segmenter: Cuts both into words.
    """
    claim = claim[item_marker(claim, Span(0, len(claim))) :]
    said = _joined(clauses(claim, segmenter))
    if not any(clause.telling or clause.figures for clause in said):
        return ()
    if any(_letters(claim) in _letters(_over(source)) for source in sources):
        return ()  # a heading alone says nothing
    units = [unit for source in sources for unit in _units(source, segmenter)]
    whole = _carrier(said, units)
    parts = [whole] if whole else [_carrier(group, units) for group in _groups(said)]
    found = tuple(dict.fromkeys(quote for quote in parts if quote))
    complete = len(parts) > 0 and None not in parts
    return found if complete and supported(claim, [quote.text for quote in found]) else ()


def _over(source: Source) -> str:
    return " ".join((source.title, *source.passage.headings))


def _letters(text: str) -> str:
    return "".join(letter for letter in fold(text) if letter.isalnum())


def _units(source: Source, segmenter: Segmenter) -> list[_Unit]:
    passage = source.passage
    about = fold(_over(source))
    spans = sentences(passage.text)
    found = []
    for at, span in enumerate(spans):
        begin = span.start + item_marker(passage.text, span)
        parts = clauses(passage.text[begin : span.end], segmenter)
        start = span.start
        first = parts[0].words[0].text if parts and parts[0].words else ""
        if first in wording().pronouns and at:
            before = spans[at - 1]
            start = before.start
            parts = [*clauses(passage.text[before.start : before.end], segmenter), *parts]
        quote = Quote(passage, passage.start + start, passage.start + span.end)
        found.append(_Unit(quote, tuple(parts), about))
    return found


def _joined(said: Sequence[Clause]) -> list[Clause]:
    """Put a clause that only gives a number, such as «1979 年，», to the one after it."""
    found: list[Clause] = []
    waiting: Clause | None = None
    for clause in said:
        whole = waiting.followed_by(clause) if waiting else clause
        waiting = None if whole.telling else whole
        if not waiting:
            found.append(whole)
    return [*found, waiting] if waiting else found


def _groups(said: Sequence[Clause]) -> list[list[Clause]]:
    """Split a sentence where a clause begins with a name of its own; [] if it has one part."""
    groups: list[list[Clause]] = []
    for clause in said:
        if not groups or (is_name(clause.lead) and clause.words[0].text == clause.lead):
            groups.append([])
        groups[-1].append(clause)
    return groups if len(groups) > 1 else []


def _carrier(said: Sequence[Clause], units: Sequence[_Unit]) -> Quote | None:
    """Return the shortest sentence that carries `said`, as a whole and by its parts."""
    parts = [said, *([clause] for clause in said)]
    fitting = [unit.quote for unit in units if all(_carries(unit, part, said) for part in parts)]
    return min(fitting, key=lambda quote: quote.end - quote.start, default=None)


def _carries(unit: _Unit, said: Sequence[Clause], whole: Sequence[Clause]) -> bool:
    count = len(unit.clauses)
    return any(
        says(unit.clauses[start:end], said, unit.about)
        and keeps_limits(unit.clauses[:end], start, whole)
        for start in range(count)
        for end in range(start + 1, count + 1)
    )
