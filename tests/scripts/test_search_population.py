"""A masked population in PyTorch trains each of its networks as if it were alone, until it leaves."""

import itertools

import numpy as np
import pytest

import search
import search_ways
from nnjax import load_data

torch = pytest.importorskip("torch")

import search_population  # noqa: E402  (it imports PyTorch)

SETTINGS = [
    search_ways.Setting((5, 17), "identity", 48, 0.05),
    search_ways.Setting((24, 3), "relu", 48, 0.1),
    search_ways.Setting((9, 8), "sigmoid", 48, 0.9),
    search_ways.Setting((16, 12), "sigmoid", 48, 0.5),
    search_ways.Setting((7, 20), "tanh", 48, 0.2),
]


def problem_of(settings, epochs):
    """Of the first 150 digits, so that the last batch of 48 is one of six."""
    data = search.problem_of(load_data("digits"), search.QUICK)
    few = {"train": data.x["train"][:150]}, {"train": data.y["train"][:150]}
    return data._replace(settings=settings, seeds=2, epochs=epochs, x=few[0], y=few[1])


def alone(problem, setting, layers, orders):
    """Loss of the last epoch and layers of one network, by autograd in float64."""
    functions = {"identity": lambda x: x, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
    leaves = [(w.double().requires_grad_(), b[:, 0].double().requires_grad_()) for w, b in layers]
    x, y = torch.from_numpy(problem.inputs()).double(), torch.from_numpy(problem.y["train"]).long()
    for order in orders:
        total = 0.0
        for rows in order.split(setting.batch):
            features = x[rows]
            for w, b in leaves[:-1]:
                features = functions[setting.activation](features @ w.T + b)
            loss = torch.nn.functional.cross_entropy(features @ leaves[-1][0].T + leaves[-1][1], y[rows])
            total += float(loss.detach()) * len(rows)
            decay = search_ways.DECAY / 2 * sum((w**2).sum() for w, _ in leaves)
            slopes = torch.autograd.grad(loss + decay, [*itertools.chain(*leaves)])
            with torch.no_grad():
                for leaf, slope in zip(itertools.chain(*leaves), slopes, strict=True):
                    leaf -= setting.rate * slope
    return total / len(y), leaves


@pytest.mark.parametrize("depth", [1, 2])
def test_a_masked_network_is_trained_as_if_it_were_alone(depth):
    settings = [setting._replace(hidden=setting.hidden[:depth]) for setting in SETTINGS]
    problem = problem_of(settings, epochs=3)
    population = search_population.Population(problem, settings)
    every = [*itertools.product(range(problem.seeds), range(len(settings)))]
    starts = {key: [(w.clone(), b.clone()) for w, b in population.member(*key)] for key in every}
    losses = population.train(problem.inputs())
    wanted = np.zeros((problem.seeds, len(settings)))
    for seed, i in every:
        orders = [order[seed] for order in population.orders]
        wanted[seed, i], layers = alone(problem, settings[i], starts[seed, i], orders)
        for leaf, expected in zip(
            itertools.chain(*population.member(seed, i)), itertools.chain(*layers), strict=True
        ):
            torch.testing.assert_close(leaf.double().view_as(expected), expected, rtol=1e-5, atol=1e-5)
    assert losses == pytest.approx(wanted.mean(0), rel=1e-5)
    real = sum(leaf.numel() for key in every for leaf in itertools.chain(*population.member(*key)))
    stacks = [*population.weights, *population.biases]
    assert sum(leaf.numel() for leaf in stacks) > real
    for key in every:
        for leaf in itertools.chain(*population.member(*key)):
            leaf.zero_()
    assert all((leaf == 0).all() for leaf in stacks)  # what is padded has stayed so


def test_a_network_that_diverges_leaves_and_the_others_stay():
    wild = search_ways.Setting((6, 6), "identity", 48, 1e4)
    problem = problem_of([*SETTINGS[:2], wild, *SETTINGS[2:]], epochs=6)
    population = search_population.Population(problem, problem.settings)
    losses = population.train(problem.inputs())
    assert np.isnan(losses).tolist() == [False, False, True, False, False, False]
    assert population.settings == SETTINGS
    assert population.weights[0].shape[:2] == (2, 5)
    assert max(loss for loss in losses if loss == loss) < 2.5
    all_leave = search_population.Population(problem, [wild])
    assert np.isnan(all_leave.train(problem.inputs())).all()


def test_populations_hold_each_setting_once_and_alike():
    settings = search.draw(search.SIZES["digits"])
    problem = search.problem_of(load_data("digits"), search.QUICK)._replace(settings=settings)
    parts = search_population.populations(problem)
    assert sorted(itertools.chain(*parts)) == list(range(40))
    costs = []
    for part in parts:
        members = [settings[i] for i in part]
        assert len({(setting.batch, len(setting.hidden)) for setting in members}) == 1
        names = [setting.activation for setting in members]
        assert names == sorted(names)
        costs.append(search_population.seconds(problem, members))
    assert costs == sorted(costs, reverse=True)
    one_by_one = sum(search_population.seconds(problem, [setting]) for setting in settings)
    assert sum(costs) < one_by_one
    assert len(parts) < 40
