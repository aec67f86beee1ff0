"""What the reader makes of the passages found, and what of that is used."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from bot.weights import reader_weights
from index.hit import Hit
from index.reader import Reader, Reading

Use: TypeAlias = Literal["rerank", "quote", "direct", "refuse"]
USES: frozenset[Use] = frozenset(get_args(Use))
"""The order of the passages, the choice of sentences, the short answer, the refusal."""

READ = 6
"""Passages that are read at most; those behind them keep their places."""
CERTAIN = 0.4
"""A passage whose score is this far below the best one is not read: the search is certain enough.

Of 486 questions of six tuning sets, none had its right passage further down among the first six,
and 2.6 passages are read in place of 6."""
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Readings:
    """Passages that were read, by their id; empty if none was.

    Attributes:
        by_id: Id of a passage to what was read in it.
        uses: What they are for.
    """

    by_id: Mapping[str, Reading] = field(default_factory=dict)
    uses: frozenset[Use] = frozenset()

    def used_for(self, use: Use) -> bool:
        """Whether there are readings for this use."""
        return bool(self.by_id) and use in self.uses

    def relevance(self, passage_id: str) -> float:
        """Return the log odds that a passage answers, -6 to 6; the lowest if it was not read."""
        reading = self.by_id.get(passage_id)
        return -6.0 if reading is None else log_odds(reading.relevance)

    def within(self, passage_id: str, start: int, end: int) -> float:
        """Return the logarithm of the probability that the answer begins in part of a passage."""
        reading = self.by_id.get(passage_id)
        return math.log(max(_LEAST, reading.within(start, end) if reading else 0.0))


def read(
    reader: Reader | None, uses: frozenset[Use], question: str, hits: Sequence[Hit]
) -> Readings:
    """Read the first hits, those that the search has not already ruled out."""
    if reader is None or not uses or not hits:
        return Readings()
    first = [hit for hit in hits[:READ] if hit.score > hits[0].score - CERTAIN]
    found = reader.read(question, first)
    named = {hit.passage.id: reading for hit, reading in zip(first, found, strict=True)}
    return Readings(named, uses)


def rerank(hits: Sequence[Hit], readings: Readings) -> list[Hit]:
    """Order the passages that were read by their score and relevance together, best first."""
    if not readings.used_for("rerank"):
        return list(hits)
    weight = reader_weights().rerank

    def score(hit: Hit) -> float:
        return hit.score + weight * readings.by_id[hit.passage.id].relevance

    count = len(readings.by_id)
    first = [replace(hit, score=score(hit) / (1 + weight)) for hit in hits[:count]]
    behind = [replace(hit, score=hit.score / (1 + weight)) for hit in hits[count:]]
    return [*sorted(first, key=lambda hit: hit.score, reverse=True), *behind]


def log_odds(probability: float) -> float:
    """Return the logarithm of the odds, -6 to 6."""
    kept = min(max(probability, 0.00248), 0.99752)
    return math.log(kept / (1 - kept))
