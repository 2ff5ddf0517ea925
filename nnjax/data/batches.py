"""The examples of a step: taken from where they lie, as they are stored, and normalised."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from nnjax.sparse import Sparse
from nnjax.types import Examples, Weighted

SHORT = 74
"""Inputs of an example up to which XLA copies its bytes one by one on a CPU, which takes four times as long."""


Targets: TypeAlias = Int[Array, " B"] | Num[Array, "B C"]
"""The numbers of classes, or real targets, or labels that are 0 or 1."""


class Batch(NamedTuple):
    """The examples of one step, normalised."""

    x: Float[Array, "B D"] | Any  # or `Sparse`
    y: Targets
    weight: Float[Array, " B"]  # 1, or 0 in the places of a partial batch that hold no example
    importance: Float[Array, " B"] | None = (
        None  # the examples' own weights, likewise 0; None where all count alike
    )

    @property
    def total(self) -> Float[Array, ""]:
        """How many examples there are, or what they weigh together."""
        return jnp.sum(self.weight if self.importance is None else self.importance)


class Splits(NamedTuple):
    """What an epoch reads; inputs stay as they are stored until a step divides them by the scale."""

    train: Examples | Weighted
    valid: Examples | Weighted
    scale: Float[Array, ""]
    vectors: Float[Array | np.ndarray, "D F"] | None = None
    """With which the vectors of words start, NaN for those that are drawn; None for all."""


def take_batch(examples: Examples | Weighted, index: Int[Array, " B"], scale: Float[Array, ""]) -> Batch:
    """The examples at the given places, divided by ``scale`` in its dtype; index N holds no example."""
    last = examples.y.shape[0] - 1
    inside = jnp.minimum(index, last)
    taken = jax.tree.map(lambda part: part.at[inside].get(mode="promise_in_bounds"), examples)
    return batch_of(taken, (index <= last).astype(scale.dtype), scale)


def batch_of(examples: Examples | Weighted, there: Float[Array, " B"], scale: Float[Array, ""]) -> Batch:
    """Examples as they are stored as a batch, of those that are ``there``."""
    x, y, *weight = examples
    y = y.astype(scale.dtype) if jnp.issubdtype(y.dtype, jnp.floating) else y
    own = weight[0].astype(scale.dtype) * there if weight else None
    return Batch(divided(x, scale), y, there, own)


def divided(stored: Num[Array, "B D"] | Sparse, scale: Float[Array, ""]) -> Float[Array, "B D"] | Sparse:
    """The inputs divided by the scale, as times its inverse, which takes a CPU less time.

    XLA gathers the examples of a batch as they are stored, and converts them for each product that reads them. Up
    to `SHORT` inputs that copy is slow, and a choice that changes no value, as NaN stays NaN either way, makes XLA
    gather and convert in one go.
    """
    if isinstance(stored, Sparse):
        return stored.with_values(stored.values.astype(scale.dtype) * (1 / scale))
    x = stored.astype(scale.dtype)
    divided = x * (1 / scale)
    return jnp.where(x == x, divided, x) if x.shape[-1] <= SHORT else divided
