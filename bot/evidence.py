"""From passages to the sentences in them that answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.alike import alike
from bot.lexicon import Kind, lexicon
from bot.question import Question
from corpus.document import Passage
from corpus.fold import fold
from corpus.sentences import item_marker, sentences
from corpus.words import Segmenter
from index.hit import Hit
from index.search import HybridIndex

PASSAGES = 5
"""Passages whose sentences are looked at."""
EMBEDDED = 20
"""Sentences that are embedded; those with fewer words of the question wait behind."""

# Fitted by `python -m eval.fit` on the tuning halves; docs/evaluation.md says how.
WEIGHTS: Mapping[str, float] = {
    "cosine": 27.6,
    "coverage": -2.9,
    "context": 4.0,
    "passage": 5.6,
    "rank": 1.6,
    "wanted": 1.4,
    "alike": 5.3,
    "before": -1.5,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that may answer.

    Attributes:
        passage: Where it stands.
        start: Offset into the document's text.
        end: Offset after its last character.
        score: Larger is better; comparable within one question only.
        features: What the score was made from.
    """

    passage: Passage
    start: int
    end: int
    score: float
    features: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """The sentence as it stands in the document."""
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]


def gather(question: Question, hits: Sequence[Hit], index: HybridIndex) -> list[Evidence]:
    """Return the sentences of the first hits, best first; equal scores in reading order.

    A sentence is judged by what it means (cosine to the question), by how much of the question it
    repeats in the same order, by the share of the question's rare terms that it and what surrounds
    it hold, by its passage, and by whether it has what the kind of question wants, such as a date.
    """
    rarity = term_rarity(question, index)
    found = [
        evidence
        for rank, hit in enumerate(hits[:PASSAGES], start=1)
        for evidence in _sentences(question, hit, rank, rarity, index.segmenter)
    ]
    found.sort(key=_order)
    near, far = found[:EMBEDDED], found[EMBEDDED:]
    vector = index.embedder.encode_questions([question.text])[0]
    cosines = index.embedder.encode_passages([evidence.text for evidence in near]) @ vector
    lowest = float(np.min(cosines, initial=1.0))
    judged = [
        *(_with(evidence, "cosine", float(c)) for evidence, c in zip(near, cosines, strict=True)),
        *(_with(evidence, "cosine", lowest) for evidence in far),
    ]
    return sorted(judged, key=_order)


def term_rarity(question: Question, index: HybridIndex) -> dict[str, float]:
    """Return the terms of what the question speaks of, each with its rarity in the index."""
    text = " ".join([*question.content, *question.names]) or question.text
    return {term: index.lexical.rarity(term) for term in index.segmenter.terms(text)}


def coverage(rarity: Mapping[str, float], terms: Sequence[str]) -> float:
    """Return the share of the question's terms, weighted by rarity, that `terms` holds, 0 to 1."""
    total = sum(rarity.values())
    held = set(terms)
    return sum(weight for term, weight in rarity.items() if term in held) / total if total else 0.0


def wanted(kind: Kind, text: str) -> float:
    """Return 1 if `text` has what an answer of this kind needs, 0 if not, 0.5 if none is known."""
    pattern = lexicon().wanted.get(kind)
    return 0.5 if pattern is None else float(bool(pattern.search(fold(text))))


def _sentences(
    question: Question,
    hit: Hit,
    rank: int,
    rarity: Mapping[str, float],
    segmenter: Segmenter,
) -> list[Evidence]:
    """Return the sentences of a passage with all features but the cosine."""
    passage = hit.passage
    spans = [
        span
        for span in sentences(passage.text)
        if span.end - span.start > item_marker(passage.text, span)
    ]
    texts = [passage.text[span.start : span.end] for span in spans]
    terms = [segmenter.terms(text) for text in texts]
    held = [coverage(rarity, of_one) for of_one in terms]
    above = segmenter.terms(" ".join(passage.headings))
    found = []
    for at, (span, text) in enumerate(zip(spans, texts, strict=True)):
        before = terms[at - 1] if at else []
        features = {
            "coverage": held[at],
            "context": coverage(rarity, [*above, *before, *terms[at]]),
            "passage": hit.score,
            "rank": 1 / (1 + rank),
            "wanted": wanted(question.kind, text),
            "alike": alike(question.text, text),
            "before": held[at - 1] if at else 0.0,
        }
        start, end = passage.start + span.start, passage.start + span.end
        found.append(Evidence(passage, start, end, _score(features), features))
    return found


def _with(evidence: Evidence, name: str, value: float) -> Evidence:
    features = {**evidence.features, name: value}
    return Evidence(evidence.passage, evidence.start, evidence.end, _score(features), features)


def _score(features: Mapping[str, float]) -> float:
    return sum(WEIGHTS[name] * value for name, value in features.items())


def _order(evidence: Evidence) -> tuple[float, str, int]:
    return -evidence.score, evidence.passage.document_id, evidence.start
