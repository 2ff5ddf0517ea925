"""Where runs execute: which device, beside which others, and what is compiled for it.

The runs of a group are cut into lots of U rows × K runs, and the lots dealt out to the devices. One call of a
compiled program trains one lot on its device, in one `vmap`. The runs of a row share one data order (settings of
one seed; an order may have several rows). An accelerator takes all its runs in one lot. A CPU core takes as many
at a time as `nnjax.cost` finds: a larger network is alone on its core, where its weights stay in the cache, and
its neighbours don't touch its answer, to the last bit. All lots have one shape, and share one program.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Integer

from nnjax import devices
from nnjax.cost import StepCost, runs_at_a_time, threads_a_run
from nnjax.data.order import epoch_order
from nnjax.initializers import initialize
from nnjax.models import layer_outputs, param_shapes
from nnjax.optim import Hyperparameters
from nnjax.programs import LONG_VECTORS, Program
from nnjax.structure import Structure
from nnjax.train import (
    EpochMetrics,
    RunState,
    Splits,
    TestMetrics,
    init_state,
    run_epoch,
    run_keys,
    take_batch,
    test,
)
from nnjax.types import Examples

LSUV_BATCH = 1000
"""Examples, the first of the training set, on which lsuv scales the layers."""

KEPT = max(1, 32 // devices.cores())
"""Structures whose programs stay loaded. XLA maps each kernel into memory by itself, on each device: some 500 maps
for a small network on a core, and Linux ends a process that asks for more than 65,530."""


class RunInputs(NamedTuple):
    """What distinguishes a run from the others of its group; leaves are [R] or, in a lot, [U, K]."""

    hyper: Hyperparameters
    init_kind: Int[Array, ""]  # index into the group's kinds
    init_numbers: Array  # [2]
    init_seed: Integer[Array, ""]
    data_seed: Integer[Array, ""]


class Grid(NamedTuple):
    """Runs 0 … R−1 on their places."""

    devices: tuple[jax.Device, ...]  # lot i is trained on device i modulo their number
    runs: np.ndarray  # [lots, U, K]: the run that stands here; some stand twice, to fill a lot
    places: np.ndarray  # [R]: the flat index of each run's first place

    def device(self, lot: int) -> jax.Device:
        """The device on which a lot is trained."""
        return self.devices[lot % len(self.devices)]


def arrange(data_seeds: Sequence[int], cost: StepCost, together: int | None = None) -> Grid:
    """The grid for runs with these data seeds: the widest rows with which no device works longer than it must.

    Args:
        data_seeds: of the runs.
        cost: of a step of one run.
        together: the runs that a device takes at a time; None takes all on an accelerator, and what
            `nnjax.cost.runs_at_a_time` says on a CPU.
    """
    available = devices.count()
    orders: dict[int, list[int]] = {}
    for run, seed in enumerate(data_seeds):
        orders.setdefault(seed, []).append(run)

    def rows(width: int) -> int:
        return sum(-(-len(runs) // width) for runs in orders.values())

    def longest(width: int) -> int:
        return -(-rows(width) // available) * width

    width = min(range(max(map(len, orders.values())), 0, -1), key=longest)
    number = min(available, rows(width))
    used = devices.take(number, threads_a_run(cost, available // number))
    cut = [runs[i : i + width] for runs in orders.values() for i in range(0, len(runs), width)]

    of_a_row, of_all = (together or len(data_seeds),) * 2
    if together is None and used[0].platform == "cpu":
        of_a_row, of_all = (runs_at_a_time(cost, one_order) for one_order in (True, False))
    runs_of_row = _equal_parts(width, of_a_row)  # K
    rows_of_lot = _equal_parts(-(-len(cut) // number), of_all // runs_of_row)  # U

    # Where a row is short, or the last lot lacks a row, runs stand twice.
    height, length = (-(-size // part) * part for size, part in ((len(cut), rows_of_lot), (width, runs_of_row)))
    runs = np.stack([np.resize(cut[row % len(cut)], length) for row in range(height)])
    parts = runs.reshape(-1, rows_of_lot, length // runs_of_row, runs_of_row).swapaxes(1, 2)
    lots = parts.reshape(-1, rows_of_lot, runs_of_row)
    lots = lots[np.unique(_first_places(lots) // lots[0].size)]  # without those of which others hold all
    return Grid(used, lots, _first_places(lots))


def _first_places(lots: np.ndarray) -> np.ndarray:
    """The flat index of each run's first place."""
    return np.unique(lots, return_index=True)[1]


