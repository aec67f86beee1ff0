import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.intervals import (
    Sample,
    difference,
    estimate,
    holm,
    interval,
    permutation_p,
    replicate,
    resamples,
)
from eval.statistic import f1, mean


def sample(values: list[float], clusters: list[int] | None = None) -> Sample:
    rows = np.array(values, np.float64).reshape(len(values), 1)
    owners = range(len(values)) if clusters is None else clusters
    return Sample(rows, np.array(list(owners), np.int64))


def test_each_resample_draws_as_many_clusters_as_there_are() -> None:
    weights = resamples(7, times=50, seed=3)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == weights.astype(int)).all()
    # drawn at random: every cluster is left out sometimes and drawn twice sometimes
    assert (weights == 0).any(axis=0).all()
    assert (weights == 2).any(axis=0).all()


def test_the_same_seed_gives_the_same_resamples() -> None:
    assert (resamples(9, seed=1) == resamples(9, seed=1)).all()
    assert (resamples(9, seed=1) != resamples(9, seed=2)).any()


def test_a_replicate_is_the_mean_of_what_was_drawn() -> None:
    values = [0.0, 1.0, 1.0, 4.0]
    weights = resamples(4, times=300, seed=5)
    expected = []
    for line in weights:  # the same by drawing the values themselves
        drawn = [
            value for value, count in zip(values, line, strict=True) for _ in range(int(count))
        ]
        expected.append(sum(drawn) / len(drawn))
    assert replicate(mean, sample(values), weights) == pytest.approx(expected)


def test_an_interval_runs_between_the_outer_replicates() -> None:
    values = [float(n % 3 == 0) for n in range(40)]
    weights = resamples(40, times=1000, seed=0)
    found = interval(mean, sample(values), weights)
    means = sorted(float(line @ np.array(values)) / 40 for line in weights)
    assert found.value == pytest.approx(14 / 40)
    # of 1000 replicates, 2.5 % lie below the lower end: between the 25th and the 26th
    assert means[24] <= found.low <= means[25]
    assert means[974] <= found.high <= means[975]


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(1)
    covered = 0
    weights = resamples(60, times=400, seed=0)
    for _ in range(200):
        values = [float(draw.random() < 0.6) for _ in range(60)]
        found = interval(mean, sample(values), weights)
        covered += found.low <= 0.6 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_turns_of_one_dialogue_are_drawn_together() -> None:
    values = [0.0, 0.0, 1.0, 1.0] * 10
    clusters = [n // 4 * 2 + n % 4 // 2 for n in range(40)]  # 0 0 1 1 2 2 3 3 …
    weights = resamples(20, times=500, seed=0)
    together = interval(mean, sample(values, clusters), weights)
    apart = interval(mean, sample(values), resamples(40, times=500, seed=0))
    assert together.high - together.low > 1.2 * (apart.high - apart.low)


def test_what_cannot_be_measured_has_no_value_and_no_interval() -> None:
    weights = resamples(2, times=10)
    nothing = interval(mean, sample([]), weights)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    never = Sample(np.zeros((2, 2)), np.array([0, 1]))
    assert np.isnan(estimate(f1, never))
    assert np.isnan(interval(f1, never, weights).low)


def test_resamples_in_which_it_is_undefined_are_left_out() -> None:
    # one row of three can be measured: it is missing from a third of the resamples and more
    rows = Sample(np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]), np.array([0, 1, 2]))
    found = interval(f1, rows, resamples(3, times=200))
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_a_paired_difference_is_surer_than_two_runs_apart() -> None:
    first = [float(n % 2) for n in range(60)]
    second = [1.0 if n < 6 else value for n, value in enumerate(first)]  # three questions better
    weights = resamples(60, times=1000)
    found = difference(mean, sample(first), sample(second), weights)
    assert found.value == pytest.approx(3 / 60)
    assert 0 <= found.low < found.value < found.high < 0.12


def exact_p(first: list[float], second: list[float]) -> float:
    """All assignments to the two runs, counted."""
    gaps = [b - a for a, b in zip(first, second, strict=True)]
    reached = [
        abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True))) >= abs(sum(gaps)) - 1e-9
        for signs in itertools.product([1, -1], repeat=len(gaps))
    ]
    return sum(reached) / len(reached)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 0]),
        ([0.2, 0.4, 0.9, 0.1], [0.3, 0.5, 0.7, 0.9]),
        ([1, 1, 0], [1, 1, 0]),
    ],
)
def test_the_permutation_test_comes_close_to_counting_all(
    first: list[float], second: list[float]
) -> None:
    found = permutation_p(mean, sample(first), sample(second), len(first), times=8000, seed=1)
    assert found == pytest.approx(exact_p(first, second), abs=0.02)


def test_a_permutation_p_is_never_zero_and_the_same_again() -> None:
    worse, better = sample([0.0] * 40), sample([1.0] * 40)
    found = permutation_p(mean, worse, better, 40, times=199)
    assert found == 1 / 200
    assert found == permutation_p(mean, worse, better, 40, times=199)


def test_a_question_that_only_one_run_can_be_measured_on_is_swapped_whole() -> None:
    first = sample([1.0, 0.0], [0, 1])
    second = sample([1.0], [2])
    found = permutation_p(mean, first, second, 3, times=4000, seed=2)
    # of the 8 assignments, those that leave one run empty have no mean; swapped and not, the
    # other six give |differences| 1/2 1/2 1/2 1/2 1 1: all reach the observed 1/2
    assert found == pytest.approx(6 / 8, abs=0.03)
    assert np.isnan(permutation_p(mean, sample([]), sample([]), 3))
    assert np.isnan(permutation_p(mean, first, sample([]), 3))


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, never falling
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_helps_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in pairs] == sorted(q for _, q in pairs)
