"""Schedules and transformations against optax's own, and what weight decay does, to the last term."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import reference
from nnjax.config import Config
from nnjax.training.optim import Hyperparameters, is_kernel, schedule_factor, transformation

pytestmark = pytest.mark.usefixtures("x64")

LAYERS = ["Dense_0", "Dense_1"]
RATE, DECAY, MOMENTUM = 0.1, 0.05, 0.9


def make_hyper(**changes: Any) -> Hyperparameters:
    numbers = {
        "learning_rate": RATE,
        "layer_rates": [1.0] * len(LAYERS),
        "weight_decay": DECAY,
        "momentum": MOMENTUM,
        "schedule_end": 0.1,
        "schedule_steps": 3,
        "warmup": 0,
        "horizon": 20,
        "epochs": 1,
        "dropout": 0,
        "activation_slope": 1,
    }
    return Hyperparameters(
        **{name: jnp.asarray(value, jnp.float64) for name, value in (numbers | changes).items()}
    )


def factors(name: str, steps: int, **changes: Any) -> np.ndarray:
    """nnjax's factors at steps 0 … n−1, one after another as in training."""
    hyper = make_hyper(**changes)
    each = jax.jit(lambda steps: jax.lax.map(lambda step: schedule_factor(name, hyper, step), steps))
    return np.asarray(each(jnp.arange(steps, dtype=jnp.int32)))


def optax_schedule(name: str, length: int, end: float, drops: int) -> Callable[[Any], Any]:
    """optax's schedule from 1 to ``end`` over so many steps."""
    if name == "constant":
        return optax.constant_schedule(1.0)
    if name == "linear":
        return optax.linear_schedule(1.0, end, length)
    if name == "cosine":
        return optax.cosine_decay_schedule(1.0, length, end)
    if name == "exponential":
        return optax.exponential_decay(1.0, length, end)
    places = [-(-drop * length // (drops + 1)) for drop in range(1, drops + 1)]
    return optax.piecewise_constant_schedule(1.0, dict.fromkeys(places, end ** (1 / drops)))


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "exponential", "step"])
@pytest.mark.parametrize(
    ("warmup", "horizon", "end", "drops"), [(0, 20, 0.1, 3), (0, 7, 2.5, 1), (6, 23, 0.01, 4), (5, 30, 1.0, 20)]
)
def test_schedules_are_optaxs(name: str, warmup: int, horizon: int, end: float, drops: int) -> None:
    found = factors(name, horizon, warmup=warmup, horizon=horizon, schedule_end=end, schedule_steps=drops)
    with jax.numpy_dtype_promotion("standard"):
        joined = optax.join_schedules(
            [
                optax.linear_schedule(1 / (warmup + 1), 1.0, warmup),
                optax_schedule(name, horizon - warmup, end, drops),
            ],
            [warmup],
        )
        expected = [float(joined(jnp.asarray(step))) for step in range(horizon)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "exponential", "step"])
def test_schedules_start_at_one_end_at_their_end_and_stay_there(name: str) -> None:
    found = factors(name, 25, schedule_end=0.3, horizon=20)
    assert found[0] == 1
    np.testing.assert_allclose(found[20:], 1 if name == "constant" else 0.3, rtol=1e-14)


@pytest.mark.parametrize("name", ["linear", "exponential"])
def test_schedules_rise_to_an_end_above_one(name: str) -> None:
    assert (np.diff(factors(name, 20, schedule_end=5.0)) > 0).all()


def test_linear_and_cosine_schedules_may_end_at_zero() -> None:
    for name in ("linear", "cosine"):
        assert factors(name, 21, schedule_end=0.0)[-1] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("warmup", [0.5, 3.0, 4.25])
def test_warmup_rises_in_equal_parts_and_may_be_of_any_length(warmup: float) -> None:
    found = factors("constant", 8, warmup=warmup)
    expected = [(step + 1) / (warmup + 1) if step < warmup else 1 for step in range(8)]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_a_run_that_is_all_warmup_never_divides_by_zero() -> None:
    for name in ("constant", "linear", "cosine", "exponential", "step"):
        found = factors(name, 11, warmup=10, horizon=10)
        np.testing.assert_allclose(found, (np.arange(11) + 1) / 11, rtol=1e-15)


def test_the_step_schedule_drops_by_equal_factors_at_equal_distances() -> None:
    found = factors("step", 12, horizon=12, schedule_end=0.008, schedule_steps=3)
    np.testing.assert_allclose(found, np.repeat([1, 0.2, 0.04, 0.008], 3), rtol=1e-13)


def test_the_step_schedule_drops_in_time_for_any_number_of_drops() -> None:
    for drops in (20, 21, 38):
        found = factors("step", drops + 1, horizon=drops + 1, schedule_end=0.5, schedule_steps=drops)
        np.testing.assert_allclose(found, 0.5 ** (np.arange(drops + 1) / drops), rtol=1e-12)


def test_the_references_schedule_is_nnjaxs_with_epochs_for_steps() -> None:
    config = Config(schedule="cosine", schedule_end=0.2, warmup_epochs=1.5, epochs=5)
    found = factors("cosine", 20, warmup=6, horizon=20, schedule_end=0.2)
    expected = [reference.schedule_factor(config, step, steps_per_epoch=4) for step in range(20)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


# Transformations, on parameters and gradients that are not a network's.


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
        optimizer, hyper, hyper.learning_rate, LAYERS, use_momentum=use_momentum, nesterov=nesterov
    )


def assert_same(found: Any, expected: Any, rtol: float = 1e-12) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14), found, expected)


KERNELS = {layer: {"kernel": True, "bias": False} for layer in LAYERS}


def test_kernels_are_decayed_and_biases_not() -> None:
    assert is_kernel(make_params()) == KERNELS


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
