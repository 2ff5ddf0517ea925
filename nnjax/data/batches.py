"""The examples of a step: taken from where they lie, as they are stored, and normalised."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from nnjax.types import Examples

SHORT = 74
"""Inputs of an example up to which XLA copies its bytes one by one on a CPU, which takes four times as long."""


class Batch(NamedTuple):
    """The examples of one step, normalised."""

    x: Float[Array, "B D"]
    y: Int[Array, " B"]
    weight: Float[Array, " B"]  # 1, or 0 in the places of a partial batch that hold no example


class Splits(NamedTuple):
    """What an epoch reads; inputs stay as they are stored until a step divides them by the scale."""

    train: Examples
    valid: Examples
    scale: Float[Array, ""]


def take_batch(examples: Examples, index: Int[Array, " B"], scale: Float[Array, ""]) -> Batch:
    """The examples at the given places, divided by ``scale`` in its dtype; index N holds no example."""
    last = examples.y.shape[0] - 1
    inside = jnp.minimum(index, last)
    x, y = (part.at[inside].get(mode="promise_in_bounds") for part in examples)
    return Batch(divided(x, scale), y, (index <= last).astype(scale.dtype))


def divided(stored: Num[Array, "B D"], scale: Float[Array, ""]) -> Float[Array, "B D"]:
    """The inputs divided by the scale, as times its inverse, which takes a CPU less time.

    XLA gathers the examples of a batch as they are stored, and converts them for each product that reads them. Up
    to `SHORT` inputs that copy is slow, and a choice that changes no value, as NaN stays NaN either way, makes XLA
    gather and convert in one go.
    """
    x = stored.astype(scale.dtype)
    divided = x * (1 / scale)
    return jnp.where(x == x, divided, x) if x.shape[-1] <= SHORT else divided
