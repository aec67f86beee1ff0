"""BM25 over any terms, in flat arrays that load without being read.

Terms are kept as 64-bit hashes: a sorted array is searched where it lies, in place of a dictionary
that would have to be read whole. With ten million different
terms, the chance of any two sharing a hash is 3 in a million.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
_BLOCK = 64
Terms = NDArray[np.uint64]
Scores = NDArray[np.float32]
Arrays = Mapping[str, NDArray[np.generic]]


def term_hash(term: str) -> int:
    """Return the first 64 bits of BLAKE2b of the term, the same in every process."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Bags:
    """How often each term stands in each text, texts one after the other.

    Kept beside the inverted index, so that a change to one document cuts only that one into words.

    Attributes:
        bounds: Shape (n + 1,), int64; text i has the entries `bounds[i]:bounds[i + 1]`.
        terms: Shape (entries,), hashes, sorted within a text.
        counts: Shape (entries,), uint16, how often, at most 65,535.
    """

    bounds: NDArray[np.int64]
    terms: Terms
    counts: NDArray[np.uint16]

    @classmethod
    def count(cls, texts: Iterable[Sequence[str]]) -> Self:
        """Count the terms of each text."""
        hashes: dict[str, int] = {}
        bounds, terms, counts = [0], list[int](), list[int]()
        for text in texts:
            for term in text:
                if term not in hashes:
                    hashes[term] = term_hash(term)
            bag = sorted(Counter(hashes[term] for term in text).items())
            terms.extend(key for key, _ in bag)
            counts.extend(min(count, 65_535) for _, count in bag)
            bounds.append(len(terms))
        return cls(
            np.asarray(bounds, np.int64),
            np.asarray(terms, np.uint64),
            np.asarray(counts, np.uint16),
        )

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def pick(self, rows: Sequence[int]) -> Self:
        """Return the texts at `rows`, in that order."""
        chosen = np.asarray(rows, np.int64)
        sizes = self.bounds[chosen + 1] - self.bounds[chosen]
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shift = np.repeat(self.bounds[chosen] - bounds[:-1], sizes)
        entries = np.arange(bounds[-1]) + shift
        return type(self)(bounds, self.terms[entries], self.counts[entries])

    def joined(self, other: Self) -> Self:
        """Return these texts and those of `other` behind them."""
        return type(self)(
            np.concatenate([self.bounds, other.bounds[1:] + self.bounds[-1]]),
            np.concatenate([self.terms, other.terms]),
            np.concatenate([self.counts, other.counts]),
        )


@dataclass(frozen=True, slots=True)
class Lexical:
    """An inverted index with its BM25 weights worked out.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009,
    doi:10.1561/1500000019, with the inverse document frequency of Lucene,
    ln(1 + (n - df + 0.5) / (df + 0.5)), which is never negative.

    Attributes:
        size: Number of texts.
        terms: Shape (t,), hashes of all terms, sorted.
        bounds: Shape (t + 1,); term i has the postings `bounds[i]:bounds[i + 1]`.
        rows: Shape (postings,), int32, which text, ascending within a term.
        weights: Shape (postings,), what the term adds to the score of that text.
    """

    size: int
    terms: Terms
    bounds: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: Scores

    @classmethod
    def build(cls, bags: Bags, *, k1: float = K1, b: float = B) -> Self:
        """Invert `bags`."""
        n = len(bags)
        sizes = np.diff(bags.bounds)
        owner = np.repeat(np.arange(n, dtype=np.int32), sizes)
        order = np.argsort(bags.terms, kind="stable")
        terms, starts, df = np.unique(bags.terms[order], return_index=True, return_counts=True)
        rows = owner[order]
        tf = bags.counts[order].astype(np.float32)
        lengths = np.zeros(n, np.float32)
        np.add.at(lengths, owner, bags.counts.astype(np.float32))
        mean = float(lengths.mean()) if n and lengths.any() else 1.0
        idf = np.log1p((n - df + 0.5) / (df + 0.5)).astype(np.float32)
        damping = k1 * (1 - b + b * lengths[rows] / mean)
        weights = np.repeat(idf, df) * tf * (k1 + 1) / (tf + damping)
        bounds = np.append(starts, len(order)).astype(np.int64)
        return cls(n, terms, bounds, rows, weights.astype(np.float32))

    def scores(self, terms: Iterable[str]) -> Scores:
        """Return the BM25 score of every text, shape (size,); repeats in `terms` do not count."""
        total = np.zeros(self.size, np.float32)
        for at in self._places(terms):
            postings = slice(self.bounds[at], self.bounds[at + 1])
            rows = self.rows[postings].astype(np.intp)  # numpy adds faster by its own kind of index
            np.add.at(total, rows, self.weights[postings])
        return total

    def rarity(self, term: str) -> float:
        """Return the inverse document frequency of `term`; that of no text at all if unknown."""
        (at,) = self._places([term]) or (-1,)
        df = 0 if at < 0 else int(self.bounds[at + 1] - self.bounds[at])
        return float(np.log1p((self.size - df + 0.5) / (df + 0.5)))

    def knows(self, term: str) -> bool:
        """Whether any text has `term`."""
        return bool(self._places([term]))

    def _places(self, terms: Iterable[str]) -> list[int]:
        hashes = np.asarray(sorted({term_hash(term) for term in terms}), np.uint64)
        at = np.searchsorted(self.terms, hashes)
        inside = at < len(self.terms)
        return [
            int(place)
            for place, key in zip(at[inside], hashes[inside], strict=True)
            if self.terms[place] == key
        ]


def _surely_among(scores: Scores, k: int) -> np.float32:
    """Return a score above 0 that no row among the `k` best is below: most rows need no look.

    The k-th highest of the maxima of blocks: at least `k` rows have it or a higher one. The rows
    of a block are `blocks` apart: numpy finds such maxima several times faster than of neighbours.
    """
    least: np.float32 = np.nextafter(np.float32(0), np.float32(1))
    blocks = len(scores) // _BLOCK
    if not 0 < k <= blocks:
        return least
    maxima = scores[: blocks * _BLOCK].reshape(_BLOCK, blocks).max(axis=0)
    floor: np.float32 = max(least, np.partition(maxima, -k)[-k])
    return floor


def best(scores: Scores, k: int) -> NDArray[np.int64]:
    """Return the rows of the `k` highest scores above 0, best first, equal ones by row."""
    rows = np.flatnonzero(scores >= _surely_among(scores, k))
    if len(rows) > k > 0:
        floor = np.partition(scores[rows], -k)[-k]
        rows = rows[scores[rows] >= floor]
    return rows[np.lexsort((rows, -scores[rows]))][: max(k, 0)]
