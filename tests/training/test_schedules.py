"""Schedules against optax's own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import reference
from made_hyperparameters import make_hyper
from nnjax.config import Config
from nnjax.training.schedules import SCHEDULES, schedule_factor

pytestmark = pytest.mark.usefixtures("x64")


def factors(name: str, steps: int, **changes: Any) -> np.ndarray:
    """nnjax's factors at steps 0 … n−1, one after another as in training."""
    hyper = make_hyper(**changes)
    each = jax.jit(lambda steps: jax.lax.map(lambda step: schedule_factor(SCHEDULES[name], hyper, step), steps))
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
