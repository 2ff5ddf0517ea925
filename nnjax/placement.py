"""Where runs execute: which device, beside which others, and what is compiled for it.

The runs of a group stand on a grid of U rows × K runs, where the runs of a row share one data order (settings of
one seed; an order may have several rows). The rows are split over the devices. Inside a device, rows and runs are
a `lax.map` or a `vmap`: on a CPU one run after another keeps a run's weights in the cache of its core, and the
neighbours of a run don't touch its answer, to the last bit; an accelerator takes them all together.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Integer

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
"""How arrays on the grid are split: the rows over the devices."""

LSUV_BATCH = 1000
"""Examples, the first of the training set, on which lsuv scales the layers."""


class RunInputs(NamedTuple):
    """What distinguishes a run from the others of its group; leaves are [R] or, on the grid, [U, K]."""

    hyper: Hyperparameters
    init_kind: Int[Array, ""]  # index into the group's kinds
    init_numbers: Array  # [2]
    init_seed: Integer[Array, ""]
    data_seed: Integer[Array, ""]


@dataclass(frozen=True)
class Layout:
    """How a grid of runs is laid over devices."""

    devices: tuple[jax.Device, ...]
    together: bool
    """All runs of a device in one `vmap`, else one after another."""

    @property
    def mesh(self) -> Mesh:
        """The devices, one behind the other."""
        return Mesh(np.array(self.devices), ("devices",))


class Grid(NamedTuple):
    """Runs 0 … R−1 on their places."""

    layout: Layout
    runs: np.ndarray  # [U, K]: the run that stands here; some stand twice, to fill the grid
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


def arrange(data_seeds: Sequence[int]) -> Grid:
    """The grid for runs with these data seeds: the widest rows with which no device works longer than it must."""
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
    cut = [runs[i : i + width] for runs in orders.values() for i in range(0, len(runs), width)]
    height = -(-len(cut) // len(used)) * len(used)
    # Where a row is short, or a row is lacking, runs stand twice.
    runs = np.stack([np.resize(cut[row % len(cut)], width) for row in range(height)])
    _, places = np.unique(runs, return_index=True)
    return Grid(Layout(used, takes_runs_together(used[0])), runs, places)


def takes_runs_together(device: jax.Device) -> bool:
    """Whether a device takes all its runs in one `vmap`, rather than one after another: not a CPU core."""
    return device.platform != "cpu"


def put_runs(grid: Grid, tree: Any) -> Any:
    """Host arrays [R, …] as device arrays [U, K, …] on their places."""
    sharding = NamedSharding(grid.layout.mesh, ROWS)
    return jax.tree.map(lambda leaf: jax.device_put(leaf[grid.runs], sharding), tree)


def get_runs(grid: Grid, tree: Any) -> Any:
    """Device arrays [U, K, …] as host arrays [R, …]."""
    return jax.tree.map(
        lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[grid.places], jax.device_get(tree)
    )


def put_everywhere(layout: Layout, tree: Any) -> Any:
    """A copy of host arrays on every device of the layout."""
    return jax.device_put(tree, NamedSharding(layout.mesh, PartitionSpec()))


@functools.cache
def start_program(structure: Structure, kinds: tuple[str, ...], layout: Layout) -> Callable[..., RunState]:
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
        each = functools.partial(_each, layout)
        return each(lambda row: each(lambda run: start(run, splits), row), runs)

    return _compile(layout, start_all, inputs=(True, False))


@functools.cache
def epoch_program(
    structure: Structure, batch_size: int, layout: Layout
) -> Callable[..., tuple[RunState, EpochMetrics]]:
    """Compiled (states [U, K], runs [U, K], epoch, splits) → the same and EpochMetrics; eats the states."""

    def train_epoch_of_all(
        states: RunState, runs: RunInputs, epoch: Int[Array, ""], splits: Splits
    ) -> tuple[RunState, EpochMetrics]:
        each = functools.partial(_each, layout)

        def row(row: tuple[RunState, RunInputs]) -> tuple[RunState, EpochMetrics]:
            # All runs of a row have one data order.
            keys = run_keys(0, row[1].data_seed[0])
            order = epoch_order(jax.random.fold_in(keys.order, epoch), splits.train.y.shape[0], batch_size)
            return each(lambda run: run_epoch(structure, run[0], run[1].hyper, keys.dropout, order, splits), row)

        return each(row, (states, runs))

    return _compile(layout, train_epoch_of_all, inputs=(True, True, False, False), donate=0)


@functools.cache
def test_program(structure: Structure, layout: Layout) -> Callable[..., TestMetrics]:
    """Compiled (states [U, K], runs [U, K], examples, scale) → TestMetrics [U, K]."""

    def test_all(states: RunState, runs: RunInputs, examples: Examples, scale: Array) -> TestMetrics:
        each = functools.partial(_each, layout)
        return each(
            lambda row: each(lambda run: test(structure, run[0], run[1].hyper, examples, scale), row),
            (states, runs),
        )

    return _compile(layout, test_all, inputs=(True, True, False, False))


def _each(layout: Layout, function: Callable[[Any], Any], tree: Any) -> Any:
    """The function of each entry along the leading axis, together or one after another."""
    return jax.vmap(function)(tree) if layout.together else jax.lax.map(function, tree)


def _compile(
    layout: Layout, function: Callable[..., Any], inputs: tuple[bool, ...], donate: int | None = None
) -> Callable[..., Any]:
    """The function on every device's part of the grid; ``inputs`` says which arguments lie on the grid."""
    placed = jax.shard_map(
        function,
        mesh=layout.mesh,
        in_specs=tuple(ROWS if on_grid else PartitionSpec() for on_grid in inputs),
        out_specs=ROWS,
        check_vma=False,
    )
    return jax.jit(placed, donate_argnums=() if donate is None else donate)
