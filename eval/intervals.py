"""How sure a measured number is: bootstrap intervals, and tests of a difference.

What is drawn again is a cluster of questions that depend on each other: the turns of a dialogue,
a question and its twin in the other script. Most clusters hold one question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.statistic import Rows, Statistic, Weights

TIMES = 2000
"""Resamples. The ends of an interval then move by well under a tenth of its width."""
LEVEL = 0.95
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the interval in which it would fall again.

    Attributes:
        value: What was measured.
        low: Lower end; NaN, as `value` may be, where nothing can be measured.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured.

    Attributes:
        rows: Shape (n, columns).
        clusters: Shape (n,): the number of the cluster that each row belongs to, from 0.
    """

    rows: Rows
    clusters: NDArray[np.int64]


def resamples(clusters: int, *, times: int = TIMES, seed: int = 0) -> Weights:
    """Draw `clusters` clusters with replacement, again and again.

    Returns:
        Shape (times, clusters): how often each was drawn. Each line sums up to `clusters`.
    """
    draw = np.random.default_rng(seed)
    drawn = draw.integers(clusters, size=(times, clusters))
    lines = np.arange(times)[:, None] * clusters
    counts = np.bincount((drawn + lines).ravel(), minlength=times * clusters)
    return counts.reshape(times, clusters).astype(np.float64)


def estimate(statistic: Statistic, sample: Sample) -> float:
    """Return the statistic of all rows, NaN where it is undefined."""
    if not len(sample.rows):
        return float("nan")
    return float(statistic(sample.rows, np.ones((1, len(sample.rows))))[0])


def interval(
    statistic: Statistic, sample: Sample, weights: Weights, *, level: float = LEVEL
) -> Interval:
    """Return the value of a statistic with its percentile bootstrap interval.

    The interval runs between the quantiles `(1 - level) / 2` and `(1 + level) / 2` of the
    statistic over the resamples (Efron, Tibshirani 1993, chapter 13). Resamples in which it is
    undefined are left out.

    Args:
        statistic: To be measured.
        sample: What was measured.
        weights: As `resamples` gives them; all measures of one set share them.
        level: Share of the resamples inside.
    """
    value = estimate(statistic, sample)
    replicates = replicate(statistic, sample, weights)
    return Interval(value, *_ends(replicates, level))


def replicate(statistic: Statistic, sample: Sample, weights: Weights) -> NDArray[np.float64]:
    """Return the statistic of each resample, shape (times,)."""
    if not len(sample.rows):
        return np.full(len(weights), np.nan)
    parts = [
        statistic(sample.rows, weights[at : at + _AT_ONCE][:, sample.clusters])
        for at in range(0, len(weights), _AT_ONCE)
    ]
    return np.concatenate(parts)


def difference(
    statistic: Statistic, first: Sample, second: Sample, weights: Weights, *, level: float = LEVEL
) -> Interval:
    """Return second less first with its paired bootstrap interval.

    Both samples number the clusters alike and are drawn together: what a question has in common
    in both runs cancels out (Efron, Tibshirani 1993, chapter 13; Smucker, Allan, Carterette 2007).
    """
    value = estimate(statistic, second) - estimate(statistic, first)
    gaps = replicate(statistic, second, weights) - replicate(statistic, first, weights)
    return Interval(value, *_ends(gaps, level))


def permutation_p(
    statistic: Statistic,
    first: Sample,
    second: Sample,
    clusters: int,
    *,
    times: int = TIMES,
    seed: int = 0,
) -> float:
    """Return how likely a difference at least as large is if both runs are equally good.

    Fisher's randomisation test (Smucker, Allan, Carterette 2007): the results of each cluster are
    swapped between the runs by the toss of a coin. Two-sided; the observed assignment counts as
    one of them, so the result is never 0 (Phipson, Smyth 2010). NaN where undefined.
    """
    both = np.concatenate([first.rows, second.rows])
    if not len(both):
        return float("nan")
    owner = np.concatenate([first.clusters, second.clusters])
    in_first = np.repeat([1.0, 0.0], [len(first.rows), len(second.rows)])

    def gaps(swapped: NDArray[np.float64]) -> NDArray[np.float64]:
        one = np.abs(in_first - swapped[:, owner])
        return statistic(both, 1 - one) - statistic(both, one)

    observed = abs(gaps(np.zeros((1, clusters)))[0])
    if np.isnan(observed):
        return float("nan")
    draw = np.random.default_rng(seed)
    reached = 0
    for at in range(0, times, _AT_ONCE):
        lines = min(_AT_ONCE, times - at)
        swapped = draw.integers(2, size=(lines, clusters)).astype(np.float64)
        # a hair less: the same sum in another order is not the same number
        reached += int(np.sum(np.abs(gaps(swapped)) >= observed - 1e-12))
    return (1 + reached) / (1 + times)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return each p-value adjusted for the company of the others, in the order given.

    The step-down method of Holm 1979: the k-th smallest of m is multiplied by `m - k + 1`, never
    falls below a smaller one's result and never exceeds 1. Holds whatever the dependence.
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, at in enumerate(order):
        largest = max(largest, min(1.0, p_values[at] * (len(p_values) - place)))
        adjusted[at] = largest
    return adjusted


def _ends(replicates: NDArray[np.float64], level: float) -> tuple[float, float]:
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
