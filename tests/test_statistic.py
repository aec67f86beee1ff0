from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistic import (
    Statistic,
    calibration_error,
    f1,
    gap,
    mean,
    precision,
    quantile,
    risk_area,
    sensitivity,
)

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.15, 0.5, 0.85, 1.0]), st.sampled_from([0.0, 1.0])),
    min_size=1,
    max_size=8,
)
ALL = [mean, gap, precision, sensitivity, f1, quantile(0.5), risk_area, calibration_error]


def of(statistic: Statistic, rows: Sequence[Sequence[float]], *weights: Sequence[float]) -> object:
    table = np.array(rows, np.float64)
    lines = np.array(weights or [[1.0] * len(rows)], np.float64)
    values = statistic(table, lines)
    assert values.shape == (len(lines),)
    return pytest.approx(list(values), nan_ok=True)


def test_means_by_hand() -> None:
    assert of(mean, [[1], [3]], [1, 1], [3, 1], [0, 2], [0, 0]) == [2, 1.5, 3, np.nan]


def test_a_gap_is_the_chosen_less_the_others() -> None:
    rows = [[1, 1], [0, 1], [1, 0], [1, 0]]
    assert of(gap, rows, [1, 1, 1, 1], [1, 3, 1, 0], [1, 1, 0, 0]) == [-0.5, -0.75, np.nan]


def test_precision_sensitivity_and_f1_by_hand() -> None:
    # predicted, true: 2 hits, 1 false alarm, 1 miss, 1 right silence
    rows = [[1, 1], [1, 1], [1, 0], [0, 1], [0, 0]]
    assert of(precision, rows) == [2 / 3]
    assert of(sensitivity, rows) == [2 / 3]
    assert of(f1, rows, [1, 1, 1, 1, 1], [1, 0, 2, 0, 5]) == [2 / 3, 2 / 4]
    assert of(precision, [[0, 1]]) == [np.nan]
    assert of(sensitivity, [[1, 0]]) == [np.nan]
    assert of(f1, [[0, 0]]) == [np.nan]
    # where nothing is to be refused, a refusal is no evidence of how precise refusals are
    for statistic in (precision, f1):
        assert of(statistic, [[1, 0], [0, 0]]) == [np.nan]
        assert of(statistic, [[1, 0], [0, 1]]) == [0]
    assert of(sensitivity, [[0, 1]]) == [0]


def test_quantiles_are_values_that_occur() -> None:
    rows = [[40], [10], [30], [20]]
    assert of(quantile(0.5), rows, [1, 1, 1, 1], [0, 1, 0, 2], [0, 0, 0, 0]) == [20, 20, np.nan]
    assert of(quantile(0.95), [[n] for n in range(1, 21)]) == [19]
    assert of(quantile(0.9), [[5]]) == [5]


def test_the_area_under_risk_and_coverage_by_hand() -> None:
    # risks after each: 0, 1/2, 1/3, 2/4; their mean is 1/3
    assert of(risk_area, [[0.9, 0], [0.8, 1], [0.7, 0], [0.1, 1]]) == [1 / 3]
    # two of equal confidence come in together: 0 once, then 1/3 twice
    assert of(risk_area, [[0.9, 0], [0.8, 1], [0.8, 0]]) == [2 / 9]
    # the best order, and the worst
    assert of(risk_area, [[0.9, 0], [0.1, 1]]) == [1 / 4]
    assert of(risk_area, [[0.9, 1], [0.1, 0]]) == [3 / 4]
    assert of(risk_area, [[0.9, 1]], [0]) == [np.nan]


def test_the_calibration_error_by_hand() -> None:
    # bin 8: mean confidence .85, half right, off by .35, half of the rows; bin 0: exact
    assert of(calibration_error, [[0.8, 1], [0.9 - 1e-9, 0], [0, 0], [0, 0]]) == [0.175]
    assert of(calibration_error, [[1.0, 1]]) == [0]
    # what is too sure and what is too modest does not cancel out across bins
    assert of(calibration_error, [[0.75, 0], [0.25, 1]]) == [0.75]


def slow_area(rows: Sequence[tuple[float, float]]) -> float:
    """For each row the error rate of all rows that are at least as confident."""
    risks = []
    for confidence, _ in rows:
        taken = [loss for other, loss in rows if other >= confidence]
        risks.append(sum(taken) / len(taken))
    return sum(risks) / len(risks)


@given(PAIRS)
def test_the_area_is_the_mean_risk_at_each_row_s_own_confidence(
    rows: list[tuple[float, float]],
) -> None:
    assert of(risk_area, rows) == [slow_area(rows)]


@given(PAIRS, st.data())
@pytest.mark.parametrize("statistic", ALL)
def test_a_weight_is_as_good_as_so_many_copies(
    statistic: Statistic, rows: list[tuple[float, float]], data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    if sum(counts):
        copies = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
        table, weights = np.array(copies), np.ones((1, len(copies)))
        assert of(statistic, rows, counts) == list(statistic(table, weights))