def _equal_parts(count: int, most: int) -> int:
    """The size of equal parts, of at most so many each, that hold all."""
    return -(-count // -(-count // max(most, 1)))


def put_runs(grid: Grid, tree: Any) -> list[Any]:
    """Host arrays [R, …] as device arrays [U, K, …] of each lot."""
    return [
        jax.device_put(jax.tree.map(lambda leaf, runs=runs: leaf[runs], tree), grid.device(lot))
        for lot, runs in enumerate(grid.runs)
    ]


def get_runs(grid: Grid, lots: Sequence[Any]) -> Any:
    """Arrays [U, K, …] of each lot as host arrays [R, …]."""

    def join(*leaves: np.ndarray) -> np.ndarray:
        leaf = np.stack(leaves)
        return leaf.reshape(-1, *leaf.shape[3:])[grid.places]

    return jax.tree.map(join, *jax.device_get(lots))


def put_data(grid: Grid, tree: Any) -> list[Any]:
    """For each lot host arrays that are on its device, where its lots have one copy in common.

    The cores of a CPU have one copy together, which its caches hold sooner than one each: between its clients jax
    doesn't copy.
    """
    first = jax.device_put(tree, grid.devices[0])
    copies = {device: jax.device_put(first, device) for device in grid.devices}
    return [copies[grid.device(lot)] for lot in range(len(grid.runs))]


@functools.lru_cache(maxsize=KEPT)
def start_program(structure: Structure, kinds: tuple[str, ...]) -> Program:
    """Compiled (runs: RunInputs [U, K], splits) → RunState [U, K], with the initial draw of every run."""

    def start(run: RunInputs, splits: Splits) -> RunState:
        dtype = splits.scale.dtype
        shapes = param_shapes(structure.network, splits.train.x.shape[1], dtype)
        count = min(LSUV_BATCH, splits.train.y.shape[0])
        x = take_batch(splits.train, jnp.arange(count), splits.scale).x

        def draw(kind: str) -> Callable[..., Any]:
            return lambda key, numbers: initialize(
                key,
                kind,
                numbers,
                shapes,
                lambda params: layer_outputs(structure.network, params, x, run.hyper.activation_slope),
            )

        key = run_keys(run.init_seed, run.data_seed).init
        params = jax.lax.switch(run.init_kind, [draw(kind) for kind in kinds], key, run.init_numbers)
        return init_state(structure, params, run.hyper)

    def start_all(runs: RunInputs, splits: Splits) -> RunState:
        return _vmap(_vmap(lambda run: start(run, splits)))(runs)

    return Program(start_all)


@functools.lru_cache(maxsize=KEPT)
def epoch_program(structure: Structure, batch_size: int) -> Program:
    """Compiled (states [U, K], runs [U, K], epoch, splits) → the same and EpochMetrics; eats the states."""

    def train_epoch_of_all(
        states: RunState, runs: RunInputs, epoch: Int[Array, ""], splits: Splits
    ) -> tuple[RunState, EpochMetrics]:
        def row(states: RunState, runs: RunInputs) -> tuple[RunState, EpochMetrics]:
            # All runs of a row have one data order.
            keys = run_keys(0, runs.data_seed[0])
            order = epoch_order(jax.random.fold_in(keys.order, epoch), splits.train.y.shape[0], batch_size)
            run = functools.partial(run_epoch, structure, key=keys.dropout, order=order, splits=splits)
            return _vmap(lambda state, run_inputs: run(state, run_inputs.hyper))(states, runs)

        return _vmap(row)(states, runs)

    return Program(train_epoch_of_all, donate=0, options=LONG_VECTORS)


@functools.lru_cache(maxsize=KEPT)
def test_program(structure: Structure) -> Program:
    """Compiled (states [U, K], runs [U, K], examples, scale) → TestMetrics [U, K]."""

    def test_all(states: RunState, runs: RunInputs, examples: Examples, scale: Array) -> TestMetrics:
        return _vmap(_vmap(lambda state, run: test(structure, state, run.hyper, examples, scale)))(states, runs)

    return Program(test_all)


def _vmap(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.vmap`, but for one entry the function itself: an axis of one makes XLA's matrix products slower."""

    def mapped(*trees: Any) -> Any:
        if jax.tree.leaves(trees)[0].shape[0] > 1:
            return jax.vmap(function)(*trees)
        alone = function(*jax.tree.map(lambda leaf: leaf[0], trees))
        return jax.tree.map(lambda leaf: leaf[None], alone)

    return mapped
