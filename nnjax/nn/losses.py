"""Losses and accuracy for one example; a batch is a `vmap` of them.

Each loss takes the C outputs of the network and the number of the true class.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def cross_entropy(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Cross-entropy after a softmax, from logits: −log softmax(z)_y = log Σ_j exp(z_j − z_y).

    In this form a logit of −∞ elsewhere adds nothing, and logits of ±1e4 stay finite. A label's logit of +∞
    gives NaN, as in SciPy's log_softmax.
    """
    at_label = jnp.sum(jnp.where(_is_label(logits, label), logits, 0))
    return jax.nn.logsumexp(logits) - at_label


def mse(outputs: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Mean squared error of the outputs against the one-hot label, (1/C) Σ_j (z_j − [j = y])²."""
    return jnp.mean(jnp.square(outputs - _one_hot(outputs, label)))


def mse_probabilities(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Mean squared error of the softmax probabilities against the one-hot label (Brier, 1950, over C).

    A logit of +∞ gives NaN, as in SciPy's softmax.
    """
    return jnp.mean(jnp.square(jax.nn.softmax(logits) - _one_hot(logits, label)))


def binary_cross_entropy(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Mean over C logistic outputs of −log σ(z_j) where j = y and −log(1 − σ(z_j)) elsewhere.

    Both are softplus of the logit with the sign that the label asks for: log(1 + exp(∓z_j)).
    """
    return jnp.mean(jax.nn.softplus(jnp.where(_is_label(logits, label), -logits, logits)))


def accuracy(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """1 where the largest output (the first of equal ones) is the label's, else 0."""
    return (jnp.argmax(logits).astype(label.dtype) == label).astype(logits.dtype)


def _is_label(logits: Float[Array, " C"], label: Int[Array, ""]) -> Bool[Array, " C"]:
    return jnp.arange(logits.shape[0], dtype=label.dtype) == label


def _one_hot(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, " C"]:
    return _is_label(logits, label).astype(logits.dtype)


Loss = Callable[[Float[Array, " C"], Int[Array, ""]], Float[Array, ""]]

LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
    "mse_probabilities": mse_probabilities,
    "binary_cross_entropy": binary_cross_entropy,
}
