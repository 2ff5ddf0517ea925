"""What a network is measured by beside its loss: of one example, and made of the means over many.

R² and F1 are no means over examples; of each example stands here what their means are made of.
"""

from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.nn.losses import Target

Mean: TypeAlias = Any
"""Means over examples, an array of jax, or of NumPy where the host takes them."""


def squared_errors(outputs: Float[Array, " C"], target: Target) -> Float[Array, " C"]:
    """(z − y)² of each target."""
    return jnp.square(outputs - target)


def root_of(means: Mean) -> Mean:
    """The square root of means."""
    return means.__array_namespace__().sqrt(means)


def absolute_errors(outputs: Float[Array, " C"], target: Target) -> Float[Array, " C"]:
    """|z − y| of each target."""
    return jnp.abs(outputs - target)


def moments(outputs: Float[Array, " C"], target: Target) -> Float[Array, "C 3"]:
    """(z − y)², y and y² of each target, of whose means `r2_of` makes R²."""
    return jnp.stack([jnp.square(outputs - target), target, jnp.square(target)], axis=1)


def r2_of(means: Mean) -> Mean:
    """Of means [C, 3], the mean over the targets of R² = 1 − Σ(z − y)² / Σ(y − ȳ)².

    R² of a target that never changes is 0, or 1 if all is right.
    """
    numpy = means.__array_namespace__()
    error, mean, square = means.T
    variance = square - mean**2
    changes = variance > 0
    constant = (error == 0).astype(error.dtype)  # as scikit-learn has it
    return numpy.mean(numpy.where(changes, 1 - error / numpy.where(changes, variance, 1), constant))


def hits(logits: Float[Array, " C"], target: Target) -> Float[Array, "C 2"]:
    """For each label whether it is there and was said to be, z > 0, and how many of the two say that it is."""
    said, there = (logits > 0).astype(logits.dtype), (target != 0).astype(logits.dtype)
    return jnp.stack([said * there, said + there], axis=1)


def label_f1_of(means: Mean) -> Mean:
    """Of means [C, 2], each label's F1 = 2 TP / (2 TP + FP + FN); 0 of what is neither there nor said."""
    both, together = means.T
    return 2 * both / means.__array_namespace__().where(together > 0, together, 1)


def f1_of(means: Mean) -> Mean:
    """Macro F1: the mean of the labels' F1."""
    return label_f1_of(means).mean()
