"""What a shared program reads in an epoch: parts of batches, and the examples on which it evaluates."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, UInt32

from nnjax.data.order import num_batches, permuted
from nnjax.engine.compilation import QUICK, Program
from nnjax.engine.driver import Metrics
from nnjax.training.epoch import norm_spacing
from nnjax.training.metrics import Named
from nnjax.training.shared import ADDS, MEASURES, UPDATES, Reading
from nnjax.training.start import run_keys

ORDERS_AT_ONCE = 2**17
"""Numbers of the orders that are computed together, of one epoch or several."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Which places of an epoch's parts hold which examples, for all epochs and seeds."""

    source: Int[np.ndarray, "T M"]  # the place in the order, then in what is evaluated, then that of none
    share: Float[np.ndarray, " T"]
    does: UInt32[np.ndarray, " T"]
    parts: int
    measured: int  # steps that are measured
    trained: Int[np.ndarray, " N"]  # where those that train stand among all T · M, in the order
    evaluated: Int[np.ndarray, " V"]


@functools.lru_cache(maxsize=256)
def layout(rows: int, most: int, batch_size: int, trained: int, evaluated: int) -> Layout:
    """The layout of an epoch.

    Args:
        rows: M.
        most: T.
        batch_size: of the examples that train.
        trained: how many these are, N; 0 to evaluate alone.
        evaluated: how many are evaluated after that, V.
    """
    steps = num_batches(trained, batch_size)
    source = np.full((most, rows), trained + evaluated)
    share, does = np.zeros(most, np.float32), np.zeros(most, np.uint32)
    spacing = norm_spacing(steps) if steps else 1
    part = 0
    for step in range(steps):
        places = np.arange(step * batch_size, min((step + 1) * batch_size, trained))
        for piece in range(num_batches(len(places), rows)):
            of_part = places[piece * rows : (piece + 1) * rows]
            source[part, : len(of_part)] = of_part
            share[part] = 1 / len(places)
            does[part] = ADDS
            part += 1
        does[part - 1] |= UPDATES | (MEASURES if step % spacing == 0 else 0)
    for piece in range(num_batches(evaluated, rows)):
        of_part = np.arange(piece * rows, min((piece + 1) * rows, evaluated))
        source[part, : len(of_part)] = trained + of_part
        part += 1
    holds = source.ravel()
    by_source = np.argsort(holds, kind="stable")
    return Layout(
        source,
        share,
        does,
        part,
        num_batches(steps, spacing),
        by_source[:trained],
        by_source[trained : trained + evaluated],
    )


@functools.lru_cache(maxsize=64)
def reading(layout: Layout, examples: int, data_seed: int | None, epoch: int, first: int, nowhere: int) -> Reading:
    """What an epoch reads.

    Args:
        layout: of its parts.
        examples: how many can train.
        data_seed: of the runs; None: the examples are read as they stand.
        epoch: counted from 0.
        first: where the examples begin that are evaluated, of all that there are.
        nowhere: how many there are, the number that holds none.
    """
    in_order = np.arange(examples, dtype=np.uint32)
    order = in_order if data_seed is None else order_of(examples, data_seed, epoch)
    order = order[: len(layout.trained)]
    evaluated = np.arange(first, first + len(layout.evaluated), dtype=np.uint32)
    of_source = np.concatenate([order, evaluated, [np.uint32(nowhere)]])
    return Reading(of_source[layout.source], layout.share, layout.does, np.uint32(layout.parts))


def shares(layout: Layout, weights: Float[np.ndarray, "T M"]) -> Float[np.ndarray, " T"]:
    """Of each part 1 / what the examples of its batch weigh together; where they weigh nothing, 1."""
    learns = layout.does > 0
    ends = layout.does & UPDATES > 0
    batch: np.ndarray = np.cumsum(ends) - ends  # the number of each part's batch
    total = np.bincount(batch[learns], weights.sum(1, dtype=np.float64)[learns], 1)
    share = np.zeros(len(batch), np.float32)
    share[learns] = 1 / np.where(total > 0, total, 1)[batch[learns]]
    return share


def means(
    values: dict[str, Any],
    places: Int[np.ndarray, " N"],
    metrics: Named = (),
    weights: Float[np.ndarray, "T M"] | None = None,
) -> Metrics:
    """The means over some of the examples of metrics [T, M, …]; weighted where there are weights, and finished.

    Args:
        values: metrics, or pairs of metrics and their weights.
        places: of the examples among all T · M.
        metrics: what was recorded.
        weights: of the examples, where they don't count alike.
    """
    found: dict[str, Any] = {}
    finishes = {name: metric.finish for name, metric in metrics}
    for name, of_all in values.items():
        value, *weight = [
            leaf.reshape(-1, *leaf.shape[2:])[places]
            for leaf in (of_all if isinstance(of_all, tuple) else (of_all,))
        ]
        if weights is not None:
            own = weights.ravel()[places].reshape(-1, *[1] * (value.ndim - 1))
            weight = [weight[0] * own if weight else np.broadcast_to(own, value.shape)]
        if weight:
            with np.errstate(invalid="ignore"):  # of a class without examples there is none
                total = np.where(weight[0] > 0, value * weight[0], 0).sum(0, dtype=np.float64)
                mean = total / weight[0].sum(0, dtype=np.float64)
        else:
            mean = value.mean(0, dtype=np.float64)
        finish = finishes.get(name)
        found[name] = np.float32(mean if finish is None else finish(mean))
    return found


def order_of(examples: int, data_seed: int, epoch: int) -> UInt32[np.ndarray, " N"]:
    """The order in which an epoch sees N examples, from the device on which nothing trains."""
    together = max(1, ORDERS_AT_ONCE // examples)
    return _orders(examples, data_seed, epoch // together * together, together)[epoch % together]


@functools.lru_cache(maxsize=64)
def _orders(examples: int, data_seed: int, first: int, count: int) -> UInt32[np.ndarray, "E N"]:
    return np.asarray(_order_program(examples, count)(np.uint32(data_seed), np.int32(first)))


@functools.lru_cache(maxsize=16)
def _order_program(examples: int, count: int) -> Program:
    def orders(data_seed: Integer[Array, ""], first: Int[Array, ""]) -> UInt32[Array, "E N"]:
        key, places = run_keys(0, data_seed).order, jnp.arange(examples, dtype=jnp.uint32)

        def of_epoch(epoch: Int[Array, ""]) -> UInt32[Array, " N"]:
            return permuted(jax.random.fold_in(key, epoch), examples, places).astype(jnp.uint32)

        return jax.vmap(of_epoch)(first + jnp.arange(count, dtype=jnp.int32))

    return Program(orders, options=QUICK, of=("orders", examples, count))
