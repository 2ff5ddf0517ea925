"""The order in which an epoch visits the examples, by key, cut into batches."""

import jax
import jax.numpy as jnp
import numpy as np
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
    padding = steps * batch_size - examples
    order = permutation(key, examples)
    return jnp.pad(order, (0, padding), constant_values=examples).reshape(steps, batch_size)


def permutation(key: Key, size: int) -> Int[Array, " N"]:
    """A random permutation of 0 … N−1: the order of random bits, drawn for each number.

    `jax.random.permutation` sorts pairs of bits and number. Here the number stands in the low bits of a word of 32
    and random bits in the others, which sorts in a quarter of the time on a CPU; further rounds, each a stable
    sort, add bits until there are 2·⌈log₂ N⌉ − 1. Numbers that tie keep their order; of all N (N − 1) / 2 pairs,
    less than one is expected to.
    """
    low = max(size - 1, 1).bit_length()
    mask = np.uint32(2**low - 1)
    places = jnp.arange(size, dtype=jnp.uint32)
    order = places
    rounds = -(-(2 * low - 1) // (32 - low))
    for bits in jax.random.bits(key, (rounds, size), jnp.uint32):
        order = order[jnp.sort((bits & ~mask) | places) & mask]
    return order.astype(jnp.int32)
