"""Which epoch is the best, against plain loops over the curves."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnjax
from nnjax import training
from nnjax.config import Config
from nnjax.data import Dataset
from nnjax.data.batches import Examples
from nnjax.parts import Part
from nnjax.training import monitor
from nnjax.training.metrics import METRICS, Metric, standard
from nnjax.training.structure import Structure, hyperparameters
from nnjax.validation import UserError

NUMBERS = st.sampled_from([-math.inf, -1.0, 0.0, 0.25, 0.5, 0.5, 1.0, math.inf, math.nan])


def best_by_hand(values, losses, sign=1):
    """The best epoch, from 1, 0 for none: the highest, of these the lowest loss, of these the first."""
    best = 0
    for epoch, (value, loss) in enumerate(zip(values, losses, strict=True), 1):
        if math.isnan(value) or math.isnan(loss):
            continue
        if best == 0:
            best = epoch
            continue
        old, old_loss = values[best - 1], losses[best - 1]
        if sign * value > sign * old or (value == old and loss < old_loss):
            best = epoch
    return best


@pytest.mark.parametrize("module", [np, jnp])
@given(curves=st.lists(st.tuples(NUMBERS, NUMBERS.filter(lambda loss: abs(loss) < math.inf or loss != loss))))
def test_the_best_epoch_is_that_of_a_plain_loop(module, curves):
    best, score, loss = 0, module.float32(-math.inf), module.float32(math.inf)
    for epoch, pair in enumerate(curves, 1):
        new = [module.float32(number) for number in pair]
        if monitor.better(*new, score, loss):
            best, (score, loss) = epoch, new
    assert best == best_by_hand(*zip(*curves, strict=True)) if curves else best == 0


def few():
    """Two classes that a line separates, of which a validation set of six is soon classified perfectly."""
    rng = np.random.default_rng(0)
    y = np.arange(36) % 2
    x = rng.normal(0, 0.3, (36, 2)) + np.stack([y, 1 - y], 1)
    splits = [Examples(x[part], y[part]) for part in (slice(0, 20), slice(20, 26), slice(26, 36))]
    return Dataset("few", *splits, classes=2, scale=1.0)


TINY = Config(hidden=(6,), activation="tanh", init="he_normal", learning_rate=0.3, batch_size=10, epochs=12)


def curves_of(results, name):
    return results[name].transpose(..., "epoch").values.reshape(-1, results.sizes["epoch"])


@pytest.mark.parametrize("name", ["valid_accuracy", "valid_loss"])
def test_of_perfect_epochs_the_one_that_has_learnt_most_is_kept(name):
    """In programs of their own, in a shared one and alone."""
    data, config = few(), dataclasses.replace(TINY, monitor=name)
    axes = {"hidden": [(6,), (5,)]}
    apart = nnjax.sweep(config, data, axes, seeds=2, runs_per_call=1, progress=False)
    shared = nnjax.sweep(config, data, axes, seeds=2, progress=False)
    assert all(group.shared for group in nnjax.plan(config, data, axes, seeds=2).groups)
    accuracies, losses = curves_of(apart, "valid_accuracy"), curves_of(apart, "valid_loss")
    hand = [best_by_hand(*pair) for pair in zip(accuracies, losses, strict=True)]
    if name == "valid_loss":
        hand = [int(np.argmin(curve)) + 1 for curve in losses]
    assert apart.best_epoch.values.ravel().tolist() == shared.best_epoch.values.ravel().tolist() == hand
    first = accuracies.argmax(1) + 1
    assert ((np.array(hand) > first) & (accuracies.max(1) == 1)).any(), "there were ties"

    run = training.begin(config, data, seed=1)
    epoch = jax.jit(
        lambda state, number: training.run_epoch(
            run.structure, state, run.hyper, run.keys.dropout, run.order(number), run.splits
        )
    )
    state, kept = run.state, []
    for number in range(12):
        state, metrics = epoch(state, number)
        kept.append((state.train.params, metrics))
    assert int(state.best_epoch) == apart.best_epoch.sel(hidden="(6,)").values[1]
    params, metrics = kept[int(state.best_epoch) - 1]
    jax.tree.map(np.testing.assert_array_equal, state.best_params, params)
    assert float(state.best_loss) == float(metrics["valid_loss"])
    assert abs(float(state.best_score)) == float(metrics[name])


def part_of(metric):
    return Part("here:own", metric, "")


def margin(logits, label):
    """The logit of the label."""
    return logits[label]


@pytest.mark.parametrize(("better", "choose"), [("higher", np.nanargmax), ("lower", np.nanargmin)])
def test_a_metric_of_ones_own_is_monitored_in_its_direction(better, choose):
    own = Metric("a logit", lambda logits, label: logits[label], better=better)
    config = dataclasses.replace(
        TINY, model="softmax_regression", metrics=(part_of(own),), monitor="valid_own", patience=3
    )
    results = nnjax.sweep(config, few(), {"learning_rate": [0.3, 3]}, seeds=3, progress=False)
    for curve, best, stopped in zip(
        curves_of(results, "valid_own"),
        results.best_epoch.values.ravel(),
        results.stopped_epoch.values.ravel(),
        strict=True,
    ):
        assert best == choose(curve) + 1
        assert stopped in (0, best + 3)
    assert results.best_epoch.attrs["monitor"] == "valid_own"
    assert results.best_epoch.attrs["better"] == better


def test_what_is_monitored_compiles_nothing(digits):
    groups = nnjax.plan(TINY, digits, {"monitor": ["valid_accuracy", "valid_loss"], "patience": [None, 2]}).groups
    assert len(groups) == 1
    settings = [dataclasses.replace(TINY, monitor=name) for name in ("valid_accuracy", "valid_loss")]
    structure = Structure.of(TINY, 2, 2)
    assert len({int(hyperparameters(setting, structure, 20).monitor) for setting in settings}) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"monitor": "valid_acuracy"},
            "monitor is 'valid_acuracy', and must be .*; did you mean 'valid_accuracy'",
        ),
        ({"monitor": "loss"}, "monitor is 'loss', and must be one of valid_loss, valid_accuracy"),
        ({"monitor": "valid_grad_norm"}, "must be one of valid_loss, valid_accuracy"),
        ({"monitor": "valid_class_accuracy", "metrics": ("class_accuracy",)}, "must be one of"),
        ({"monitor": 3}, "monitor is 3, and must be a text"),
        ({"monitor": "valid_margin"}, "must be one of"),
        (
            {"monitor": "valid_margin", "metrics": (margin,)},
            "margin doesn't say which values are better: .*higher",
        ),
    ],
)
def test_what_can_not_be_monitored_is_refused(fields, words):
    with pytest.raises(UserError, match=words):
        Config(**fields)


def test_a_direction_that_is_none_is_refused(digits):
    up = part_of(Metric("a logit", margin, better="up"))
    with pytest.raises(UserError, match="better in the metric here:own is 'up'"):
        Structure.of(dataclasses.replace(TINY, metrics=(up,)), 2, 2)


def test_a_metric_that_is_not_recorded_can_not_be_monitored():
    with pytest.raises(UserError, match=r"what is recorded has valid_loss, valid_accuracy: list it"):
        monitor.index_of(tuple((name, METRICS[name]) for name in standard()), "valid_own")


def test_a_search_can_not_vary_what_it_compares_by(digits):
    with pytest.raises(UserError, match="monitor"):
        nnjax.search(TINY, digits, {"monitor": ["valid_loss", "valid_accuracy"]})


def test_settings_are_compared_by_what_was_monitored():
    config = dataclasses.replace(TINY, monitor="valid_loss")
    results = nnjax.search(
        config, few(), {"learning_rate": [0.01, 0.1, 1]}, sampler="grid", seeds=3, zone=0.01, progress=False
    )
    losses = results.valid_loss.min("epoch").mean("seed").values
    overview = nnjax.stats.overview(results)
    assert overview.order.tolist() == np.argsort(losses).tolist()
    assert (results.valid_accuracy.max("epoch") == 1).all("seed").sum() > 1, "by accuracy there are ties"
    assert nnjax.stats.best(results).learning_rate == results.learning_rate.values[losses.argmin()]
    said = nnjax.stats.monitor_of(results)
    assert (said.name, said.better, said.words) == ("valid_loss", "lower", "validation loss")
    np.testing.assert_allclose(-overview.scores.mean(1), losses, rtol=1e-6)
    assert json.loads(results.attrs["search"])["score"] == pytest.approx(losses.min(), rel=1e-6)
