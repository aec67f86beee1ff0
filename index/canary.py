"""A few searches with known results, to tell an index that loads from one that answers.

FAISS reads many damaged files without a word and then answers wrongly: of 15,000 files damaged at
random, 22 %. Checksums find all of these. This is the second line, behind them: it also finds
what no checksum can, such as a version of FAISS that reads a file differently.

The probes are made of a hash, so that only results are stored: for each, the best scores, which
take the way of a search; and the sum of all scores, in which every number of every vector counts.
"""

import hashlib

import numpy as np
from pydantic import BaseModel, ConfigDict

from index.dense import Dense
from index.embed import Vectors

PROBES = 32
_BEST = 10
_AT_ONCE = 4096
_SCORE_TOLERANCE = 1e-4  # processors add in different orders
_SUM_TOLERANCE = 1e-5  # summed in float64
_GRAPH_SHARE = 0.9
"""Of the best scores, a graph search has to find again so many: a score that is off by the last
bit may send it another way."""


class Canary(BaseModel):
    """What the probes have to find.

    Attributes:
        best: Of each probe, the highest scores of a search, best first.
        sums: Of each probe, the sum of the scores of all rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    best: tuple[tuple[float, ...], ...]
    sums: tuple[float, ...]

    @classmethod
    def of(cls, dense: Dense) -> "Canary":
        """Return what the probes find in `dense`."""
        return cls(
            best=tuple(tuple(scores) for scores in _best(dense)),
            sums=tuple(round(total, 9) for total in _sums(dense).tolist()),
        )

    def wrong(self, dense: Dense) -> str:
        """Return what `dense` does not find as it should, or ""."""
        expected, found = self.best, _best(dense)
        if [len(scores) for scores in expected] != [len(scores) for scores in found]:
            return "test searches find more or fewer passages than they should"
        near = [
            abs(mine - theirs) <= _SCORE_TOLERANCE
            for one, other in zip(expected, found, strict=True)
            for mine, theirs in zip(one, other, strict=True)
        ]
        least = 1.0 if dense.kind == "Flat" else _GRAPH_SHARE
        if sum(near) < least * len(near):
            return f"{len(near) - sum(near)} of {len(near)} results of test searches are wrong"
        if len(self.sums) != PROBES or not np.allclose(
            _sums(dense), self.sums, rtol=0, atol=_SUM_TOLERANCE
        ):
            return "its vectors are not those that were written"
        return ""


def probes(dimension: int) -> Vectors:
    """Return the probes, shape (PROBES, dimension): unit vectors, the same everywhere."""
    size = PROBES * dimension
    bits = np.frombuffer(hashlib.shake_256(b"wenqu").digest(-(-size // 8)), np.uint8)
    signs = np.unpackbits(bits)[:size].reshape(PROBES, dimension).astype(np.float32) * 2 - 1
    scaled: Vectors = signs / np.float32(np.sqrt(dimension))
    return scaled


def _best(dense: Dense) -> list[list[float]]:
    found = (dense.search(probe, _BEST)[1] for probe in probes(dense.dimension))
    return [[round(float(score), 6) for score in scores] for scores in found]


def _sums(dense: Dense) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    total = np.zeros(dense.dimension, np.float64)
    for at in range(0, len(dense), _AT_ONCE):
        rows = range(at, min(at + _AT_ONCE, len(dense)))
        with np.errstate(all="ignore"):  # damaged numbers may be no numbers
            total += dense.vectors(rows).sum(axis=0, dtype=np.float64)
    with np.errstate(all="ignore"):
        return probes(dense.dimension).astype(np.float64) @ total
