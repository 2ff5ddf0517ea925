"""Samplers: what they draw, that they do so again, and that Optuna's finds better settings than chance."""

import collections
import itertools
import math
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc
from sklearn.model_selection import ParameterGrid

from nnjax.search.joint import when
from nnjax.search.numbers import integers, log_integers, log_uniform, normal, uniform
from nnjax.search.samplers import SAMPLERS, Grid, Optuna, Random, Sobol
from nnjax.search.space import parse_space
from nnjax.validation import UserError

SPACE = parse_space(
    {
        "hidden": "layers(integers(1, 2), log_integers(16, 256))",
        "activation": ["relu", "tanh"],
        "learning_rate": log_uniform(1e-4, 1),
        "optimizer": {"values": ["sgd", "adam"], "probabilities": [0.7, 0.3]},
        "momentum": when("optimizer", "sgd", uniform(0, 0.99)),
        "dropout": uniform(0, 0.5, step=0.1),
        "activation_slope": normal(1, 0.2),
        "batch_size": log_integers(16, 128, step=16),
        "weight_decay": 0.001,
    }
)
SQUARE = parse_space({"dropout": uniform(0, 0.9), "learning_rate": uniform(0, 1)})
OPTIONS = {"grid": {"points": 2}}


def score(values):
    """Best at a learning rate of 0.01 with two layers whose widths come near 64, and tanh; 0 there."""
    widths = sum((math.log2(width) - 6) ** 2 for width in values["hidden"]) / 8
    penalty = 0.5 * (len(values["hidden"]) == 1) + 0.5 * (values["activation"] == "relu")
    return -((math.log10(values["learning_rate"]) + 2) ** 2) - widths - penalty - values["dropout"]


@pytest.fixture(params=list(SAMPLERS))
def make(request):
    """A sampler by its name, for a space and a seed."""
    if request.param == "optuna":
        pytest.importorskip("optuna")
    return lambda space=SPACE, seed=0: SAMPLERS[request.param](space, seed, **OPTIONS.get(request.param, {}))


def told(sampler, batches, order=lambda batch: batch):
    asked = []
    for count in batches:
        batch = sampler.ask(count)
        asked += batch
        for values in order(batch):
            sampler.tell(values, score(values))
    return asked


def test_a_sampler_says_the_same_again_with_its_seed(make):
    batches = [3, 8, 1, 4]
    first = told(make(), batches)
    assert len(first) == 16
    assert first == told(make(), batches)
    if not isinstance(make(), Grid):
        assert first != told(make(seed=1), batches)


def test_the_order_in_which_a_batch_is_told_changes_nothing(make):
    straight = told(make(), [8, 8, 8, 8])
    assert straight == told(make(), [8, 8, 8, 8], order=lambda batch: batch[::-1])
    shuffle = np.random.default_rng(0).permutation
    assert straight == told(make(), [8, 8, 8, 8], order=lambda batch: [batch[i] for i in shuffle(len(batch))])


def test_values_are_in_the_space(make):
    for values in told(make(), [10, 10]):
        known = {"momentum"} if values["optimizer"] == "adam" else set()
        assert {*values} == {name for parameter in SPACE.parameters for name in parameter.fields} - known
        assert len(values["hidden"]) in (1, 2)
        assert all(type(width) is int and 16 <= width <= 256 for width in values["hidden"])
        assert 1e-4 <= values["learning_rate"] <= 1
        assert values["dropout"] in (0, 0.1, 0.2, 0.3, 0.4, 0.5)
        assert values["batch_size"] in range(16, 129, 16)
        assert values["weight_decay"] == 0.001


def test_none_is_asked_for_nothing(make):
    sampler = make()
    assert sampler.ask(0) == []
    assert len(sampler.ask(1)) == 1


@pytest.mark.parametrize("name", ["random", "sobol", "grid"])
def test_what_learns_nothing_says_the_same_in_batches_of_any_size(name):
    make = lambda: SAMPLERS[name](SPACE, 0, **OPTIONS.get(name, {}))  # noqa: E731
    assert told(make(), [12]) == told(make(), [1, 5, 6])


def test_a_space_of_constants_is_one_setting(make):
    constants = parse_space({"dropout": 0.5, "epochs": 3})
    assert make(constants).ask(1) == [{"dropout": 0.5, "epochs": 3}]


