"""When to say that the documents do not tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.evidence import Evidence, coverage, term_rarity, wanted
from bot.question import Question
from corpus.fold import fold
from index.hit import Hit
from index.rows import search_text
from index.search import HybridIndex

THRESHOLD = 0.5
"""Confidence below which the bot refuses, unless the index has its own."""

# Logistic regression on the tuning halves, by `python -m eval.fit`; see docs/quality.md.
BIAS = -30.0
WEIGHTS: Mapping[str, float] = {
    "cosine": 28.0,
    "sentence_cosine": 6.0,
    "coverage": 2.5,
    "sentence_coverage": 1.5,
    "names": 1.5,
    "agreement": 0.5,
    "wanted": 0.5,
    "rarest": 1.5,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far an answer can be trusted.

    Attributes:
        confidence: 0 to 1, the probability that the best evidence answers the question.
        signals: What it was worked out from, each 0 to 1.
        missing: Words of the question that nothing found speaks of, rarest first, as typed.
    """

    confidence: float
    signals: Mapping[str, float]
    missing: tuple[str, ...]


def judge(
    question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence], index: HybridIndex
) -> Judgement:
    """Weigh the signals that tell an answer from a near miss."""
    if not hits or not evidence:
        return Judgement(0.0, {}, tuple(question.content[:1]))
    signals = measure(question, hits, evidence, index)
    odds = BIAS + sum(WEIGHTS[name] * signals[name] for name in WEIGHTS)
    confidence = 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))
    return Judgement(confidence, signals, missing_words(question, hits, index))


def measure(
    question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence], index: HybridIndex
) -> dict[str, float]:
    """Return the signals, each 0 to 1."""
    best = evidence[0]
    rarity = term_rarity(question, index)
    top = hits[0]
    found = _searched(top)
    text = fold(found)
    held = [name in text for name in question.names]
    rarest = max(rarity, key=lambda term: (rarity[term], term), default="")
    return {
        "cosine": max(hit.scores.get("dense", 0.0) for hit in hits),
        "sentence_cosine": best.features.get("cosine", 0.0),
        "coverage": coverage(rarity, index.segmenter.terms(found)),
        "sentence_coverage": best.features.get("context", 0.0),
        "names": sum(held) / len(held) if held else 1.0,
        "agreement": float(top.ranks.get("dense") == 1 and top.ranks.get("bm25") == 1),
        "wanted": wanted(question.kind, best.text),
        "rarest": float(rarest in set(index.segmenter.terms(found))) if rarest else 1.0,
    }


def missing_words(question: Question, hits: Sequence[Hit], index: HybridIndex) -> tuple[str, ...]:
    """Return what the question speaks of and no passage found does, as it was typed."""
    text = fold("\n".join(_searched(hit) for hit in hits))
    shown = {word.text: question.text[word.start : word.end] for word in question.words}
    absent = [name for name in question.names if name not in text]
    absent += [
        word
        for word in question.content
        if len(word) > 1 and word not in text and not any(word in name for name in absent)
    ]
    ordered = sorted(absent, key=lambda word: -index.lexical.rarity(word))
    return tuple(_as_typed(question.text, word, shown) for word in ordered[:2])


def _as_typed(question: str, word: str, shown: Mapping[str, str]) -> str:
    if word in shown:
        return shown[word]
    at = fold(question).find(word)
    return (
        question[at : at + len(word)] if at >= 0 and len(fold(question)) == len(question) else word
    )


def _searched(hit: Hit) -> str:
    return search_text("", hit.passage.headings, hit.passage.text)
