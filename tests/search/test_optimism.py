"""The optimism is right on average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from made_scores import made
from nnjax.search.optimism import optimism
from nnjax.search.scores import Floats
from nnjax.validation import UserError


def difference(scores: Floats, means: list[float], estimate: str = "seeds left out") -> float:
    """Of the estimated optimism from the true one, in standard errors."""
    errors = []
    rng = np.random.default_rng(0)
    for values in scores:
        found = optimism(values)
        said = found.optimism
        if estimate == "bootstrap":
            drawn = values[:, rng.integers(0, values.shape[1], (40, values.shape[1]))].mean(axis=-1)
            said = np.mean(drawn.max(axis=0) - values.mean(axis=1)[drawn.argmax(axis=0)])
        errors.append(said - (found.score - means[found.best]))
    return float(np.mean(errors) / stats.sem(errors))


@pytest.mark.parametrize("correlation", [0, 0.8])
@pytest.mark.parametrize(
    ("means", "deviations", "seeds"),
    [([0] * 2, 1, 4), ([0] * 8, 1, 8), ([0] * 40, 1, 4), ([0, 0.3, 0.5, 1], [2, 1, 1, 0.5], 8), ([3, 0, 0], 1, 4)],
)
def test_it_is_right_on_average(means: list[float], deviations: float, seeds: int, correlation: float) -> None:
    assert abs(difference(made(means, deviations, correlation, seeds, seed=3), means)) < 4


def test_it_is_right_on_average_for_skewed_scores() -> None:
    scores = -np.random.default_rng(4).exponential(size=(2000, 8, 4))
    assert abs(difference(scores, [-1] * 8)) < 4


def test_a_bootstrap_of_the_selection_would_say_too_little() -> None:
    assert difference(made([0] * 8, 1, 0, 8, seed=3), [0] * 8, "bootstrap") < -10


tables = st.tuples(st.integers(1, 5), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-100, 100).map(lambda x: round(x, 2)))
)


@given(tables, st.randoms(use_true_random=False))
def test_it_is_never_negative_and_no_order_changes_it(scores: Floats, random: object) -> None:
    found = optimism(scores)
    assert found.optimism >= 0
    assert found.score == pytest.approx(scores.mean(axis=1).max())
    assert found.expected == pytest.approx(found.score - found.optimism)
    turned = optimism(scores[:, ::-1])
    assert turned.score == pytest.approx(found.score)
    added = optimism(np.concatenate([scores, np.full((1, scores.shape[1]), -1e3)]))
    assert added == pytest.approx(found)  # a hopeless setting changes nothing
    # By the formula, where no selection ties.
    sums = np.array([np.delete(scores, s, axis=1).sum(axis=1) for s in range(scores.shape[1])])
    ordered = np.sort(sums, axis=1)
    if len(scores) == 1 or np.all(ordered[:, -1] - ordered[:, -2] > 1e-6):
        expected = np.mean(scores[sums.argmax(axis=1), np.arange(scores.shape[1])])
        assert found.expected == pytest.approx(expected, abs=1e-9)


def test_a_clear_winner_and_a_single_setting_are_not_optimistic() -> None:
    assert optimism([[0.9, 0.8, 0.9], [0.1, 0.3, 0.2]]).optimism == 0
    assert optimism([[0.9, 0.1]]).optimism == 0
    assert optimism([[0.5, 0.5], [0.5, 0.5]]) == (0, 0.5, 0.5, 0)


def test_diverged_runs_and_too_few_seeds() -> None:
    nan = np.nan
    assert optimism([[9, 9, nan], [1, 2, 3], [3, 2, 0.5]])[:2] == (1, 2)
    found = optimism([[9, 9, nan], [8, 8, nan]])
    assert found == (0, 9, 9, 0)
    for few in ([[1], [2]], [[nan, 2], [3, nan]]):
        assert np.isnan(optimism(few).optimism)
    assert np.isnan(optimism([[nan, nan]]).score)


def test_scores_of_another_shape_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"^scores have the shape \(3,\), and must be \[settings, seeds\]$"):
        optimism([1, 2, 3])