def test_random_settings_are_independent_and_even():
    asked = Random(SQUARE, 3).ask(2000)
    x, y = ([values[name] for values in asked] for name in ("dropout", "learning_rate"))
    assert stats.kstest(x, stats.uniform(0, 0.9).cdf).pvalue > 1e-3
    assert stats.kstest(y, stats.uniform(0, 1).cdf).pvalue > 1e-3
    assert stats.spearmanr(x, y).pvalue > 1e-3


@pytest.mark.parametrize("count", [64, 100])
def test_sobols_points_fill_the_space_more_evenly(count):
    def discrepancy(sampler):
        asked = sampler.ask(count)
        return qmc.discrepancy([[values["dropout"] / 0.9, values["learning_rate"]] for values in asked])

    for seed in range(5):
        assert discrepancy(Sobol(SQUARE, seed)) < 0.5 * discrepancy(Random(SQUARE, seed))


def test_sobols_points_are_scipys():
    expected = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(7)).random(8)
    got = [[values["dropout"] / 0.9, values["learning_rate"]] for values in Sobol(SQUARE, 7).ask(8)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_grid_is_scikit_learns():
    lists = {"activation": ["relu", "tanh"], "dropout": [0, 0.5], "epochs": [1, 2, 3]}  # by name, as it sorts them
    grid = Grid(parse_space(lists))
    assert len(grid) == len(ParameterGrid(lists)) == 12
    assert grid.ask(5) + grid.ask(100) == list(ParameterGrid(lists))
    assert grid.ask(1) == []
    turned = dict(reversed(lists.items()))
    expected = [dict(zip(turned, values, strict=True)) for values in itertools.product(*turned.values())]
    assert Grid(parse_space(turned)).ask(100) == expected


def test_a_grid_has_points_on_what_is_continuous():
    two = parse_space(
        {"learning_rate": log_uniform(0.01, 1), "dropout": uniform(0, 0.5), "epochs": integers(1, 2)}
    )
    assert len(Grid(two, points=3)) == 18
    several = Grid(two, points={"learning_rate": 3, "dropout": 2})
    assert len(several) == 12
    assert list(dict.fromkeys(values["learning_rate"] for values in several.ask(12))) == [0.01, 0.1, 1]


def test_a_grid_leaves_out_what_hangs_on_another_value():
    two = parse_space({"momentum": when("optimizer", "sgd", [0, 0.9]), "optimizer": ["adam", "sgd"]})
    assert Grid(two).ask(9) == [
        {"optimizer": "adam"},
        {"momentum": 0, "optimizer": "sgd"},
        {"momentum": 0.9, "optimizer": "sgd"},
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Grid(SQUARE), r"uniform\(0, 0.9\) is continuous, and a grid needs a number of points for it"),
        (lambda: Grid(SQUARE, points={"dropout": 3}), r"uniform\(0, 1\) is continuous"),
        (lambda: Grid(SQUARE, points=0), "points is 0, and must be at least 1"),
        (lambda: Grid(SQUARE, points={"dropout": 1.5}), "the number of points of dropout is 1.5"),
        (lambda: Grid(SQUARE, points={"epochs": 2}), "points names 'epochs', and the space has dropout"),
        (lambda: Grid(SQUARE, points=2000), "the grid has 4,000,000 combinations, and may have at most 1,000,000"),
        (lambda: Random(SQUARE, -1), "the seed of a sampler is -1"),
        (lambda: Sobol(SQUARE, 2**32), "the seed of a sampler is 4294967296"),
    ],
)
def test_an_impossible_sampler_gets_a_sentence(make, words):
    with pytest.raises(UserError, match=words):
        make()


def test_without_optuna_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match="needs Optuna: pip install optuna"):
        Optuna(SQUARE)


