"""Metrics against scikit-learn and NumPy, and what they are called from the step to the results."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

import nnjax
import reference
from nnjax.config import Config
from nnjax.data import Dataset
from nnjax.data.batches import Batch, Splits
from nnjax.nn.models import param_shapes
from nnjax.training.epoch import run_epoch, train_epoch
from nnjax.training.evaluation import evaluate
from nnjax.training.metrics import METRICS, Metric, Variable, fitting, metrics_of, standard, variables
from nnjax.training.start import init_state
from nnjax.training.step import train_step
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Examples

EVERY = Config(
    hidden=(6, 5),
    activation="tanh",
    learning_rate=0.3,
    weight_decay=0.1,
    batch_size=7,
    epochs=2,
    metrics=fitting("classification"),
)
INPUTS, CLASSES = 4, 5
LAYERS = ("Dense_0", "Dense_1", "Dense_2")


def make_examples(count: int, seed: int = 0, classes: int = CLASSES) -> Examples:
    """Examples of the first so many classes."""
    rng = np.random.default_rng(seed)
    return Examples(
        jnp.asarray(rng.normal(size=(count, INPUTS))), jnp.asarray(rng.integers(0, classes, count), jnp.int32)
    )


def start(config: Config = EVERY) -> tuple[Structure, Any, Any]:
    """A structure, its numbers and drawn parameters, in float64."""
    structure = Structure.of(config, CLASSES, INPUTS)
    rng = np.random.default_rng(1)
    shapes = param_shapes(structure.network, INPUTS, jnp.float64)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, 30, np.float64))
    return structure, hyper, params


# By class.


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("count", [3, 60, 1201])
def test_class_accuracy_is_scikit_learns_recall_of_each_class(count: int) -> None:
    """On splits of one and several batches; the last class has no example, and no accuracy."""
    structure, hyper, params = start()
    examples = make_examples(count, classes=CLASSES - 1)
    found = jax.jit(lambda: evaluate(structure, params, hyper, examples, jnp.asarray(1.0)))()
    answers = reference.Network(EVERY, params, 1).outputs(np.asarray(examples.x)).argmax(-1)
    expected = sklearn.metrics.recall_score(
        examples.y, answers, labels=range(CLASSES), average=None, zero_division=np.nan
    )
    assert np.isnan(expected[-1])
    np.testing.assert_allclose(found["class_accuracy"], expected, rtol=1e-14)
    assert float(found["accuracy"]) == pytest.approx(
        sklearn.metrics.accuracy_score(examples.y, answers), rel=1e-14
    )


@pytest.mark.usefixtures("x64")
def test_running_class_accuracy_is_over_the_examples_of_an_epoch_and_not_over_its_batches() -> None:
    """Batches of 7 hold other numbers of each class, and the last one is short."""
    structure, hyper, params = start(dataclasses.replace(EVERY, learning_rate=0.0))
    examples = make_examples(30)
    order = jnp.asarray([*np.random.default_rng(2).permutation(30), *[30] * 5]).reshape(5, 7)
    splits = Splits(examples, examples, jnp.asarray(1.0))
    state = init_state(structure, params, hyper).train
    _, found = jax.jit(lambda: train_epoch(structure, state, hyper, jax.random.key(0), order, splits))()
    answers = reference.Network(EVERY, params, 1).outputs(np.asarray(examples.x)).argmax(-1)
    expected = sklearn.metrics.recall_score(examples.y, answers, labels=range(CLASSES), average=None)
    np.testing.assert_allclose(found["class_accuracy"], expected, rtol=1e-14)


# By layer.


def norm(leaves: Any) -> float:
    return float(np.sqrt(sum(float((np.asarray(leaf) ** 2).sum()) for leaf in leaves)))


@pytest.mark.usefixtures("x64")
def test_norms_of_layers_are_numpys_of_the_same_trees() -> None:
    structure, hyper, params = start()
    assert structure.layers == LAYERS
    examples = make_examples(7)
    batch = Batch(*examples, jnp.ones(7))
    state = init_state(structure, params, hyper).train
    after, seen = jax.jit(lambda: train_step(structure, state, batch, hyper, jax.random.key(0)))()
    network = reference.Network(EVERY, params, 1)
    _, _, flat = network.gradients(np.asarray(examples.x), np.asarray(examples.y))
    grads = {layer: (flat[i], flat[i + len(LAYERS)]) for i, layer in enumerate(LAYERS)}
    sizes = [norm(params[layer].values()) for layer in LAYERS]
    moved = [norm(after.params[layer][leaf] - params[layer][leaf] for leaf in params[layer]) for layer in LAYERS]
    expected = {
        "layer_grad_norm": [norm(grads[layer]) for layer in LAYERS],
        "layer_weight_norm": sizes,
        "layer_update_ratio": np.array(moved) / sizes,
        "grad_norm": norm(flat),
        "update_ratio": norm(moved) / norm(sizes),
        "kernel_norm": norm(params[layer]["kernel"] for layer in LAYERS),
    }
    assert sorted(seen.measured) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(seen.measured[name], values, rtol=1e-10, err_msg=name)


# Names.


def test_the_standard_metrics_are_called_by_their_splits() -> None:
    found = variables(metrics_of([], CLASSES, {}, ()), "nat")
    assert {name: (variable.dims, variable.units) for name, variable in found.items()} == {
        "train_loss": (("epoch",), "nat"),
        "valid_loss": (("epoch",), "nat"),
        "train_accuracy": (("epoch",), "1"),
        "valid_accuracy": (("epoch",), "1"),
        "grad_norm": (("epoch",), "1"),
        "update_ratio": (("epoch",), "1"),
        "test_loss": ((), "nat"),
        "test_loss_last": ((), "nat"),
        "test_accuracy": ((), "1"),
        "test_accuracy_last": ((), "1"),
    }
    assert found["train_loss"].words == "training loss, running"
    assert len({variable.words for variable in found.values()}) == len(found)


def test_metrics_by_class_and_layer_have_such_a_dimension() -> None:
    found = variables(metrics_of(["class_accuracy", "layer_grad_norm"], CLASSES, {}, ()))
    more = {
        name: variable.dims
        for name, variable in found.items()
        if name not in variables(metrics_of([], CLASSES, {}, ()))
    }
    assert more == {
        "train_class_accuracy": ("epoch", "class"),
        "valid_class_accuracy": ("epoch", "class"),
        "test_class_accuracy": ("class",),
        "test_class_accuracy_last": ("class",),
        "layer_grad_norm": ("epoch", "layer"),
    }


def test_the_standard_metrics_are_recorded_once_however_often_they_are_asked_for() -> None:
    assert metrics_of(list(standard()), CLASSES, {}, ()) == metrics_of([], CLASSES, {}, ())
    assert [name for name, _ in metrics_of([], CLASSES, {}, ())] == list(standard())


@pytest.fixture(scope="module")
def results() -> Any:
    """A sweep of two seeds and two rates that records every metric."""
    splits = [Examples(*(np.asarray(part) for part in make_examples(40, seed))) for seed in range(3)]
    splits = [Examples(split.x.astype(np.float32), split.y) for split in splits]
    data = Dataset("noise", *splits, classes=CLASSES, scale=1.0)
    return nnjax.sweep(EVERY, data, {"learning_rate": [0.3, 0.1]}, seeds=2)


@pytest.mark.parametrize("name", fitting("classification"))
def test_every_metric_is_in_the_results_with_its_dimensions(results: Any, name: str) -> None:
    sizes = {"epoch": 2, "layer": len(LAYERS), "class": CLASSES}
    found = variables(((name, METRICS[name]),), "nat")
    assert found
    for variable, (words, dims, units) in found.items():
        array = results[variable]
        assert array.dims == ("learning_rate", "seed", *dims)
        assert array.shape == (2, 2, *(sizes[dim] for dim in dims))
        assert array.attrs["long_name"] == words
        assert array.attrs.get("units", "1") == units
        assert np.isfinite(array).all(), variable


def test_layers_and_classes_of_the_results_are_labelled(results: Any) -> None:
    assert tuple(results["layer"].values) == LAYERS
    assert list(results["class"].values) == list(range(CLASSES))


# One's own.


def margin(logits: jax.Array, label: jax.Array) -> jax.Array:
    """How far the label's logit is above the mean."""
    return logits[label] - jnp.mean(logits)


