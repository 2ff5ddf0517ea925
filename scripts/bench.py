"""How fast many runs train, beside hand-written NumPy with one process a core, measured in turn.

    python scripts/bench.py --dir DIR       # the folder of MNIST's files; without it, noise of the same shape
    python scripts/bench.py --runs 8 --rounds 3 --json bench.json

The workload is the two-layer network 784-128-10 with plain SGD and weight decay at batch 64, one epoch a round.
Both sides train the same networks: same initial weights, same order of the examples, same number of steps; the
running losses of the last epoch are compared, so that nobody wins by doing less. nnjax also draws the order,
evaluates the validation set, keeps the best parameters and measures norms; NumPy is given the order and does none
of it. The rate is steps × runs per second.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnjax import Config, Dataset, load_data, placement, sweeps
from nnjax.data import Examples, epoch_order
from nnjax.train import Splits, run_keys

Weights = list[np.ndarray]


def main() -> None:
    """Measure, and print a table of rates and the ratio round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="the folder with MNIST's files")
    parser.add_argument("--runs", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()

    data = load_data("mnist", options.dir) if options.dir else noise()
    plan = sweeps.plan(Config(), data, seeds=options.runs)
    cores = len(placement.devices())
    nnjax = Sweep(plan.groups[0])
    numpy = Processes(plan.groups[0], nnjax.weights(), cores)
    steps = options.runs * -(-len(data.train.y) // plan.config.batch_size)

    rates: dict[str, list[float]] = {"nnjax": [], "NumPy, one process a core": []}
    losses: dict[str, np.ndarray] = {}
    sides: list[Sweep | Processes] = [nnjax, numpy]
    nnjax.epoch(0)  # compiles
    nnjax.restart()
    for number in range(options.rounds):
        for name, side in zip(rates, sides, strict=True):
            losses[name], seconds = side.epoch(number)
            rates[name].append(steps / seconds)
    numpy.close()

    print(f"{options.runs} runs of 784-128-10, batch 64, on {data.name}, {cores} cores, {options.rounds} rounds")
    for name, found in rates.items():
        print(f"{name:28}{statistics.median(found):10,.0f} run-steps/s  ({min(found):,.0f} to {max(found):,.0f})")
    ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
    print(f"{'ratio':28}{statistics.median(ratios):10.2f}              ({min(ratios):.2f} to {max(ratios):.2f})")
    ours, theirs = losses.values()
    apart = float(np.max(np.abs(ours - theirs) / theirs))
    print(f"running losses of the last epoch agree to {apart:.1e}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(
                {"cores": cores, "runs": options.runs, "rates": rates, "losses apart": apart}, file, indent=1
            )


class Sweep:
    """nnjax's side: the programs that a sweep runs, an epoch a call."""

    def __init__(self, group: sweeps.Group) -> None:
        self.grid = placement.arrange([run.data_seed for run in group.runs])
        layout, data = self.grid.layout, group.data
        scale: Any = np.float32(data.scale)
        self.splits = placement.put_everywhere(layout, Splits(data.train, data.valid, scale))
        self.inputs = placement.put_runs(self.grid, sweeps.run_inputs(group))
        self.start = placement.start_program(group.structure, group.init_kinds, layout)
        self.train = placement.epoch_program(group.structure, group.batch_size, layout)
        self.restart()

    def restart(self) -> None:
        """Go back to the initial weights."""
        self.state = jax.block_until_ready(self.start(self.inputs, self.splits))

    def weights(self) -> Any:
        """The parameters of all runs, [R, …]."""
        return placement.get_runs(self.grid, self.state.train.params)

    def epoch(self, number: int) -> tuple[np.ndarray, float]:
        """Train one epoch and give the running loss of each run, and the seconds it took."""
        started = time.perf_counter()
        self.state, metrics = self.train(self.state, self.inputs, np.int32(number), self.splits)
        losses: np.ndarray = placement.get_runs(self.grid, metrics.train_loss)
        return losses, time.perf_counter() - started


class Processes:
    """NumPy's side: one process a core, each with its share of the runs."""

    def __init__(self, group: sweeps.Group, params: Any, cores: int) -> None:
        os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        data, self.batch = group.data.train, group.batch_size
        self.seeds = [run.data_seed for run in group.runs]
        self.count = len(data.y)
        self.weights = [
            [params[layer][leaf][run] for layer in ("Dense_0", "Dense_1") for leaf in ("kernel", "bias")]
            for run in range(len(self.seeds))
        ]
        x = data.x.astype(np.float32) / np.float32(group.data.scale)
        self.pool = multiprocessing.get_context("spawn").Pool(cores, _keep, (x, data.y))
        self.pool.map(abs, range(cores), chunksize=1)

    def epoch(self, number: int) -> tuple[np.ndarray, float]:
        """Train one epoch and give the running loss of each run, and the seconds it took."""
        keys = [jax.random.fold_in(run_keys(0, seed).order, jnp.int32(number)) for seed in self.seeds]
        orders = [np.asarray(epoch_order(key, self.count, self.batch)) for key in keys]
        started = time.perf_counter()
        found = self.pool.map(_train, zip(self.weights, orders, strict=True), chunksize=1)
        seconds = time.perf_counter() - started
        self.weights = [weights for weights, _ in found]
        return np.array([loss for _, loss in found]), seconds

    def close(self) -> None:
        """End the processes."""
        self.pool.close()
        self.pool.join()


KEPT: list[np.ndarray] = []


def _keep(x: np.ndarray, y: np.ndarray) -> None:
    KEPT[:] = [x, y]


def _train(work: tuple[Weights, np.ndarray]) -> tuple[Weights, float]:
    """One epoch of one network by hand: sigmoid, softmax cross-entropy, SGD with weight decay on the kernels."""
    (w1, b1, w2, b2), order = work
    x_all, y_all = KEPT
    rate, decay = np.float32(0.1), np.float32(1e-3)
    total = 0.0
    for index in order:
        index = index[index < len(y_all)]
        x, y = x_all[index], y_all[index]
        hidden = 1 / (1 + np.exp(-(x @ w1 + b1)))
        logits = hidden @ w2 + b2
        logits -= logits.max(1, keepdims=True)
        weights = np.exp(logits)
        sums = weights.sum(1, keepdims=True)
        rows = np.arange(len(y))
        total += float(np.sum(np.log(sums[:, 0]) - logits[rows, y]))
        slope = weights / sums
        slope[rows, y] -= 1
        slope /= np.float32(len(y))
        back = (slope @ w2.T) * hidden * (1 - hidden)
        w2 -= rate * (hidden.T @ slope + decay * w2)
        b2 -= rate * slope.sum(0)
        w1 -= rate * (x.T @ back + decay * w1)
        b1 -= rate * back.sum(0)
    return [w1, b1, w2, b2], total / len(y_all)


def noise() -> Dataset:
    """Noise in the shape of MNIST."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Examples:
        x = rng.integers(0, 256, (count, 784), np.uint8)
        return Examples(x, rng.integers(0, 10, count).astype(np.int32))

    return Dataset("noise", split(48_000), split(12_000), split(10_000), classes=10, scale=255.0)


if __name__ == "__main__":
    main()
