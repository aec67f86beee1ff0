"""From passages to the sentences in them that answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.lexicon import Kind, lexicon
from bot.question import Question
from corpus.document import Passage
from corpus.fold import fold
from corpus.sentences import item_marker, sentences
from index.hit import Hit
from index.search import HybridIndex

PASSAGES = 5
"""Passages whose sentences are looked at."""

# Worked out by `python -m eval.fit` on the tuning halves; see docs/quality.md.
WEIGHTS: Mapping[str, float] = {
    "cosine": 6.0,
    "coverage": 3.0,
    "context": 1.0,
    "passage": 1.0,
    "wanted": 0.5,
    "length": 0.0,
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

    A sentence is judged by what it means (cosine to the question), by the share of the question's
    rare terms that it and its surroundings hold, by its passage, and by whether it has what the
    kind of question wants, such as a date.
    """
    spans = [
        (hit, passage.start + span.start, passage.start + span.end)
        for hit in hits[:PASSAGES]
        for passage in [hit.passage]
        for span in sentences(passage.text)
        if span.end - span.start > item_marker(passage.text, span)
    ]
    if not spans:
        return []
    texts = [_text(hit.passage, start, end) for hit, start, end in spans]
    vector = index.embedder.encode_questions([question.text])[0]
    cosines = index.embedder.encode_passages(texts) @ vector
    rarity = term_rarity(question, index)
    found = []
    for at, (hit, start, end) in enumerate(spans):
        before = texts[at - 1] if at and spans[at - 1][0] is hit else ""
        above = " ".join([*hit.passage.headings, before])
        features = {
            "cosine": float(cosines[at]),
            "coverage": coverage(rarity, index.segmenter.terms(texts[at])),
            "context": coverage(rarity, index.segmenter.terms(f"{above} {texts[at]}")),
            "passage": hit.score,
            "wanted": wanted(question.kind, texts[at]),
            "length": float(np.log1p(end - start)),
        }
        score = sum(WEIGHTS[name] * value for name, value in features.items())
        found.append(Evidence(hit.passage, start, end, score, features))
    return sorted(found, key=lambda e: (-e.score, e.passage.document_id, e.start))


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


def _text(passage: Passage, start: int, end: int) -> str:
    return passage.text[start - passage.start : end - passage.start]
