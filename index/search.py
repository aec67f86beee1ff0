"""One search: nearest vectors and BM25, fused by score."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpus.fold import simplify
from corpus.words import Segmenter
from index.dense import Dense
from index.embed import Embedder
from index.fuse import blend
from index.gazetteer import Gazetteer
from index.hit import Hit
from index.lexical import Lexical, best
from index.rows import Row
from index.stopwatch import Stopwatch

WEIGHTS: Mapping[str, float] = {"dense": 0.5, "bm25": 0.5}
DEPTH = 50
"""Candidates taken from each retriever before they are fused."""


class Rows(Protocol):
    """The passages of an index with their titles, without having to hold them all in memory."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, at: int) -> Row:
        """Return the one at `at`, from 0."""


class HybridIndex:
    """Passages, found by meaning and by words. Read only; safe to search from many threads."""

    def __init__(
        self,
        rows: Rows,
        dense: Dense,
        lexical: Lexical,
        embedder: Embedder,
        segmenter: Segmenter,
        gazetteer: Gazetteer,
    ) -> None:
        """Put together parts that were built over the same rows."""
        self.rows = rows
        self.dense = dense
        self.lexical = lexical
        self.embedder = embedder
        self.segmenter = segmenter
        self.gazetteer = gazetteer

    def search(
        self,
        question: str,
        k: int = 10,
        *,
        words: str | None = None,
        weights: Mapping[str, float] = WEIGHTS,
        watch: Stopwatch | None = None,
    ) -> list[Hit]:
        """Return up to `k` passages, best first; equal scores are ordered by row.

        Both retrievers give candidates, and both score all candidates: one that a retriever did
        not find among its first still has that retriever's score, not a guessed one.

        Args:
            question: Found by its meaning.
            k: At most so many.
            words: Found by its words; the question if None.
            weights: Of the retrievers.
            watch: Counts the milliseconds.
        """
        if not len(self.rows) or k < 1:
            return []
        watch = watch or Stopwatch()
        with watch.stage("embed"):
            vector = self.embedder.encode_questions([simplify(question)])[0]
        with watch.stage("dense"):
            near, _ = self.dense.search(vector, max(DEPTH, k))
        with watch.stage("bm25"):
            lexical = self.lexical.scores(self.segmenter.terms(words or question))
            wordy = best(lexical, max(DEPTH, k))
        with watch.stage("fuse"):
            rows = np.union1d(near, wordy)
            scores = {"dense": self.dense.vectors(rows) @ vector, "bm25": lexical[rows]}
            fused = blend(scores, weights)
            order = np.lexsort((rows, -fused))[:k]
            ranks = {"dense": _ranks(near), "bm25": _ranks(wordy)}
            return [
                self._hit(
                    int(rows[at]), float(fused[at]), ranks, {n: of[at] for n, of in scores.items()}
                )
                for at in order
            ]

    def _hit(
        self,
        at: int,
        score: float,
        ranks: Mapping[str, Mapping[int, int]],
        scores: Mapping[str, np.float32],
    ) -> Hit:
        row = self.rows[at]
        return Hit(
            row.passage,
            score,
            {name: of[at] for name, of in ranks.items() if at in of},
            {name: float(of) for name, of in scores.items()},
            row.title,
        )


def _ranks(rows: NDArray[np.int64]) -> dict[int, int]:
    return {row: rank for rank, row in enumerate(rows.tolist(), start=1)}
