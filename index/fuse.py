"""One score from those of several retrievers. Pure functions over arrays."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


def min_max(scores: Scores) -> Scores:
    """Map the lowest score to 0 and the highest to 1; all to 1 where they are equal.

    Raw scores of two retrievers have different units and must not be added as they are.
    """
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    if high <= low:
        return np.ones_like(scores)
    return (scores - np.float32(low)) / np.float32(high - low)


def blend(scores: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """Return the weighted mean of the min-maxed scores of the same candidates.

    A convex combination; Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
    Retrieval", TOIS 2023, doi:10.1145/3596512, find it better than reciprocal rank fusion, and so
    did we on every set we measured (docs/decisions.md).

    Args:
        scores: Retriever to its scores, shape (n,), one a candidate, in the same order.
        weights: Retriever to its weight, each at least 0, not all 0.

    Returns:
        Shape (n,), 0 to 1.

    Raises:
        ValueError: The retrievers differ from those weighed, or no weight is above 0.
    """
    total = sum(weights.values())
    if set(scores) != set(weights) or total <= 0 or min(weights.values()) < 0:
        message = f"cannot weigh scores of {sorted(scores)} by {dict(weights)}"
        raise ValueError(message)
    parts = [min_max(scores[name]) * np.float32(weights[name] / total) for name in sorted(scores)]
    blended: Scores = np.sum(parts, axis=0, dtype=np.float32)
    return blended
