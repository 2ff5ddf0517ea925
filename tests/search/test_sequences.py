"""The intervals hold at all times at once, and an ordinary t-interval doesn't."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from made_scores import SIMULATIONS, kept
from nnjax.search.scores import Floats, running
from nnjax.search.sequences import half_width, mixture, sequence
from nnjax.validation import UserError


def always_in(values: Floats, mean: float, confidence: float, tight: int) -> Floats:
    low, high = sequence(values, confidence=confidence, scale=mixture(tight, confidence))
    return np.all((low <= mean) & (mean <= high), axis=-1)


@pytest.mark.parametrize("tight", [4, 32])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (89.56, 0.4), (-5, 1e4)])
def test_the_mean_is_in_all_intervals_of_300_values_at_the_stated_rate(
    mean: float, deviation: float, tight: int
) -> None:
    values = mean + deviation * np.random.default_rng(1).standard_normal((SIMULATIONS, 300))
    assert kept(always_in(values, mean, 0.9, tight), 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("tight", [4, 8, 64])
def test_the_mean_is_in_all_intervals_of_2000_values_at_the_stated_rate(tight: int, confidence: float) -> None:
    values = 3 + 2 * np.random.default_rng(2).standard_normal((SIMULATIONS, 2000))
    inside = always_in(values, 3, confidence, tight)
    assert kept(inside, confidence)
    assert inside.mean() < confidence + 0.6 * (1 - confidence)  # and little is wasted


def test_an_ordinary_interval_looked_at_repeatedly_would_break_the_promise() -> None:
    values = np.random.default_rng(1).standard_normal((SIMULATIONS, 300))
    mean, deviation = running(values)
    n = np.arange(2, 301)
    width = stats.t.ppf(0.95, n - 1) * deviation[:, 1:] / np.sqrt(n)
    assert not kept(np.all(np.abs(mean[:, 1:]) <= width, axis=1), 0.9)


@pytest.mark.parametrize(("n", "t", "g"), [(3, 1.3, 2.0), (12, -2.5, 0.4)])
def test_at_the_end_of_the_interval_the_likelihood_ratio_is_one_over_alpha(n: int, t: float, g: float) -> None:
    """The ratio of densities of t, noncentral with a normal mixture over the distance, is the module's formula."""
    mixed, _ = integrate.quad(
        lambda d: stats.nct.pdf(t, n - 1, np.sqrt(n) * d) * stats.norm.pdf(d, scale=np.sqrt(g)), -20, 20, limit=200
    )
    ratio = mixed / stats.t.pdf(t, n - 1)
    if ratio > 1:  # its level, at which μ is just at the end
        deviation = 0.7
        end = half_width(n, deviation, confidence=1 - 1 / ratio, scale=g)
        assert end == pytest.approx(abs(t) * deviation / np.sqrt(n), rel=1e-6)
    else:
        y = 1 + n * g
        formula = y**-0.5 * ((1 + t**2 / (n - 1)) / (1 + t**2 / ((n - 1) * y))) ** (n / 2)
        assert ratio == pytest.approx(formula, rel=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize("tight", [2, 4, 8, 64, 1000])
def test_the_scale_is_the_best_for_the_stated_number(tight: int, confidence: float) -> None:
    best = mixture(tight, confidence)
    width = half_width(tight, 1, confidence=confidence, scale=best)
    assert width == pytest.approx(np.sqrt(1 / tight + best), rel=1e-6)
    for factor in (0.9, 1.1):
        assert half_width(tight, 1, confidence=confidence, scale=best * factor) > width


@given(st.integers(1, 500), st.floats(0, 1e3), st.floats(0.01, 0.999), st.floats(1e-3, 1e4))
def test_widths_grow_with_the_deviation_and_the_confidence(
    n: int, deviation: float, confidence: float, scale: float
) -> None:
    width = half_width(n, [deviation, 2 * deviation], confidence=confidence, scale=scale)
    more = half_width(n, [deviation, 2 * deviation], confidence=(1 + confidence) / 2, scale=scale)
    assert width.shape == (2,)
    assert np.all(width >= 0)
    assert np.all(more >= width)
    assert width[1] == pytest.approx(2 * width[0])
    if n == 1:
        assert np.all(np.isinf(width))


def test_equal_values_have_no_width_once_there_are_ends() -> None:
    low, high = sequence([0.1] * 8, scale=mixture(8))
    assert np.isinf(low[:3]).all()
    assert low[3:].tolist() == high[3:].tolist() == [0.1] * 5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_running_means_and_deviations(values: list[float]) -> None:
    mean, deviation = running(np.array(values))
    scale = max(1.0, max(map(abs, values)))
    for n in range(1, len(values) + 1):
        assert mean[n - 1] == pytest.approx(np.mean(values[:n]), abs=1e-12 * scale)
        if n > 1:
            assert deviation[n - 1] == pytest.approx(np.std(values[:n], ddof=1), abs=1e-6 * scale)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mixture(1), "tight is 1, and must be at least 2"),
        (lambda: mixture(4, 1.0), "confidence is 1.0, and must be more than 0 and less than 1"),
        (lambda: half_width(4, 1, scale=0.0), "scale is 0.0, and must be more than 0"),
        (
            lambda: half_width(4, 1, confidence=0, scale=1),
            "confidence is 0, and must be more than 0 and less than 1",
        ),
    ],
)
def test_what_cannot_be_right_gets_a_sentence(call: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        call()
    assert str(caught.value) == said
