"""Transformations against optax's own, and what weight decay does, to the last term."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from made_hyperparameters import DECAY, LAYERS, MOMENTUM, RATE, make_hyper
from nnjax.nn import layers
from nnjax.training.optim import OPTIMIZERS, transformation

pytestmark = pytest.mark.usefixtures("x64")


# On parameters and gradients that are not a network's.


def make_params() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {"Dense_0": {"kernel": (3, 2), "bias": (2,)}, "Dense_1": {"kernel": (2, 2), "bias": (2,)}}
    return jax.tree.map(
        lambda shape: jnp.asarray(rng.normal(size=shape)), shapes, is_leaf=lambda node: isinstance(node, tuple)
    )


def make_gradients(steps: int = 6) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    return [
        jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), make_params()) for _ in range(steps)
    ]


def no_gradients(steps: int) -> list[dict[str, Any]]:
    return [jax.tree.map(jnp.zeros_like, make_params())] * steps


def follow(chain: optax.GradientTransformation, gradients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters before the first step and after each."""
    params, trail = make_params(), [make_params()]
    state, update = chain.init(params), jax.jit(chain.update)
    with jax.numpy_dtype_promotion("standard"):  # for optax's Adam
        for gradient in gradients:
            updates, state = update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            trail.append(params)
    return trail


def ours(optimizer: str, *, use_momentum: bool = False, nesterov: bool = False, **changes: Any) -> Any:
    hyper = make_hyper(**changes)
    return transformation(
        OPTIMIZERS[optimizer], hyper, hyper.learning_rate, LAYERS, use_momentum=use_momentum, nesterov=nesterov
    )


def assert_same(found: Any, expected: Any, rtol: float = 1e-12) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14), found, expected)


KERNELS = {layer: {"kernel": True, "bias": False} for layer in LAYERS}


def test_kernels_are_decayed_and_biases_not() -> None:
    assert layers.kernels(make_params()) == KERNELS


