import numpy as np
import pytest

from index.fuse import blend, min_max

ONE = np.array([0.9, 0.7, 0.8], np.float32)
OTHER = np.array([0, 10, 30], np.float32)


def test_scores_are_spread_over_zero_to_one() -> None:
    assert min_max(ONE) == pytest.approx([1, 0, 0.5])
    assert min_max(np.array([3, 3], np.float32)).tolist() == [1, 1]
    assert min_max(np.zeros(0, np.float32)).tolist() == []


def test_the_blend_is_the_weighted_mean_worked_out_by_hand() -> None:
    # min-maxed: 1, 0, .5 and 0, 1/3, 1; weights 3 : 1
    blended = blend({"dense": ONE, "bm25": OTHER}, {"dense": 3, "bm25": 1})
    assert blended == pytest.approx([0.75, 1 / 12, 0.625])


def test_units_do_not_matter() -> None:
    weights = {"dense": 1, "bm25": 1}
    assert blend({"dense": ONE, "bm25": OTHER}, weights) == pytest.approx(
        blend({"dense": ONE * 7 - 2, "bm25": OTHER * np.float32(0.01)}, weights), abs=1e-6
    )


@pytest.mark.parametrize(
    "weights", [{"dense": 1}, {"dense": 0, "bm25": 0}, {"dense": -1, "bm25": 2}]
)
def test_weights_that_weigh_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"cannot weigh scores of \['bm25', 'dense'\]"):
        blend({"dense": ONE, "bm25": OTHER}, weights)
