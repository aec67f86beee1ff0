"""When to say that the documents do not tell."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.certain import CERTAIN, is_certain
from bot.evidence import Evidence, coverage, speaks_of, term_rarity
from bot.ordinals import Item, ordinal_in
from bot.question import Question
from bot.reading import Readings, log_odds
from bot.weights import weights
from corpus.fold import fold, fold_with_offsets
from index.hit import Hit
from index.rows import search_text
from index.search import HybridIndex

_WIDEST_GAP = 6.0
_MISSING = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far an answer can be trusted.

    Attributes:
        confidence: 0 to 1, the probability that the best evidence answers the question.
        threshold: Confidence below which the bot refuses.
        signals: What it was worked out from.
        missing: Words of the question that nothing found speaks of, rarest first, as typed.
        subject: A name in the question that something found does speak of, or "".
    """

    confidence: float
    threshold: float
    signals: Mapping[str, float]
    missing: tuple[str, ...]
    subject: str = ""

    @property
    def refused(self) -> bool:
        """Whether the question is better not answered."""
        return self.confidence < self.threshold


def judge(
    question: Question,
    hits: Sequence[Hit],
    evidence: Sequence[Evidence],
    index: HybridIndex,
    readings: Readings | None = None,
    meant: Item | None = None,
) -> Judgement:
    """Weigh the signals that tell an answer from a near miss.

    Args:
        question: Taken apart.
        hits: Best first.
        evidence: Best first.
        index: That was searched.
        readings: Of the hits.
        meant: The list item that the question means by its number.
    """
    readings = readings or Readings()
    ordinal = ordinal_in(question.text) if meant else None
    known = weights(read=readings.used_for("refuse"))
    if not hits or not evidence:
        return Judgement(0.0, known.threshold, {}, tuple(question.content[:1]))
    signals = measure(question, hits, evidence, index, readings)
    odds = known.bias + sum(weight * signals[name] for name, weight in known.signals.items())
    confidence = 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))
    if is_certain(question, evidence, meant):
        confidence = max(confidence, CERTAIN)
    return Judgement(
        confidence,
        known.threshold,
        signals,
        missing_words(question, hits, index, ordinal.text if ordinal else ""),
        known_subject(question, hits),
    )


def measure(
    question: Question,
    hits: Sequence[Hit],
    evidence: Sequence[Evidence],
    index: HybridIndex,
    readings: Readings,
) -> dict[str, float]:
    """Return the signals: of the question's best passage, and of the best sentence in it."""
    best = evidence[0]
    own = next(hit for hit in hits if hit.passage == best.passage)
    searched = f"{_searched(own)}\n{best.context}"
    folded, terms = fold(searched), index.segmenter.terms(searched)
    asked = [word for word in question.rest if len(word) > 1]
    words = [word for word in question.content if len(word) > 1]
    return {
        "cosine": max(hit.scores.get("dense", 0.0) for hit in hits),
        "sentence_cosine": best.features["cosine"],
        "coverage": coverage(term_rarity(question.content, index), terms),
        "absent": _share(words, lambda word: word not in folded, default=0.0),
        "subject": speaks_of(question, searched),
        "unknown": float(any(not _known(name, index) for name in _proper(question))),
        "rest": coverage(term_rarity(question.rest, index), terms) if question.rest else 1.0,
        "rest_words": _share(asked, lambda word: word in folded, default=1.0),
        "gap": min(best.score - evidence[1].score, _WIDEST_GAP) if evidence[1:] else _WIDEST_GAP,
        "alike": best.features["alike"],
        "wanted": best.features["wanted"],
        **(_as_read(best, readings) if readings.used_for("refuse") else {}),
    }


def _as_read(best: Evidence, readings: Readings) -> dict[str, float]:
    """Return what the reader says of all passages, of the best one, and of the best sentence."""
    passage = best.passage
    start, end = best.start - passage.start, best.end - passage.start
    here = [log_odds(1 - reading.absent) for reading in readings.by_id.values()]
    return {
        "relevant": max(map(readings.relevance, readings.by_id)),
        "own_relevant": readings.relevance(passage.id),
        "read": readings.within(passage.id, start, end),
        "here": max(here),
    }


def _proper(question: Question) -> list[str]:
    """Return the names in the question that folding changes, mostly those with a capital."""
    return [name for name in question.names if as_typed(question.text, name) != name]


def _known(name: str, index: HybridIndex) -> bool:
    """Whether any passage of the whole index has all terms of `name`."""
    return all(index.lexical.knows(term) for term in index.segmenter.terms(name))


def _share(words: Sequence[str], holds: Callable[[str], bool], *, default: float) -> float:
    return sum(map(holds, words)) / len(words) if words else default


def missing_words(
    question: Question, hits: Sequence[Hit], index: HybridIndex, also: str = ""
) -> tuple[str, ...]:
    """Return what the question speaks of and no passage found does, as typed, rarest first.

    A name that is missing says it all; without one, the words that ask something of the subject.
    What is in `also` is spoken of as well.
    """
    text = fold("\n".join([*map(_searched, hits), also]))
    absent = [name for name in question.names if name not in text]
    if not absent:
        absent = [word for word in question.rest if len(word) > 1 and word not in text]
    ordered = sorted(absent, key=lambda word: (-index.lexical.rarity(word), word))
    return tuple(as_typed(question.text, word) for word in ordered[:_MISSING])


def known_subject(question: Question, hits: Sequence[Hit]) -> str:
    """Return the name in the question that the passages do speak of, as typed, or ""."""
    text = fold("\n".join(_searched(hit) for hit in hits))
    held = [name for name in (*question.subjects, *question.names) if name in text]
    return as_typed(question.text, held[0]) if held else ""


def as_typed(question: str, word: str) -> str:
    """Return the part of `question` that folds to `word`; `word` itself if there is none."""
    folded = fold_with_offsets(question)
    at = folded.text.find(word)
    if at < 0 or not word:
        return word
    start, end = folded.original(at, at + len(word))
    return question[start:end]


def _searched(hit: Hit) -> str:
    return search_text(hit.title, hit.passage.headings, hit.passage.text)
