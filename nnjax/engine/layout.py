"""Where runs execute: which device, beside which others, and what is compiled for it.

The runs of a group are cut into chunks of U rows × K runs, and the chunks dealt out to the devices. One call of a
compiled program trains one chunk on its device, in one `vmap`. The runs of a row share one data order (settings of
one seed; an order may have several rows). An accelerator takes all its runs in one chunk. A CPU core takes as many
at a time as `nnjax.engine.cost` finds: a larger network is alone on its core, where its weights stay in the cache,
and its neighbours don't touch its answer, to the last bit. All chunks have one shape, and share one program.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.engine import devices
from nnjax.engine.cost import StepCost, runs_at_a_time, threads_a_run


class Grid(NamedTuple):
    """Runs 0 … R−1 on their places."""

    number: int  # of the devices; chunk i is trained on device i modulo their number
    threads: int  # of each device of a CPU
    runs: np.ndarray  # [chunks, U, K]: the run that stands here; some stand twice, to fill a chunk
    indices: np.ndarray  # [R]: where each run first stands, in the flat order

    def device(self, chunk: int) -> jax.Device:
        """The device on which a chunk is trained."""
        return self.devices()[chunk % self.number]

    def devices(self) -> tuple[jax.Device, ...]:
        """The devices, made when they are first asked for."""
        return devices.take(self.number, self.threads)


def arrange(data_seeds: Sequence[int], cost: StepCost, runs_per_call: int | None = None) -> Grid:
    """The grid for runs with these data seeds: the widest rows with which no device works longer than it must.

    Args:
        data_seeds: of the runs.
        cost: of a step of one run.
        runs_per_call: the runs that a device takes at a time; None takes all on an accelerator, and what
            `nnjax.engine.cost.runs_at_a_time` says on a CPU.
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
    threads = threads_a_run(cost, available // number)
    cut = [runs[i : i + width] for runs in orders.values() for i in range(0, len(runs), width)]

    of_a_row, of_all = (runs_per_call or len(data_seeds),) * 2
    if runs_per_call is None and devices.platform() == "cpu":
        of_a_row, of_all = (runs_at_a_time(cost, one_order) for one_order in (True, False))
    runs_of_row = _equal_parts(width, of_a_row)  # K
    rows_of_chunk = _equal_parts(-(-len(cut) // number), of_all // runs_of_row)  # U

    # Where a row is short, or the last chunk lacks a row, runs stand twice.
    height, length = (-(-size // part) * part for size, part in ((len(cut), rows_of_chunk), (width, runs_of_row)))
    runs = np.stack([np.resize(cut[row % len(cut)], length) for row in range(height)])
    parts = runs.reshape(-1, rows_of_chunk, length // runs_of_row, runs_of_row).swapaxes(1, 2)
    chunks = parts.reshape(-1, rows_of_chunk, runs_of_row)
    chunks = chunks[np.unique(_first_index(chunks) // chunks[0].size)]  # without those of which others hold all
    return Grid(number, threads, chunks, _first_index(chunks))


def _first_index(chunks: np.ndarray) -> np.ndarray:
    """The flat index of each run's first place."""
    return np.unique(chunks, return_index=True)[1]


def _equal_parts(count: int, most: int) -> int:
    """The size of equal parts, of at most so many each, that hold all."""
    return -(-count // -(-count // max(most, 1)))


def put_runs(grid: Grid, tree: Any) -> list[Any]:
    """Host arrays [R, …] as device arrays [U, K, …] of each chunk."""
    return [
        jax.device_put(jax.tree.map(lambda leaf, runs=runs: leaf[runs], tree), grid.device(chunk))
        for chunk, runs in enumerate(grid.runs)
    ]


def get_runs(grid: Grid, chunks: Sequence[Any]) -> Any:
    """Arrays [U, K, …] of each chunk as host arrays [R, …]."""

    def join(*leaves: np.ndarray) -> np.ndarray:
        leaf = np.stack(leaves)
        return leaf.reshape(-1, *leaf.shape[3:])[grid.indices]

    return jax.tree.map(join, *jax.device_get(chunks))


def put_data(grid: Grid, tree: Any) -> list[Any]:
    """For each chunk host arrays that are on its device, where its chunks have one copy in common.

    The cores of a CPU have one copy together, which its caches hold sooner than one each: between its clients jax
    doesn't copy.
    """
    first = jax.device_put(tree, grid.device(0))
    copies = {device: jax.device_put(first, device) for device in grid.devices()}
    return [copies[grid.device(chunk)] for chunk in range(len(grid.runs))]
