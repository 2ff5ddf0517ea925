"""The order in which an epoch visits the examples, by key, cut into batches."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from nnjax.types import Key


def num_batches(examples: int, batch_size: int) -> int:
    """Batches of an epoch, T = ⌈N / B⌉: the last one, if partial, is kept."""
    return -(-examples // batch_size)


def epoch_order(key: Key, examples: int, batch_size: int) -> Int[Array, "T B"]:
    """A random permutation of 0 … N−1 in rows of B.

    The last row is filled up with N, one past the end, which marks a place that holds no example.
    """
    steps = num_batches(examples, batch_size)
    order = jax.random.permutation(key, examples)
    padding = steps * batch_size - examples
    return jnp.pad(order, (0, padding), constant_values=examples).reshape(steps, batch_size)