def margin_where_sure(logits: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The same, weighted."""
    return margin(logits, label), jnp.square(jnp.max(logits))


def largest_step(params: Any, grads: Any, updates: Any) -> jax.Array:
    """The largest change."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(updates)]))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("count", [5, 1201])
def test_a_metric_of_ones_own_is_a_mean_over_examples_and_may_be_weighted(count: int) -> None:
    by_class = Metric("squares", lambda logits, label: jnp.square(logits), dims=("class",))
    own = {"margin": margin, "margin_where_sure": margin_where_sure, "squares": by_class}
    structure, hyper, params = start(dataclasses.replace(EVERY, metrics=(margin, margin_where_sure)))
    structure = dataclasses.replace(structure, metrics=(*structure.metrics, ("squares", by_class)))
    examples = make_examples(count)
    found = jax.jit(lambda: evaluate(structure, params, hyper, examples, jnp.asarray(1.0)))()
    assert set(own) <= set(found)
    logits, y = reference.Network(EVERY, params, 1).outputs(np.asarray(examples.x)), np.asarray(examples.y)
    margins, weights = logits[np.arange(count), y] - logits.mean(1), logits.max(1) ** 2
    np.testing.assert_allclose(found["margin"], margins.mean(), rtol=1e-12)
    np.testing.assert_allclose(found["margin_where_sure"], (margins * weights).sum() / weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(found["squares"], (logits**2).mean(0), rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_metrics_of_ones_own_go_through_an_epoch_to_variables_of_their_name() -> None:
    config = dataclasses.replace(EVERY, metrics=(margin, largest_step))
    structure, hyper, params = start(config)
    examples = make_examples(30)
    order = jnp.asarray([*range(30), *[30] * 5]).reshape(5, 7)
    splits, state = Splits(examples, examples, jnp.asarray(1.0)), init_state(structure, params, hyper)
    _, found = jax.jit(lambda: run_epoch(structure, state, hyper, jax.random.key(0), order, splits))()
    names = variables(structure.metrics)
    assert sorted(found) == sorted(name for name in names if not name.startswith("test_"))
    assert names["valid_margin"] == Variable(
        "validation How far the label's logit is above the mean", ("epoch",), "1"
    )
    assert float(found["largest_step"]) > 0