@pytest.mark.parametrize(
    ("arguments", "theirs"),
    [
        ({"optimizer": "sgd"}, optax.sgd(RATE)),
        ({"optimizer": "sgd", "use_momentum": True}, optax.sgd(RATE, MOMENTUM)),
        ({"optimizer": "sgd", "use_momentum": True, "nesterov": True}, optax.sgd(RATE, MOMENTUM, nesterov=True)),
        ({"optimizer": "adam"}, optax.adam(RATE)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_optimizers_are_optaxs_with_the_decay_added_to_the_gradient(
    arguments: dict[str, Any], theirs: Any
) -> None:
    expected = optax.chain(optax.add_decayed_weights(DECAY, KERNELS), theirs)
    assert_same(follow(ours(**arguments), make_gradients()), follow(expected, make_gradients()))


def test_adamw_is_optaxs_with_the_decay_on_kernels() -> None:
    expected = optax.adamw(RATE, weight_decay=DECAY, mask=KERNELS)
    assert_same(follow(ours("adamw"), make_gradients()), follow(expected, make_gradients()))


def test_the_moments_of_adam_are_numbers_of_the_setting() -> None:
    numbers = {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1}
    theirs = optax.chain(optax.add_decayed_weights(DECAY, KERNELS), optax.adam(RATE, 0.5, 0.7, 0.1))
    assert_same(follow(ours("adam", **numbers), make_gradients()), follow(theirs, make_gradients()))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_torchs(nesterov: bool) -> None:
    """torch.optim.SGD: g ← ∇ + λ p; v ← g at first, then μ v + g; g ← v, or g + μ v with Nesterov; p ← p − η g."""
    found = follow(ours("sgd", use_momentum=True, nesterov=nesterov), make_gradients())
    for layer, leaf in (("Dense_0", "kernel"), ("Dense_1", "bias")):
        p, v = np.asarray(found[0][layer][leaf]), None
        for step, gradient in enumerate(make_gradients(), 1):
            g = np.asarray(gradient[layer][leaf]) + (DECAY * p if leaf == "kernel" else 0)
            v = g if v is None else MOMENTUM * v + g
            p = p - RATE * (g + MOMENTUM * v if nesterov else v)
            np.testing.assert_allclose(found[step][layer][leaf], p, rtol=1e-13)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_layer_rates_scale_the_steps_of_their_layers(optimizer: str) -> None:
    gradients = make_gradients(1)
    even = follow(ours(optimizer), gradients)
    uneven = follow(ours(optimizer, layer_rates=[0.25, 3.0]), gradients)
    for layer, factor in zip(LAYERS, (0.25, 3.0), strict=True):
        for leaf in ("kernel", "bias"):
            moved = [np.asarray(trail[1][layer][leaf] - trail[0][layer][leaf]) for trail in (even, uneven)]
            np.testing.assert_allclose(moved[1], factor * moved[0], rtol=1e-11)


def test_momentum_of_zero_is_plain_gradient_descent() -> None:
    for nesterov in (False, True):
        found = follow(ours("sgd", use_momentum=True, nesterov=nesterov, momentum=0.0), make_gradients())
        assert_same(found, follow(ours("sgd"), make_gradients()))


# What weight decay means: with ∇L = 0 it is all that moves the kernels.


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_decay_alone_shrinks_kernels_by_the_same_factor_each_step_and_leaves_biases(optimizer: str) -> None:
    trail = follow(ours(optimizer), no_gradients(5))
    for step, params in enumerate(trail):
        for layer in LAYERS:
            np.testing.assert_allclose(
                params[layer]["kernel"], (1 - RATE * DECAY) ** step * trail[0][layer]["kernel"], rtol=1e-14
            )
            np.testing.assert_array_equal(params[layer]["bias"], trail[0][layer]["bias"])


def test_decay_with_momentum_builds_up_and_settles() -> None:
    """w_{t+1} = (1 + μ − ηλ) w_t − μ w_{t−1}, whose larger root is 1 − s.

    s = ½ (b − √(b² − 4ηλ)) with b = 1 − μ + ηλ, and that is ηλ / (1 − μ) up to a relative μ ηλ / (1 − μ)² and
    higher powers of ηλ; here 0.9%.
    """
    loss = RATE * (decay := 1e-3)
    trail = follow(ours("sgd", use_momentum=True, weight_decay=decay), no_gradients(400))
    kernels = np.array([params["Dense_0"]["kernel"] for params in trail])
    shrink = 1 - kernels[1:] / kernels[:-1]
    np.testing.assert_allclose(shrink[0], loss, rtol=1e-11)
    np.testing.assert_allclose(
        kernels[2:], (1 + MOMENTUM - loss) * kernels[1:-1] - MOMENTUM * kernels[:-2], rtol=1e-13
    )
    assert (np.diff(shrink[:50], axis=0) > 0).all()

    b = 1 - MOMENTUM + loss
    settled = (b - math.sqrt(b**2 - 4 * loss)) / 2
    np.testing.assert_allclose(shrink[-1], settled, rtol=1e-9)
    first_order = loss / (1 - MOMENTUM)
    assert settled / first_order - 1 == pytest.approx(MOMENTUM * loss / (1 - MOMENTUM) ** 2, rel=0.05)
    np.testing.assert_array_equal(trail[-1]["Dense_0"]["bias"], trail[0]["Dense_0"]["bias"])


def test_decay_with_nesterovs_momentum_starts_with_the_step_that_momentum_takes_second() -> None:
    trail = follow(ours("sgd", use_momentum=True, nesterov=True), no_gradients(1))
    shrink = 1 - trail[1]["Dense_0"]["kernel"] / trail[0]["Dense_0"]["kernel"]
    np.testing.assert_allclose(shrink, RATE * DECAY * (1 + MOMENTUM), rtol=1e-12)


def test_adam_scales_the_decay_away_and_adamw_does_not() -> None:
    """Adam's first step is η g / (|g| + ε) with g = λ w: as long for a small weight as for a large one."""
    start, after = follow(ours("adam"), no_gradients(1))
    for layer in LAYERS:
        w = np.asarray(start[layer]["kernel"])
        step = RATE * DECAY * w / (np.abs(DECAY * w) + 1e-8)
        np.testing.assert_allclose(w - after[layer]["kernel"], step, rtol=1e-9)
        np.testing.assert_allclose(w - after[layer]["kernel"], RATE * np.sign(w), rtol=1e-4)
        np.testing.assert_array_equal(after[layer]["bias"], start[layer]["bias"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_no_decay_and_no_gradient_move_nothing(optimizer: str) -> None:
    start, *_, end = follow(ours(optimizer, weight_decay=0.0), no_gradients(3))
    assert_same(end, start, rtol=0)


def test_the_learning_rate_of_a_layer_at_zero_freezes_it_decay_included() -> None:
    for optimizer in ("sgd", "adam", "adamw"):
        start, *_, end = follow(ours(optimizer, layer_rates=[0.0, 1.0]), make_gradients())
        assert_same(end["Dense_0"], start["Dense_0"], rtol=0)
        assert not np.allclose(end["Dense_1"]["kernel"], start["Dense_1"]["kernel"])
