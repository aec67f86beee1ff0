"""Statistics of many questions at once, under many weightings at once.

A statistic takes rows, one for each thing measured, and weights, one line for each weighting of
these rows, and gives one number for each weighting, NaN where it is undefined. Weights of 1 give
the value itself, counts of a resample its bootstrap replicate, and zeros leave rows out: one
function serves the estimate, its interval and the test of a difference.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.float64]
"""Shape (rows, columns)."""
Weights: TypeAlias = NDArray[np.float64]
"""Shape (weightings, rows), never negative."""
Statistic: TypeAlias = Callable[[Rows, Weights], NDArray[np.float64]]
"""Returns shape (weightings,)."""


def mean(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return the weighted mean of column 0."""
    return _ratio(weights @ rows[:, 0], weights.sum(axis=1))


def gap(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return the mean of column 0 where column 1 is 1, less its mean where column 1 is 0."""
    chosen = weights * rows[:, 1]
    return mean(rows, chosen) - mean(rows, weights - chosen)


def precision(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return the share of column 1 (truth) among the rows where column 0 (prediction) is 1.

    Undefined where nothing is true: no prediction could have been right.
    """
    share = _ratio(weights @ (rows[:, 0] * rows[:, 1]), weights @ rows[:, 0])
    return np.where(weights @ rows[:, 1] > 0, share, np.nan)


def sensitivity(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return the share of column 0 (prediction) among the rows where column 1 (truth) is 1."""
    return _ratio(weights @ (rows[:, 0] * rows[:, 1]), weights @ rows[:, 1])


def f1(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return `2 tp / (2 tp + fp + fn)` of column 0 (prediction) against column 1 (truth).

    Undefined where nothing is true.
    """
    share = _ratio(2 * (weights @ (rows[:, 0] * rows[:, 1])), weights @ (rows[:, 0] + rows[:, 1]))
    return np.where(weights @ rows[:, 1] > 0, share, np.nan)


def quantile(share: float) -> Statistic:
    """Return the statistic "smallest value of column 0 that `share` of the rows do not exceed".

    The inverse of the empirical distribution (Hyndman, Fan 1996, definition 1): always a value
    that occurs.
    """

    def statistic(rows: Rows, weights: Weights) -> NDArray[np.float64]:
        order = np.argsort(rows[:, 0], kind="stable")
        mass = np.cumsum(weights[:, order], axis=1)
        # a hair less: 0.95 * 20 is not 19 in binary
        at = np.argmax(mass >= share * mass[:, -1:] - 1e-9, axis=1)
        return np.where(mass[:, -1] > 0, rows[order[at], 0], np.nan)

    return statistic


def risk_area(rows: Rows, weights: Weights) -> NDArray[np.float64]:
    """Return the area under the risk-coverage curve: the error rate, averaged over thresholds.

    Column 0 is the confidence, column 1 the loss. Rows are taken in from the most confident on;
    the risk is the mean loss so far; the area is the mean of the risk over the rows (AURC,
    Geifman, Uziel, El-Yaniv 2019). Equal confidences come in together, since no threshold tells
    them apart.
    """
    order = np.argsort(-rows[:, 0], kind="stable")
    confidence = rows[order, 0]
    ends = np.flatnonzero(np.append(confidence[:-1] != confidence[1:], True))
    mass = np.cumsum(weights[:, order], axis=1)[:, ends]
    lost = np.cumsum(weights[:, order] * rows[order, 1], axis=1)[:, ends]
    risk = np.divide(lost, mass, out=np.zeros_like(lost), where=mass > 0)
    return _ratio((risk * np.diff(mass, axis=1, prepend=0)).sum(axis=1), mass[:, -1])


def calibration_error(rows: Rows, weights: Weights, bins: int = 10) -> NDArray[np.float64]:
    """Return by how much confidence (column 0) and being right (column 1) differ on average.

    Rows are put into `bins` of equal width by confidence; of each, the difference of both means
    counts by its share of the rows (ECE, Guo et al. 2017).
    """
    into = bin_of(rows[:, 0], bins)
    off = rows[:, 0] - rows[:, 1]
    total = np.zeros(len(weights))
    for number in range(bins):
        inside = into == number
        total += np.abs(weights[:, inside] @ off[inside])
    return _ratio(total, weights.sum(axis=1))


def bin_of(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the number of the bin, from 0, of each confidence; 1.0 is in the last one."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(len(top), np.nan)
    np.divide(top, bottom, out=ratio, where=bottom > 0)
    return ratio
