"""Regression, several labels and weights: training against NumPy, what is measured against scikit-learn."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

import reference
from nnjax.config import Config
from nnjax.data import Dataset, Weighted
from nnjax.data.batches import Splits
from nnjax.nn.measures import moments, r2_of
from nnjax.nn.models import call, param_shapes
from nnjax.training.epoch import train_epoch
from nnjax.training.evaluation import evaluate
from nnjax.training.metrics import fitting
from nnjax.training.start import begin, init_state
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Examples

pytestmark = pytest.mark.usefixtures("x64")

INPUTS = 4
TASK_OF = {"mse": "regression", "mae": "regression", "huber": "regression", "binary_cross_entropy": "multilabel"}


def split(task: str, outputs: int, count: int, seed: int, weighted: bool) -> Weighted:
    """Examples in float64; the weights are ones where they aren't asked for, and some 0 where they are."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, INPUTS))
    y = x @ rng.normal(size=(INPUTS, outputs)) + 0.5 * rng.normal(size=(count, outputs))
    weight = rng.choice([0, 0.3, 1, 2.5], count) if weighted else np.ones(count)
    return Weighted(x, y if task == "regression" else (y > 0).astype(np.uint8), weight)


def loop(config: Config, params: Any, data: Weighted, order: np.ndarray) -> tuple[dict[str, Any], float]:
    """An epoch of plain gradient descent in NumPy, and the weighted mean of the examples' losses."""
    network = reference.Network(config, params, len(order))
    delta = {"delta": config.huber_delta} if config.loss == "huber" else {}
    total = 0.0
    for batch in reference.real_places(order, len(data.y)):
        x, y, weight = (part[batch] for part in data)
        outputs, inputs, pre = network.forward(x)
        losses, slopes = reference.LOSSES[str(config.loss)](outputs, y, **delta)
        total += float(weight @ losses)
        d_h = weight[:, None] * slopes / (weight.sum() or 1)
        (w0, w1), decay = network.weights, config.weight_decay
        gradients = [inputs[1].T @ d_h, d_h.sum(0)]
        d_a = d_h @ w1.T * network.derivative(pre[0], 1.0)
        gradients += [x.T @ d_a, d_a.sum(0)]
        rate = config.learning_rate
        network.weights = [w0 - rate * (gradients[2] + decay * w0), w1 - rate * (gradients[0] + decay * w1)]
        network.biases = [network.biases[0] - rate * gradients[3], network.biases[1] - rate * gradients[1]]
    return network.tree, total / data.weight.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", TASK_OF)
def test_an_epoch_is_numpys_to_ten_digits(loss: str, outputs: int, weighted: bool) -> None:
    config = Config(hidden=(6,), activation="tanh", loss=loss, huber_delta=0.7, batch_size=5, weight_decay=0.02)
    data = split(TASK_OF[loss], outputs, 37, 0, weighted)
    structure = Structure.of(config, outputs, INPUTS, TASK_OF[loss])
    rng = np.random.default_rng(1)
    shapes = param_shapes(structure.network, INPUTS, jnp.float64)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(scale=0.7, size=leaf.shape)), shapes)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, 37, np.float64))
    order = np.full(40, 37)
    order[:37] = rng.permutation(37)
    order = order.reshape(-1, 5)

    given = jax.tree.map(jnp.asarray, data if weighted else Examples(*data[:2]))
    state = init_state(structure, params, hyper).train
    splits = Splits(given, given, jnp.asarray(1.0))
    got, metrics = train_epoch(structure, state, hyper, jax.random.key(0), jnp.asarray(order), splits)
    expected, mean_loss = loop(config, params, data, order)
    assert reference.tree_deviation(got.params, expected) < 1e-10
    assert float(metrics["loss"]) == pytest.approx(mean_loss, rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_what_is_measured_is_scikit_learns(task: str, outputs: int, weighted: bool) -> None:
    """On 1,203 examples, which are evaluated in several batches that overlap."""
    config = Config(hidden=(6,), activation="tanh", metrics=fitting(task))
    data = split(task, outputs, 1203, 2, weighted)
    structure = Structure.of(config, outputs, INPUTS, task)
    rng = np.random.default_rng(3)
    shapes = param_shapes(structure.network, INPUTS, jnp.float64)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, 1203, np.float64))
    given = jax.tree.map(jnp.asarray, data if weighted else Examples(*data[:2]))
    found = evaluate(structure, params, hyper, given, jnp.asarray(1.0))
    z = np.asarray(call(structure.network, params, jnp.asarray(data.x), slope=hyper.activation_slope))
    y, weight = data.y, data.weight if weighted else None
    if task == "regression":
        each = {"sample_weight": weight, "multioutput": "raw_values"}
        expected = {
            "r2": sklearn.metrics.r2_score(y, z, sample_weight=weight),
            "rmse": sklearn.metrics.root_mean_squared_error(y, z, **each),
            "mae": sklearn.metrics.mean_absolute_error(y, z, **each),
            "loss": sklearn.metrics.mean_squared_error(y, z, sample_weight=weight),
        }
    else:
        said = (z > 0).astype(int)
        column = [y[:, 0], said[:, 0]] if outputs == 1 else [y, said]  # or it takes one column for two classes
        each = {"sample_weight": weight, "zero_division": 0}
        f1 = sklearn.metrics.f1_score(*column, **each, average="binary" if outputs == 1 else None)
        expected = {"f1": np.mean(f1), "label_f1": np.atleast_1d(f1)}
    for name, value in expected.items():
        shape = () if outputs == 1 and name in ("rmse", "mae") else np.shape(value)
        np.testing.assert_allclose(found[name], np.reshape(value, shape), rtol=1e-10, err_msg=name)


def test_r2_of_a_target_that_never_changes_is_scikit_learns() -> None:
    y = np.ones((5, 1))
    for z in (y, y + np.arange(5)[:, None]):
        found = r2_of(jax.vmap(moments)(jnp.asarray(z), jnp.asarray(y)).mean(0))
        assert float(found) == sklearn.metrics.r2_score(y, z)


def test_a_run_begins_with_targets_standardised_by_the_training_part_alone() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.normal(50, 9, size=(30, 2)) * [1, 1000]
    marked = y.copy()
    marked[20:] = 1e6  # of validation and test: nothing of it may be seen
    for targets in (y, marked):
        cuts = [(x[i : i + 10], targets[i : i + 10]) for i in (0, 10, 20)]
        data = Dataset("noise", *cuts)
        run = begin(Config(hidden=(3,), batch_size=5), data)
        np.testing.assert_allclose(run.splits.train.y, (y[:10] - y[:10].mean(0)) / y[:10].std(0), rtol=1e-12)
        expected = (targets[10:20] - y[:10].mean(0)) / y[:10].std(0)
        np.testing.assert_allclose(run.splits.valid.y, expected, rtol=1e-12)
