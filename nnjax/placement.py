"""Where runs execute: which device, beside which others, and what is compiled for it.

The runs of a group are cut into lots of U rows × K runs. One call of a compiled program trains one lot: the rows
are split over the devices, and each device takes its part in one `vmap`. The runs of a row share one data order
(settings of one seed; an order may have several rows). An accelerator takes all runs in one lot. A CPU core takes
as many at a time as `nnjax.cost` finds: a larger network is alone on its core, where its weights stay in the
cache, and its neighbours don't touch its answer, to the last bit. All lots have one shape, and share one program.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.stages import Wrapped
from jaxtyping import Array, Int, Integer

from nnjax.cost import StepCost, runs_at_a_time
from nnjax.data.order import epoch_order
from nnjax.initializers import initialize
from nnjax.models import layer_outputs, param_shapes
from nnjax.optim import Hyperparameters
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

ROWS = PartitionSpec("devices")
"""How the arrays of a lot are split: the rows over the devices."""

LSUV_BATCH = 1000
"""Examples, the first of the training set, on which lsuv scales the layers."""


class RunInputs(NamedTuple):
    """What distinguishes a run from the others of its group; leaves are [R] or, in a lot, [U, K]."""

    hyper: Hyperparameters
    init_kind: Int[Array, ""]  # index into the group's kinds
    init_numbers: Array  # [2]
    init_seed: Integer[Array, ""]
    data_seed: Integer[Array, ""]


@dataclass(frozen=True)
class Layout:
    """How a lot is laid over devices."""

    devices: tuple[jax.Device, ...]
    rows: int = 1
    """Rows of a lot on each device."""
    runs: int = 1
    """K, the runs of a row."""

    @property
    def mesh(self) -> Mesh:
        """The devices, one behind the other."""
        return Mesh(np.array(self.devices), ("devices",))


class Grid(NamedTuple):
    """Runs 0 … R−1 on their places."""

    layout: Layout
    runs: np.ndarray  # [lots, U, K]: the run that stands here; some stand twice, to fill the lots
    places: np.ndarray  # [R]: the flat index of each run's first place


def devices() -> tuple[jax.Device, ...]:
    """All devices of the default backend; on a CPU, one a core, if jax has not been started with fewer.

    The number of CPU devices is fixed when jax first looks for its devices, so it is set here, just before; a
    program that has used jax already, or has set `jax_num_cpu_devices` itself, keeps what it has.
    """
    if getattr(jax.config, "jax_num_cpu_devices", -1) < 1:
        affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        with contextlib.suppress(RuntimeError):  # jax is running already
            jax.config.update("jax_num_cpu_devices", cores)
    return tuple(jax.local_devices())


def arrange(data_seeds: Sequence[int], cost: StepCost, together: int | None = None) -> Grid:
    """The grid for runs with these data seeds: the widest rows with which no device works longer than it must.

    Args:
        data_seeds: of the runs.
        cost: of a step of one run.
        together: the runs that a device takes at a time; None takes all on an accelerator, and what
            `nnjax.cost.runs_at_a_time` says on a CPU.
    """
    available = devices()
    orders: dict[int, list[int]] = {}
    for run, seed in enumerate(data_seeds):
        orders.setdefault(seed, []).append(run)

    def rows(width: int) -> int:
        return sum(-(-len(runs) // width) for runs in orders.values())

    def longest(width: int) -> int:
        return -(-rows(width) // len(available)) * width

    width = min(range(max(map(len, orders.values())), 0, -1), key=longest)
    used = available[: min(len(available), rows(width))]
    each = -(-rows(width) // len(used))
    cut = [runs[i : i + width] for runs in orders.values() for i in range(0, len(runs), width)]

    of_a_row, of_all = (together or len(data_seeds),) * 2
    if together is None and used[0].platform == "cpu":
        of_a_row, of_all = (runs_at_a_time(cost, one_order) for one_order in (True, False))
    layout = Layout(used, runs=_equal_parts(width, of_a_row))
    layout = dataclasses.replace(layout, rows=_equal_parts(each, of_all // layout.runs))

    # Where a row is short, or a row is lacking, runs stand twice.
    height = len(used) * layout.rows
    padded = [-(-count // part) * part for count, part in ((len(cut), height), (width, layout.runs))]
    runs = np.stack([np.resize(cut[row % len(cut)], padded[1]) for row in range(padded[0])])
    lots = runs.reshape(-1, height, padded[1] // layout.runs, layout.runs).swapaxes(1, 2)
    _, places = np.unique(lots, return_index=True)
    return Grid(layout, lots.reshape(-1, height, layout.runs), places)


def _equal_parts(count: int, most: int) -> int:
    """The size of equal parts, of at most so many each, that hold all."""
    return -(-count // -(-count // max(most, 1)))


def put_runs(grid: Grid, tree: Any) -> list[Any]:
    """Host arrays [R, …] as device arrays [U, K, …] of each lot."""
    sharding = NamedSharding(grid.layout.mesh, ROWS)
    return [jax.tree.map(lambda leaf, runs=runs: jax.device_put(leaf[runs], sharding), tree) for runs in grid.runs]


def get_runs(grid: Grid, lots: Sequence[Any]) -> Any:
    """Arrays [U, K, …] of each lot as host arrays [R, …]."""

    def join(*leaves: np.ndarray) -> np.ndarray:
        leaf = np.stack(leaves)
        return leaf.reshape(-1, *leaf.shape[3:])[grid.places]

    return jax.tree.map(join, *jax.device_get(lots))


def put_everywhere(layout: Layout, tree: Any) -> Any:
    """A copy of host arrays on every device of the layout."""
    return jax.device_put(tree, NamedSharding(layout.mesh, PartitionSpec()))


@functools.cache
def start_program(structure: Structure, kinds: tuple[str, ...], layout: Layout) -> Wrapped:
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

    return _compile(layout, start_all, inputs=(True, False))


@functools.cache
def epoch_program(structure: Structure, batch_size: int, layout: Layout) -> Wrapped:
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

    return _compile(layout, train_epoch_of_all, inputs=(True, True, False, False), donate=0)


@functools.cache
def test_program(structure: Structure, layout: Layout) -> Wrapped:
    """Compiled (states [U, K], runs [U, K], examples, scale) → TestMetrics [U, K]."""

    def test_all(states: RunState, runs: RunInputs, examples: Examples, scale: Array) -> TestMetrics:
        return _vmap(_vmap(lambda state, run: test(structure, state, run.hyper, examples, scale)))(states, runs)

    return _compile(layout, test_all, inputs=(True, True, False, False))


def _vmap(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.vmap`, but for one entry the function itself: an axis of one makes XLA's matrix products slower."""

    def mapped(*trees: Any) -> Any:
        if jax.tree.leaves(trees)[0].shape[0] > 1:
            return jax.vmap(function)(*trees)
        alone = function(*jax.tree.map(lambda leaf: leaf[0], trees))
        return jax.tree.map(lambda leaf: leaf[None], alone)

    return mapped


def _compile(
    layout: Layout, function: Callable[..., Any], inputs: tuple[bool, ...], donate: int | None = None
) -> Wrapped:
    """The function on every device's part of a lot; ``inputs`` says which arguments are a lot's."""
    placed = jax.shard_map(
        function,
        mesh=layout.mesh,
        in_specs=tuple(ROWS if of_lot else PartitionSpec() for of_lot in inputs),
        out_specs=ROWS,
        check_vma=False,
    )
    return jax.jit(placed, donate_argnums=() if donate is None else donate)
