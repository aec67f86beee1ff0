"""How well a reader reads, given the right passage."""

from collections.abc import Sequence
from dataclasses import dataclass

from corpus.document import Passage
from corpus.fold import simplify
from corpus.sentences import sentences
from eval.metrics import character_f1, exact
from eval.reader.examples import Item, Target
from index.hit import Hit
from index.reader import Reader, Reading


@dataclass(frozen=True, slots=True)
class Score:
    """Means over questions, 0 to 1.

    Attributes:
        questions: How many.
        f1: Character F1 of the best span with the gold answers, as `eval.metrics` defines it.
        exact: Share of best spans that are a gold answer.
        sentence: Share of questions whose most probable sentence holds the start of an answer.
        relevance: Share of questions whose passage is thought more relevant than the best of the
            others that were found.
        answers: Share of passages with the answer that are thought relevant, above one half.
        refuses: Share of passages without it that are not.
    """

    questions: int
    f1: float
    exact: float
    sentence: float
    relevance: float
    answers: float
    refuses: float


def score(reader: Reader, items: Sequence[Item]) -> Score:
    """Read the right passage of each question, and the first of the others found for it.

    Raises:
        ValueError: No question has a passage with its answer.
    """
    asked = [item for item in items if item.answering]
    if not asked:
        message = "no question has a passage that holds its answer"
        raise ValueError(message)
    rows = [_row(reader, item) for item in asked]
    paired = [row for row in rows if row.other is not None]
    return Score(
        questions=len(rows),
        f1=_mean([row.f1 for row in rows]),
        exact=_mean([row.exact for row in rows]),
        sentence=_mean([row.sentence for row in rows]),
        relevance=_mean([row.own > (row.other or 0.0) for row in paired]),
        answers=_mean([row.own > _HALF for row in rows]),
        refuses=_mean([(row.other or 0.0) <= _HALF for row in paired]),
    )


_HALF = 0.5


@dataclass(frozen=True, slots=True)
class _Row:
    f1: float
    exact: float
    sentence: float
    own: float
    other: float | None


def _row(reader: Reader, item: Item) -> _Row:
    target = item.answering[0]
    hits = [_hit(one) for one in (target, *item.others[:1])]
    own, *others = reader.read(item.question, hits)
    best = own.best()
    said = simplify(target.text[best.start : best.end]) if best else ""
    golds = [simplify(target.text[start:end]) for start, end in target.spans]
    return _Row(
        f1=character_f1(said, golds),
        exact=float(exact([said], golds)),
        sentence=float(_in_best_sentence(own, target)),
        own=own.relevance,
        other=others[0].relevance if others else None,
    )


def _in_best_sentence(reading: Reading, target: Target) -> bool:
    spans = list(sentences(target.text))
    best = max(spans, key=lambda span: reading.within(span.start, span.end))
    return any(best.start <= start < best.end for start, _ in target.spans)


def _hit(target: Target) -> Hit:
    return Hit(Passage("passage", 0, len(target.text), target.text), 1.0, title=target.path)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
