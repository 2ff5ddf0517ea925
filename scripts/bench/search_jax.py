"""The way to search that one writes in plain jax, as `search_ways` says."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from search_ways import DECAY, Losses, Problem


def by_jax(problem: Problem, folder: Path) -> Losses:
    """Plain `jax.jit`: for each setting one program of all its epochs, a scan of steps in a vmap of the seeds.

    Initial weights and orders come from NumPy, so that there is less to compile. Programs are kept in the folder,
    those that nnjax would keep.
    """
    jax.config.update("jax_compilation_cache_dir", str(folder / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    functions: dict[str, Callable[[Any], Any]] = {
        "identity": lambda x: x,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "relu": jax.nn.relu,
    }
    x, y = jnp.asarray(problem.inputs()), jnp.asarray(problem.y["train"])
    count = len(y)

    def trainer(activation: Callable[[Any], Any]) -> Any:
        def loss_of(weights: Any, rows: Any) -> Any:
            features = x[rows]  # rows beyond the last, which fill up an epoch's last batch, weigh nothing
            for w, b in weights[:-1]:
                features = activation(features @ w + b)
            logits = features @ weights[-1][0] + weights[-1][1]
            real = rows < count
            losses = jax.nn.logsumexp(logits, 1) - jnp.take_along_axis(logits, y[rows][:, None], 1)[:, 0]
            total = jnp.sum(jnp.where(real, losses, 0))
            return total / jnp.sum(real), total

        def train(weights: Any, orders: Any, rate: Any) -> Any:
            def step(weights: Any, rows: Any) -> Any:
                slopes, total = jax.grad(loss_of, has_aux=True)(weights, rows)
                new = [
                    (w - rate * (dw + DECAY * w), b - rate * db)
                    for (w, b), (dw, db) in zip(weights, slopes, strict=True)
                ]
                return new, total

            def epoch(weights: Any, order: Any) -> Any:
                weights, totals = jax.lax.scan(step, weights, order)
                return weights, jnp.sum(totals) / count

            return jax.lax.scan(epoch, weights, orders)[1][-1]

        return jax.jit(jax.vmap(train, in_axes=(0, 0, None)))

    found = []
    for setting in problem.settings:
        rngs = [np.random.default_rng(seed) for seed in range(problem.seeds)]
        starts = [_start(rng, problem.widths(setting)) for rng in rngs]
        weights = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
        orders = np.stack([_orders(rng, count, setting.batch, problem.epochs) for rng in rngs])
        found.append(trainer(functions[setting.activation])(weights, orders, setting.rate))
    return [float(np.mean(losses)) for losses in found]


def _start(rng: np.random.Generator, widths: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Xavier's uniform draw; biases are zero."""
    layers = []
    for before, after in itertools.pairwise(widths):
        bound = math.sqrt(6 / (before + after))
        layers.append(
            (rng.uniform(-bound, bound, (before, after)).astype(np.float32), np.zeros(after, np.float32))
        )
    return layers


def _orders(rng: np.random.Generator, count: int, batch: int, epochs: int) -> np.ndarray:
    """The examples of each step, [E, T, B]; the number of examples fills up the last batch."""
    steps = -(-count // batch)
    orders = np.full((epochs, steps * batch), count, np.int32)
    orders[:, :count] = rng.permuted(np.tile(np.arange(count, dtype=np.int32), (epochs, 1)), axis=1)
    return orders.reshape(epochs, steps, batch)
