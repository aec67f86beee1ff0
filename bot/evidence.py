"""From passages to the sentences in them that answer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bot.alike import alike
from bot.defining import defines
from bot.direct import answer_pattern
from bot.lexicon import lexicon
from bot.naming import other_name
from bot.ordinals import Item, Ordinal, ordinal_in
from bot.question import Question
from bot.reading import Readings
from bot.weights import weights
from corpus.document import Passage
from corpus.fold import fold, simplify
from corpus.lists import item_label
from corpus.sentences import item_marker, sentences
from corpus.words import Segmenter
from index.hit import Hit
from index.rows import search_text
from index.search import HybridIndex

PASSAGES = 5
"""Passages whose sentences are looked at."""
EMBEDDED = 12
"""Sentences that are embedded; those that share the least with the question are not."""

_NUMBER = re.compile(r"[0-9]|[二两三四五六七八九十百千万亿]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that may answer.

    Attributes:
        passage: Where it stands.
        start: Offset into the document's text.
        end: Offset after its last character.
        score: Larger is better; comparable within one question only.
        context: The sentence below its title and headings.
        features: What the score was made from.
    """

    passage: Passage
    start: int
    end: int
    score: float
    context: str = ""
    features: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """The sentence as it stands in the document."""
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]


def gather(
    question: Question,
    hits: Sequence[Hit],
    index: HybridIndex,
    readings: Readings | None = None,
    meant: Item | None = None,
) -> list[Evidence]:
    """Return the sentences of the first hits, best first; equal scores in reading order.

    A sentence is judged by what it means below its title and headings, since «门票：免费» alone
    does not say of what (cosine to the question); by whether its subject is that of the question;
    by the share of the question's rare terms that it holds, those that ask something of the subject
    counted apart; by how much of the question it repeats in the same order; by its passage; and by
    whether it has what the kind of question wants, such as a date. Where the passages were read,
    also by what the reader says of it.

    Args:
        question: Taken apart.
        hits: Best first.
        index: That the hits came from.
        readings: Of the hits.
        meant: The list item that the question means by its number, one of the passages: then
            nothing else is looked at.
    """
    readings = readings or Readings()
    ordinal = ordinal_in(question.text) if meant else None
    if meant:
        hits = [hit for hit in hits if hit.passage == meant.passage]
    rarity = term_rarity(question.content, index)
    asked = term_rarity(question.rest, index)
    found = [
        evidence
        for rank, hit in enumerate(hits[:PASSAGES], start=1)
        for evidence in _sentences(question, hit, rank, rarity, asked, index.segmenter, ordinal)
    ]
    if readings.used_for("quote"):
        found = [_with(evidence, _as_read(evidence, readings)) for evidence in found]
    found.sort(key=_order)
    near, far = found[:EMBEDDED], found[EMBEDDED:]
    vector = index.embedder.encode_questions([simplify(question.text)])[0]
    cosines = index.embedder.encode_passages([evidence.context for evidence in near]) @ vector
    lowest = float(np.min(cosines, initial=1.0))
    judged = [
        *(_with(evidence, {"cosine": float(c)}) for evidence, c in zip(near, cosines, strict=True)),
        *(_with(evidence, {"cosine": lowest}) for evidence in far),
    ]
    if meant and ordinal and meant.is_all_asked(question, ordinal):
        return sorted(judged, key=lambda one: one.start)
    return sorted(judged, key=_order)


def term_rarity(words: Sequence[str], index: HybridIndex) -> dict[str, float]:
    """Return the terms of some words of a question, each with its rarity in the index."""
    terms = index.segmenter.terms(" ".join(words))
    return {term: index.lexical.rarity(term) for term in terms}


def coverage(rarity: Mapping[str, float], terms: Sequence[str]) -> float:
    """Return the share of the question's terms, weighted by rarity, that `terms` holds, 0 to 1."""
    total = sum(rarity.values())
    held = set(terms)
    return sum(weight for term, weight in rarity.items() if term in held) / total if total else 0.0


def wanted(question: Question, text: str) -> float:
    """Return 1 if `text` has what the question wants, 0 if not, 0.5 if nothing tells.

    A count wants a number of the thing counted, a definition wants its subject to be what the
    sentence is about, and a question for a name wants the other name beside the one it has.
    """
    folded = fold(text)
    if question.kind == "naming":
        return float(any(other_name(name, text) for name in (*question.subjects, *question.names)))
    if question.kind == "count":
        counted = answer_pattern(question)
        found = counted is not None and counted.search(folded) is not None
        return 1.0 if found else 0.5 * bool(_NUMBER.search(folded))
    if question.kind == "definition" and question.subjects:
        subject = question.subjects[-1]
        opens = re.search(rf"^.{{0,12}}{re.escape(subject)}.{{0,8}}(?:是|指|即|：|为)", folded)
        return float(bool(opens) or defines(subject, text))
    pattern = lexicon().wanted.get(question.kind)
    return 0.5 if pattern is None else float(bool(pattern.search(folded)))


def _sentences(
    question: Question,
    hit: Hit,
    rank: int,
    rarity: Mapping[str, float],
    asked: Mapping[str, float],
    segmenter: Segmenter,
    ordinal: Ordinal | None,
) -> list[Evidence]:
    """Return the sentences of a passage with all features but the cosine."""
    passage = hit.passage
    found = []
    for span in sentences(passage.text):
        if span.end - span.start <= item_marker(passage.text, span):
            continue
        text = passage.text[span.start : span.end]
        start, end = passage.start + span.start, passage.start + span.end
        name = ordinal.text if ordinal else item_label(passage.text, span)
        said = f"{name}：{text}" if name else text
        context = search_text(hit.title, passage.headings, said)
        terms = segmenter.terms(said)
        features = {
            "coverage": coverage(rarity, terms),
            "rest": coverage(asked, terms),
            "subject": speaks_of(question, context),
            "alike": alike("".join(question.content) or question.text, text),
            "wanted": wanted(question, text),
            "passage": hit.score,
            "rank": 1 / (1 + rank),
            "asks": float(text.endswith(("？", "?"))),
            "announces": float(text.endswith(("：", ":"))),
        }
        found.append(Evidence(passage, start, end, _score(features), context, features))
    return found


def speaks_of(question: Question, context: str) -> float:
    """Return 1 if `context` names all subjects of the question, 0 if not, 0.5 if it has none."""
    folded = fold(context)
    subjects = question.subjects
    return float(all(subject in folded for subject in subjects)) if subjects else 0.5


def _as_read(evidence: Evidence, readings: Readings) -> dict[str, float]:
    passage = evidence.passage
    start, end = evidence.start - passage.start, evidence.end - passage.start
    return {
        "read": readings.within(passage.id, start, end),
        "relevant": readings.relevance(passage.id),
    }


def _with(evidence: Evidence, more: Mapping[str, float]) -> Evidence:
    features = {**evidence.features, **more}
    return replace(evidence, score=_score(features), features=features)


def _score(features: Mapping[str, float]) -> float:
    known = weights(read="read" in features).evidence
    return sum(known[name] * value for name, value in features.items())


def _order(evidence: Evidence) -> tuple[float, str, int]:
    return -evidence.score, evidence.passage.document_id, evidence.start
