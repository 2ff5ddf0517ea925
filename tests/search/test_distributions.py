"""Distributions against those of SciPy, by goodness-of-fit tests, and what holds for each of their values."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnjax.search.distributions import Distribution, choice, constant
from nnjax.search.joint import layers, text, tuple_of
from nnjax.search.numbers import EDGE, integers, log_integers, log_normal, log_uniform, normal, uniform
from nnjax.validation import UserError

DRAWS = 10_000
LEAST = 1e-3
"""The smallest probability of as bad a fit that a distribution may have; the draws are fixed."""


def drawn(distribution, dims=None):
    points = np.random.default_rng(5).random((DRAWS, distribution.dims if dims is None else dims))
    return [distribution.value(u) for u in points.tolist()]


def fit_of_numbers(distribution, cdf):
    """How probable a fit as bad as this one is, by Kolmogorov and Smirnov."""
    return stats.kstest(drawn(distribution), cdf).pvalue


def fit_of_values(distribution, expected):
    """The same of single values with their probabilities, by chi square."""
    assert math.isclose(sum(expected.values()), 1)
    counts = Counter(drawn(distribution))
    if set(counts) - set(expected):
        return 0.0
    return stats.chisquare([counts[value] for value in expected], [DRAWS * p for p in expected.values()]).pvalue


def cells(cdf, edges, values):
    """The probabilities of values, each of what is between its edges."""
    inside = cdf(np.array(edges[1:])) - cdf(np.array(edges[:-1]))
    return dict(zip(values, inside / inside.sum(), strict=True))


@pytest.mark.parametrize(
    ("distribution", "right", "wrong"),
    [
        (uniform(-1, 3), stats.uniform(-1, 4), stats.uniform(-1, 4.15)),
        (uniform(1e-3, 1), stats.uniform(1e-3, 1 - 1e-3), stats.loguniform(1e-3, 1)),
        (log_uniform(1e-4, 1), stats.loguniform(1e-4, 1), stats.loguniform(1.3e-4, 1)),
        (log_uniform(0.5, 2), stats.loguniform(0.5, 2), stats.uniform(0.5, 1.5)),
        (normal(2, 0.5), stats.norm(2, 0.5), stats.norm(2, 0.58)),
        (normal(0, 1), stats.norm(), stats.t(3)),
        (log_normal(-3, 1), stats.lognorm(1, scale=math.exp(-3)), stats.lognorm(1.15, scale=math.exp(-3))),
        (log_normal(0, 0.5), stats.lognorm(0.5), stats.norm(1, 0.5)),
    ],
    ids=lambda value: str(value) if isinstance(value, Distribution) else "",
)
def test_a_continuous_distribution_is_scipys(distribution, right, wrong):
    assert fit_of_numbers(distribution, right.cdf) > LEAST
    assert fit_of_numbers(distribution, wrong.cdf) < LEAST / 1000


def even(values):
    return dict.fromkeys(values, 1 / len(values))


@pytest.mark.parametrize(
    ("distribution", "right", "wrong"),
    [
        (integers(2, 9), {k: float(stats.randint(2, 10).pmf(k)) for k in range(2, 10)}, even(range(2, 9))),
        (
            integers(16, 128, step=16),
            even(range(16, 129, 16)),
            {16: 1 / 14, 128: 1 / 14} | dict.fromkeys(range(32, 128, 16), 1 / 7),
        ),
        (
            uniform(0, 1, step=0.25),
            even([0, 0.25, 0.5, 0.75, 1]),
            {0: 0.125, 0.25: 0.25, 0.5: 0.25, 0.75: 0.25, 1: 0.125},
        ),
        (
            log_integers(1, 8),
            cells(stats.loguniform(0.5, 8.5).cdf, [k - 0.5 for k in range(1, 10)], range(1, 9)),
            cells(stats.loguniform(1, 9).cdf, range(1, 10), range(1, 9)),
        ),
        (
            log_uniform(0.1, 0.5, step=0.1),
            cells(
                stats.loguniform(0.05, 0.55).cdf, [0.05, 0.15, 0.25, 0.35, 0.45, 0.55], [0.1, 0.2, 0.3, 0.4, 0.5]
            ),
            even([0.1, 0.2, 0.3, 0.4, 0.5]),
        ),
        (choice(["a", "b", "c"]), even("abc"), {"a": 0.3, "b": 0.35, "c": 0.35}),
        (choice(["a", "b", "c"], [0.2, 0.5, 0.3]), {"a": 0.2, "b": 0.5, "c": 0.3}, {"a": 0.3, "b": 0.5, "c": 0.2}),
    ],
    ids=lambda value: str(value) if isinstance(value, Distribution) else "",
)
def test_a_distribution_of_single_values_has_their_probabilities(distribution, right, wrong):
    assert set(distribution.grid()) == set(right)
    assert fit_of_values(distribution, right) > LEAST
    assert fit_of_values(distribution, wrong) < LEAST / 1000


@pytest.mark.parametrize(
    ("distribution", "reference"),
    [
        (normal(64, 10, step=8), stats.norm(64, 10)),
        (log_normal(1, 0.5, step=0.5), stats.lognorm(0.5, scale=math.e)),
    ],
    ids=lambda value: str(value) if isinstance(value, Distribution) else "",
)
def test_a_rounded_normal_has_the_probability_of_what_is_nearest(distribution, reference):
    step, values = distribution.step, drawn(distribution)
    counts = Counter(values)
    often = sorted(value for value, count in counts.items() if count > 50)
    expected = [reference.cdf(value + step / 2) - reference.cdf(value - step / 2) for value in often]
    rest = DRAWS - sum(counts[value] for value in often)
    fit = stats.chisquare([*(counts[v] for v in often), rest], DRAWS * np.array([*expected, 1 - sum(expected)]))
    assert fit.pvalue > LEAST
    assert all(type(value) is type(step) for value in values)


def test_quantiles_are_scipys_to_rounding():
    u = np.linspace(0.001, 0.999, 97)
    for distribution, reference in (
        (uniform(-1, 3), stats.uniform(-1, 4)),
        (log_uniform(1e-4, 1), stats.loguniform(1e-4, 1)),
        (normal(2, 0.5), stats.norm(2, 0.5)),
        (log_normal(-3, 1), stats.lognorm(1, scale=math.exp(-3))),
        (integers(3, 9), stats.randint(3, 10)),
    ):
        got = [distribution.ppf(float(one)) for one in u]
        np.testing.assert_allclose(got, reference.ppf(u), rtol=1e-12, atol=1e-15, err_msg=str(distribution))


def test_layers_have_a_width_each_and_as_many_as_their_depth():
    values = drawn(layers(integers(1, 3), choice([8, 16])))
    depths = Counter(map(len, values))
    assert stats.chisquare([depths[1], depths[2], depths[3]]).pvalue > LEAST
    pairs = Counter(value for value in values if len(value) == 2)
    assert len(pairs) == 4  # the widths go their own ways
    assert stats.chisquare(list(pairs.values())).pvalue > LEAST


numbers = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
positive = st.floats(1e-6, 1e6)
steps = st.sampled_from([0.1, 0.25, 0.3, 1, 3, 7])


@st.composite
def ranges(draw):
    kind = draw(st.sampled_from([uniform, log_uniform, integers, log_integers]))
    if kind in (integers, log_integers):
        low = draw(st.integers(1, 1000))
        return kind(low, low + draw(st.integers(0, 5000)), draw(st.integers(1, 2 * low - 1)))
    low, high = sorted(
        draw(st.tuples(*[positive if kind is log_uniform else numbers] * 2).filter(lambda x: x[0] != x[1]))
    )
    step = draw(st.none() | steps)
    return kind(low, high, step) if step is None or kind is uniform or low > step / 2 else kind(low, high)


@given(ranges(), st.floats(0, 1), st.floats(0, 1))
def test_a_value_is_between_the_ends_on_a_step_and_rises_with_its_quantile(distribution, u, v):
    lower, upper = (distribution.ppf(x) for x in sorted((u, v)))
    assert distribution.low <= lower <= upper <= distribution.high
    if distribution.step is not None:
        for value in (lower, upper):
            steps = (Fraction(str(value)) - Fraction(str(distribution.low))) / Fraction(str(distribution.step))
            assert abs(steps - round(steps)) < 1e-9
            assert distribution.takes(value)
    assert distribution.ppf(0) == distribution.ends()[0]
    assert distribution.ppf(1) == distribution.ends()[-1]


@given(ranges(), st.integers(1, 40))
def test_a_grid_has_the_ends_and_no_more_points_than_it_was_given(distribution, points):
    got = distribution.grid(points)
    assert len(got) <= points
    assert got == sorted(set(got))
    if points > 1:
        assert [got[0], got[-1]] == list(dict.fromkeys(distribution.ends())) * (2 if len(got) == 1 else 1)


@given(ranges(), st.floats(1e-3, 0.999), st.floats(-1e-4, 1e-4))
def test_only_steps_have_a_probability_of_their_own(distribution, u, off):
    value = distribution.ppf(u)
    if distribution.step is None:
        assert not distribution.takes(value)
    elif off:
        assert not distribution.takes(value + off * distribution.step) or value + off * distribution.step == value


def test_numbers_of_steps_are_those_that_one_writes():
    assert uniform(0.1, 0.7, step=0.1).grid() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert uniform(0, 9, step=4).grid() == [0, 4, 8]
    assert integers(16, 100, step=32).grid() == [16, 48, 80]
    assert all(type(width) is int for width in log_integers(16, 256).grid(9))
    assert log_uniform(0.01, 1).grid(3) == [0.01, 0.1, 1]
    assert normal(5, 1).grid(1) == [5]


def test_a_normal_distribution_ends_where_nothing_is_left():
    low, high = normal(0, 1).ends()
    assert low == -high
    assert stats.norm.cdf(low) == pytest.approx(EDGE, rel=1e-9)
    assert normal(0, 1).value([0.0]) == low
    assert normal(0, 1).value([1.0]) == high


def test_ends_of_joint_distributions_have_all_ends_of_their_parts():
    assert layers(integers(1, 2), log_integers(4, 64)).ends() == [(4,), (64, 64)]
    assert tuple_of(choice([1, 2, 3]), uniform(0, 1)).ends() == [(1, 0), (2, 1), (3, 0)]
    assert text("normal({})", uniform(1, 2)).ends() == ["normal(1.0)", "normal(2.0)"]
    assert constant("relu").ends() == ["relu"]


def test_grids_of_joint_distributions_are_all_combinations():
    assert layers(choice([1, 2]), choice([4, 8])).grid() == [(4,), (8,), (4, 4), (4, 8), (8, 4), (8, 8)]
    assert tuple_of(integers(1, 2), 7).grid() == [(1, 7), (2, 7)]
    assert text("uniform(-{}, {})", choice([1, 2]), 3).grid() == ["uniform(-1, 3)", "uniform(-2, 3)"]
    assert layers(2, uniform(0, 1)).grid(2) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_joint_distributions_take_what_their_parts_take():
    two = layers(integers(1, 2), log_integers(16, 256))
    assert two.takes((16, 256))
    assert not two.takes((15,))
    assert not two.takes((16, 16, 16))
    assert not two.takes(16)
    assert tuple_of(integers(1, 2), 7).takes((2, 7))
    assert not tuple_of(integers(1, 2), 7).takes((2, 8))
    assert text("constant({})", choice([1, 2])).takes("constant(2)")
    assert not text("constant({})", uniform(1, 2)).takes("constant(2)")


def test_each_layer_has_its_own_dimension():
    two = layers(integers(1, 2), log_integers(16, 256))
    assert two.dims == 3
    assert two.value([0.9, 0, 1]) == (16, 256)
    assert two.value([0.1, 0, 1]) == (16,)
    assert tuple_of(two, uniform(0, 1), 5).value([0.9, 0, 1, 0.25]) == ((16, 256), 0.25, 5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: uniform(1, 1), r"uniform\(1, 1\) is empty: low must be less than high"),
        (lambda: integers(3, 2), r"integers\(3, 2\) is empty"),
        (lambda: log_uniform(0, 1), r"low of log_uniform\(0, 1\) must be more than 0"),
        (lambda: log_integers(-2, 1), r"low of log_integers\(-2, 1\) must be more than 0"),
        (lambda: uniform(0, math.inf), "high of uniform is inf, and must be finite"),
        (lambda: uniform(0, math.nan), "high of uniform is nan, and must be finite"),
        (lambda: uniform("0", 1), "low of uniform is '0', and must be a number"),
        (lambda: uniform(True, 2), "low of uniform is True, and must be a number"),
        (lambda: integers(1, 2.5), "high of integers is 2.5, and must be a whole number"),
        (lambda: uniform(0, 1, step=0), "step of uniform is 0, and must be more than 0"),
        (lambda: integers(0, 9, step=None), "step of integers is None, and must be a whole number"),
        (lambda: log_uniform(0.1, 1, step=0.3), "must be more than half a step"),
        (lambda: normal(0, 0), r"deviation of normal\(0, 0\) must be more than 0"),
        (lambda: log_normal(80, 10), "reaches more than 32 bits hold"),
        (lambda: choice([]), "a choice is empty"),
        (lambda: choice("relu"), "the options of a choice are 'relu', and must be a list"),
        (lambda: choice([1, 2, 1]), "a choice holds 1 twice"),
        (lambda: choice([uniform(0, 1)]), r"a choice holds uniform\(0, 1\), and lists values"),
        (lambda: choice([{}]), "a choice holds {}, which is a value of no field"),
        (lambda: choice([1, 2], [0.5, 0.4]), "sum to 0.9, and must sum to 1"),
        (lambda: choice([1, 2], [1]), "a choice of 2 values has probabilities for 1"),
        (lambda: choice([1, 2], [1.5, -0.5]), "has the probability 1.5"),
        (lambda: choice([1, 2], [1, 0]), "has the probability 0,"),
        (lambda: choice([1, 2], 0.5), "the probabilities are 0.5, and must be a list"),
        (lambda: layers(uniform(1, 2), 8), "the depth .* can be 1.0, and must be a whole number"),
        (lambda: layers(integers(-1, 2), 8), "the depth .* can be -1"),
        (lambda: text("normal", 1), "must have a {} for each of its 1 values"),
        (lambda: uniform(0, 1).grid(), "is continuous, and a grid needs a number of points"),
        (lambda: normal(0, 1, step=1).grid(), "has no ends, and a grid needs a number of points"),
        (lambda: integers(1, 10**8).grid(), "has 100,000,000 values"),
        (lambda: layers(4, integers(1, 100)).grid(), "has 100,000,000 values or more"),
    ],
)
def test_what_can_be_no_distribution_gets_a_sentence(make, words):
    with pytest.raises(UserError, match=words):
        make()