def test_optunas_settings_are_spread_as_the_space_says_before_it_knows_anything():
    optuna = pytest.importorskip("optuna")
    asked = Optuna(SPACE, 0, optuna.samplers.RandomSampler(seed=0)).ask(1000)
    counts = collections.Counter(values["optimizer"] for values in asked)
    assert stats.chisquare([counts["sgd"], counts["adam"]], [700, 300]).pvalue > 1e-3
    assert stats.kstest([v["learning_rate"] for v in asked], stats.loguniform(1e-4, 1).cdf).pvalue > 1e-3
    assert stats.kstest([v["activation_slope"] for v in asked], stats.norm(1, 0.2).cdf).pvalue > 1e-3
    dropouts = collections.Counter(values["dropout"] for values in asked)
    assert stats.chisquare([dropouts[x] for x in (0, 0.1, 0.2, 0.3, 0.4, 0.5)]).pvalue > 1e-3
    widths = [width for values in asked for width in values["hidden"]]
    cells = np.diff(stats.loguniform(15.5, 256.5).cdf([15.5, 31.5, 63.5, 127.5, 256.5]))
    assert (
        stats.chisquare(np.histogram(widths, [15.5, 31.5, 63.5, 127.5, 256.5])[0], len(widths) * cells).pvalue
        > 1e-3
    )


def test_optuna_is_told_of_each_setting_once_and_of_no_other():
    pytest.importorskip("optuna")
    sampler = Optuna(SPACE, 0)
    one, two = sampler.ask(2)
    sampler.tell(two, math.nan)
    sampler.tell(one, 0.5)
    with pytest.raises(UserError, match="wasn't asked for or was told already"):
        sampler.tell(one, 0.5)
    with pytest.raises(UserError, match="wasn't asked for or was told already"):
        sampler.tell({"dropout": 0.3}, 0.5)
    sampler.ask(1)
    with pytest.raises(UserError, match="wasn't asked for or was told already"):
        sampler.tell(one, 0.5)
    assert [trial.value for trial in sampler._study.trials] == [0.5, -math.inf, None]
    assert sampler._study.best_trial.number == 0


def test_equal_settings_of_a_batch_may_be_told_in_any_order():
    pytest.importorskip("optuna")

    def scores_of_trials(scores):
        sampler = Optuna(parse_space({"activation": ["relu"]}), 0)
        for values, one in zip(sampler.ask(4), scores, strict=True):
            sampler.tell(values, one)
        sampler.ask(1)
        return [trial.value for trial in sampler._study.trials]

    assert scores_of_trials([1, 2, 3, 4]) == scores_of_trials([4, 2, 1, 3]) == [1, 2, 3, 4, None]


def test_optuna_is_told_in_the_order_of_its_trials(monkeypatch):
    pytest.importorskip("optuna")
    sampler = Optuna(SPACE, 0)
    numbers = []
    monkeypatch.setattr(sampler._study, "tell", lambda trial, _: numbers.append(trial.number))
    for values in sampler.ask(6)[::-1]:
        sampler.tell(values, 0.5)
    sampler.ask(1)
    assert numbers == [0, 1, 2, 3, 4, 5]


def test_optuna_stays_quiet_and_leaves_its_logging_as_it_was(in_a_process):
    pytest.importorskip("optuna")
    code = """
import optuna
from nnjax.search.samplers import Optuna
from nnjax.search.space import parse_space
before = optuna.logging.get_verbosity()
Optuna(parse_space({"dropout": "uniform(0, 0.5)"})).ask(3)
print(before == optuna.logging.get_verbosity())
"""
    assert in_a_process(code) == "True"  # and nothing on standard error


def test_optunas_tpe_finds_a_better_setting_than_chance():
    """40 settings in batches of 4 on `score`, 20 searches of each: the difference of their bests, in pairs."""
    pytest.importorskip("optuna")
    best = {
        name: np.array([max(map(score, told(SAMPLERS[name](SPACE, seed), [4] * 10))) for seed in range(20)])
        for name in ("random", "optuna")
    }
    gain = best["optuna"] - best["random"]
    interval = stats.ttest_1samp(gain, 0).confidence_interval(0.95)
    print(f"TPE is better by {gain.mean():.3f}, 95% interval {interval.low:.3f} to {interval.high:.3f}")
    assert interval.low > 0


def test_samplers_and_spaces_are_read_without_jax_optuna_or_scipy(in_a_process):
    code = "import sys, nnjax.search.samplers; print({'jax', 'optuna', 'scipy', 'xarray'} & set(sys.modules))"
    assert in_a_process(code) == "set()"
