"""What a step costs, against XLA's own count and against arrays that are there."""

import dataclasses
import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.config import Config
from nnjax.data.batches import Batch
from nnjax.engine.cost import (
    CACHE,
    LARGE_STEP,
    SMALL_STEP,
    StepCost,
    products,
    runs_at_a_time,
    step_cost,
    threads_a_run,
    traced_products,
)
from nnjax.nn.initializers import INITIALIZERS, initialize
from nnjax.nn.models import call, param_shapes
from nnjax.training.start import init_state
from nnjax.training.step import train_step
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Examples

pytestmark = pytest.mark.usefixtures("as_users_have_it")


def make_step(config, inputs, classes):
    """A jitted step with its arguments."""
    structure = Structure.of(config, classes, inputs)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, 1000))
    shapes = param_shapes(structure.network, inputs)
    params = initialize(jax.random.key(0), INITIALIZERS["he_normal"], jnp.zeros(2), shapes)
    state = init_state(structure, params, hyper).train
    size = config.batch_size
    batch = Batch(jnp.ones((size, inputs)), jnp.zeros(size, jnp.int32), jnp.ones(size))
    step = jax.jit(lambda state: train_step(structure, state, batch, hyper, jax.random.key(0))[0])
    return structure, step, state


@pytest.mark.parametrize("hidden", [(), (40,), (30, 50)])
def test_operations_are_those_that_xla_counts(hidden):
    structure, step, state = make_step(Config(hidden=hidden, activation="relu", batch_size=96), 130, 10)
    counted = step.lower(state).compile().cost_analysis()["flops"]
    flops = step_cost(structure, 130, 96).flops
    # XLA also counts what is elementwise, on weights and activations.
    assert flops < counted < flops * 1.15 + 20 * state.params["Dense_0"]["kernel"].size


class Convolutions(nn.Module):
    """Convolutions with a stride, in groups and dilated, then a matrix product; nothing else is counted."""

    @nn.compact
    def __call__(self, x):
        x = x.reshape(-1, 12, 12, 3)
        x = nn.Conv(8, (3, 3), padding="VALID", use_bias=False)(x)
        x = nn.Conv(12, (3, 3), strides=2, padding="VALID", use_bias=False)(x)
        x = nn.Conv(12, (2, 2), feature_group_count=4, padding="VALID", use_bias=False)(x)
        x = nn.Conv(6, (2, 2), kernel_dilation=2, padding="VALID", use_bias=False)(x)
        return nn.Dense(5, use_bias=False)(x.reshape(len(x), -1))


def test_convolutions_are_counted_as_xla_counts_them():
    structure = Structure.of(Config(model=Convolutions), 5, 432)
    forward = jax.jit(functools.partial(call, structure.network))
    compiled = forward.lower(param_shapes(structure.network, 432), jnp.ones((16, 432))).compile()
    counted = compiled.cost_analysis()["flops"]
    first = 2 * 16 * (10 * 10 * 8) * (3 * 3 * 3)
    # The gradients by weights and by inputs each cost a forward pass, but for the images' own.
    assert step_cost(structure, 432, 16).flops == pytest.approx(3 * counted - first, rel=0.02)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 3, 5)])
def test_what_a_perceptron_multiplies_is_what_its_trace_does(hidden):
    network = Structure.of(Config(hidden=hidden), 10, 130).network
    assert products(network, 130, 96) == traced_products(network, 130, 96)


@pytest.mark.parametrize("hidden", [(), (7,), (40, 30, 20)])
def test_a_perceptron_costs_its_matrix_products(hidden):
    sizes = (130, *hidden, 10)
    products = [d * f for d, f in itertools.pairwise(sizes)]
    structure = Structure.of(Config(hidden=hidden), 10, 130)
    assert step_cost(structure, 130, 96).flops == 2 * 96 * (3 * sum(products) - products[0])


