"""What a search returns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from corpus.document import Passage


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for one query. Scores live here, never on the passage.

    Attributes:
        passage: What was found.
        score: Larger is better, 0 to 1. Comparable within one result list only.
        ranks: Retriever to its rank for this passage, from 1; absent where it did not find it.
        scores: Retriever to its own score: the cosine of `dense`, the sum of `bm25`. Comparable
            between questions to one index, unlike `score`.
        title: Of the document that the passage is from.

    Raises:
        ValueError: A score is not finite, or a rank is below 1.
    """

    passage: Passage
    score: float
    ranks: Mapping[str, int] = field(default_factory=dict, hash=False)
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    title: str = ""

    def __post_init__(self) -> None:
        for score in (self.score, *self.scores.values()):
            if not math.isfinite(score):
                message = f"score of {self.passage.id} is {score}, not a finite number"
                raise ValueError(message)
        if any(rank < 1 for rank in self.ranks.values()):
            message = f"ranks of {self.passage.id} start at 1, got {dict(self.ranks)}"
            raise ValueError(message)
