"""The networks' formulas, their parameters, and dropout."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import reference
from nnjax.config import Config
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.layers import layer_names
from nnjax.nn.models import call, layer_outputs, layers, param_shapes
from nnjax.nn.networks import MLP, SoftmaxRegression, drop

pytestmark = pytest.mark.usefixtures("x64")


def make_params(model: Any, inputs: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    shapes = param_shapes(model, inputs, jnp.float64)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)


def make_x(count: int, inputs: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(9).normal(size=(count, inputs)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("residual", [False, True])
def test_an_mlp_computes_what_its_docstring_says(activation: str, residual: bool) -> None:
    model = MLP((4, 4, 3), 2, ACTIVATIONS[activation], residual)
    params, x, k = make_params(model, 4), make_x(5, 4), 1.7
    found = model.apply({"params": params}, x, slope=jnp.asarray(k))

    def layer(i: int, a: np.ndarray) -> np.ndarray:
        h = a @ np.asarray(params[f"Dense_{i}"]["kernel"]) + np.asarray(params[f"Dense_{i}"]["bias"])
        return h if i == 3 else reference.ACTIVATIONS[activation][0](h, k)

    a = layer(0, np.asarray(x))  # no connection from the input, though it is as wide
    a = layer(1, a) + (a if residual else 0)
    a = layer(2, a)  # of another width
    np.testing.assert_allclose(found, layer(3, a), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("relu_logits", [False, True])
def test_softmax_regression_is_one_layer_without_bias(relu_logits: bool) -> None:
    model = SoftmaxRegression(3, relu_logits)
    params, x = make_params(model, 4), make_x(6, 4)
    assert jax.tree.map(jnp.shape, params) == {"Dense_0": {"kernel": (4, 3)}}
    logits = np.asarray(x) @ np.asarray(params["Dense_0"]["kernel"])
    expected = np.maximum(logits, 0) if relu_logits else logits
    assert (logits < 0).any()
    np.testing.assert_allclose(model.apply({"params": params}, x), expected, rtol=1e-13, atol=1e-15)
    dropped = call(model, params, x, slope=jnp.asarray(3.0), dropout=jnp.asarray(0.9), key=jax.random.key(0))
    np.testing.assert_array_equal(dropped, model.apply({"params": params}, x))


def test_an_mlp_without_hidden_layers_is_linear_with_a_bias() -> None:
    model = MLP((), 3)
    params, x = make_params(model, 4), make_x(6, 4)
    expected = np.asarray(x) @ np.asarray(params["Dense_0"]["kernel"]) + np.asarray(params["Dense_0"]["bias"])
    np.testing.assert_allclose(model.apply({"params": params}, x), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_shapes_of_parameters_are_known_without_drawing_any(dtype: Any) -> None:
    found = param_shapes(MLP((5, 3), 2), 4, dtype)
    assert jax.tree.map(lambda leaf: leaf.shape, found) == {
        "Dense_0": {"kernel": (4, 5), "bias": (5,)},
        "Dense_1": {"kernel": (5, 3), "bias": (3,)},
        "Dense_2": {"kernel": (3, 2), "bias": (2,)},
    }
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(dtype)}


def test_layers_are_named_in_order_even_beyond_ten() -> None:
    params = param_shapes(MLP((2,) * 11, 2), 2)
    assert layer_names(params) == list(layers(MLP((2,) * 11, 2), 2)) == [f"Dense_{i}" for i in range(12)]


def test_an_example_or_any_batch_of_batches_will_do() -> None:
    model = MLP((4,), 3)
    params, x = make_params(model, 2), make_x(6, 2)
    whole = model.apply({"params": params}, x)
    np.testing.assert_allclose(model.apply({"params": params}, x[2]), whole[2], rtol=1e-13)
    np.testing.assert_allclose(
        model.apply({"params": params}, x.reshape(3, 2, 2)), whole.reshape(3, 2, 3), rtol=1e-13
    )


@pytest.mark.parametrize("residual", [False, True])
def test_layer_outputs_are_those_before_the_activation(residual: bool) -> None:
    model = MLP((4, 4), 3, ACTIVATIONS["scaled_sigmoid"], residual)
    params, x = make_params(model, 2), make_x(5, 2)
    found = layer_outputs(model, params, x, jnp.asarray(1.7))
    config = Config(hidden=(4, 4), activation="scaled_sigmoid", activation_slope=1.7, residual=residual)
    logits, _, pre = reference.Network(config, params, 1).forward(np.asarray(x))
    assert (
        reference.tree_deviation(
            {name: {"h": h} for name, h in found.items()},
            {f"Dense_{i}": {"h": h} for i, h in enumerate([*pre, logits])},
        )
        <= 1e-13
    )


# Dropout.


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.95])
def test_dropout_zeroes_its_share_and_keeps_the_expectation(rate: float) -> None:
    count = 200_000
    found = np.asarray(drop(jax.random.key(3), jnp.full(count, 2.0), jnp.asarray(rate)))
    np.testing.assert_array_equal(np.unique(found), [0, 2 / (1 - rate)] if rate else [2])
    dropped = int((found == 0).sum())
    assert scipy.stats.binomtest(dropped, count, rate).pvalue > 1e-4
    error = 2 * np.sqrt(rate / (1 - rate) / count)
    assert found.mean() == pytest.approx(2, abs=5 * error)


def test_dropout_takes_entries_independently_of_their_place() -> None:
    """Neighbours in either direction are dropped together as often as p² says."""
    kept = np.asarray(drop(jax.random.key(4), jnp.ones((400, 500)), 0.3)) > 0
    for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])):
        assert scipy.stats.binomtest(int((~a & ~b).sum()), a.size, 0.09).pvalue > 1e-4


def test_dropout_takes_an_array_for_its_rate_and_compiles_once() -> None:
    model, count = MLP((8,), 3), 0
    params, x = make_params(model, 2), make_x(50, 2)

    @jax.jit
    def apply(rate: jax.Array) -> jax.Array:
        nonlocal count
        count += 1
        return model.apply({"params": params}, x, dropout=rate, rngs={"dropout": jax.random.key(0)})

    kept = model.apply({"params": params}, x)
    np.testing.assert_allclose(apply(jnp.asarray(0.0)), kept, rtol=1e-13)
    assert not np.allclose(apply(jnp.asarray(0.5)), kept)
    assert count == 1


def test_dropout_follows_the_activation_in_every_hidden_layer_and_not_the_residual_connection() -> None:
    """At a rate near one nothing of the features is left, and what remains is what dropout doesn't touch."""
    model = MLP((4, 4), 3, ACTIVATIONS["sigmoid"], residual=True)
    params, x = make_params(model, 2), make_x(5, 2)
    almost = functools.partial(model.apply, {"params": params}, x, rngs={"dropout": jax.random.key(0)})
    bias = np.broadcast_to(params["Dense_2"]["bias"], (5, 3))
    np.testing.assert_allclose(almost(dropout=jnp.asarray(1 - 1e-15)), bias, rtol=1e-13)