class Looped(nn.Module):
    """A product in a loop of five, and one of two in a branch."""

    classes: int = 3

    @nn.compact
    def __call__(self, x):
        w = self.param("w", nn.initializers.ones, (6, 6))
        v = self.param("v", nn.initializers.ones, (6, self.classes))
        x, _ = jax.lax.scan(lambda x, _: (x @ w, None), x, length=5)
        x = jax.lax.cond(x[0, 0] > 0, lambda x: x, lambda x: x @ w @ w, x)
        return jax.checkpoint(lambda x: x @ v)(x)


def test_loops_count_as_often_as_they_run_and_branches_as_the_longest():
    structure = Structure.of(Config(model=Looped), 3, 6)
    square, last = 2 * 4 * 6 * 6, 2 * 4 * 6 * 3
    assert step_cost(structure, 6, 4).flops == 3 * (7 * square + last) - square


@pytest.mark.parametrize(
    "config",
    [
        Config(hidden=(7, 5)),
        Config(hidden=(7,), momentum=0.9),
        Config(hidden=(7,), optimizer="adam"),
        Config(model="softmax_regression"),
    ],
    ids=lambda config: f"{config.model} {config.optimizer} {config.momentum}",
)
def test_the_state_is_what_a_run_keeps(config):
    structure, _, state = make_step(config, 11, 3)
    kept = (state.params, state.params, state.opt_state)
    scalars = 4 * (config.optimizer == "adam")  # its count of steps
    assert step_cost(structure, 11, 64).state == sum(leaf.nbytes for leaf in jax.tree.leaves(kept)) - scalars


def test_the_known_case():
    """784-128-10 at batch 64: 26 MFLOP and about 2 MB a step."""
    structure = Structure.of(Config(hidden=(128,)), 10, 784)
    cost = step_cost(structure, 784, 64, input_bytes=1)
    assert cost.flops == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert cost.traffic == 5 * 4 * 101_770 + 784 * 64
    with_momentum = step_cost(dataclasses.replace(structure, use_momentum=True), 784, 64, input_bytes=1)
    assert with_momentum.traffic - cost.traffic == 2 * 4 * 101_770
    assert with_momentum.working_set - cost.working_set == 4 * 101_770


@pytest.mark.parametrize("one_order", [True, False])
def test_the_cache_bounds_the_runs_at_a_time(one_order):
    small = StepCost(flops=int(SMALL_STEP), traffic=0, working_set=100_000, state=0)
    assert runs_at_a_time(small, one_order) == CACHE // 100_000
    assert runs_at_a_time(small._replace(working_set=10**9), one_order) == 1
    large = small._replace(flops=int(SMALL_STEP) + 1)
    assert runs_at_a_time(large, one_order) == (CACHE // 100_000 if one_order else 1)


def test_a_large_step_is_worth_several_threads():
    large = StepCost(flops=int(LARGE_STEP), traffic=0, working_set=0, state=0)
    assert threads_a_run(large, 4) == 4
    assert threads_a_run(large._replace(flops=int(LARGE_STEP) - 1), 4) == 1


@pytest.mark.parametrize("runs_per_call", [1, 8])
def test_states_are_written_over_and_the_data_are_not_copied(runs_per_call):
    from nnjax import Dataset
    from nnjax.engine import plan as plans
    from nnjax.engine.epochs import Training

    rng = np.random.default_rng(0)
    examples = Examples(rng.integers(0, 256, (40_000, 90), np.uint8), rng.integers(0, 3, 40_000).astype(np.int32))
    data = Dataset("bytes", examples, examples, examples, classes=3, scale=255.0)
    todo = plans.plan(Config(hidden=(50,), batch_size=10), data, seeds=16, runs_per_call=runs_per_call)
    memory = Training(todo.groups[0]).compiled().memory_analysis()  # of a device
    state = todo.groups[0].cost.state * runs_per_call
    assert state < memory.alias_size_in_bytes < 1.01 * state + 1000 * runs_per_call
    # An order of the examples a run, and what sorting takes; but no data set of bytes, and none of floats.
    words = 4 * len(examples.y)
    assert memory.temp_size_in_bytes < runs_per_call * (8 * words + 3 * state)
    assert 8 * words < examples.x.nbytes
