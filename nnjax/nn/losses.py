"""Losses and accuracy for one example; a batch is a `vmap` of them.

Each loss takes the C outputs of the network and the number of the true class, and so does one of a user's own.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nnjax.parts import Part, tried
from nnjax.validation import UserError


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


OfExample: TypeAlias = Callable[[Float[Array, " C"], Int[Array, ""]], Float[Array, ""]]
"""``(logits, label) -> value`` of one example."""


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss and the unit that it is in."""

    function: OfExample
    units: str = "1"

    def __call__(self, logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
        """The loss of one example."""
        return self.function(logits, label)


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(cross_entropy, units="nat"),
    "mse": Loss(mse),
    "mse_probabilities": Loss(mse_probabilities),
    "binary_cross_entropy": Loss(binary_cross_entropy, units="nat"),
}


def loss_of(part: str | Part, classes: int) -> Loss:
    """The loss of a name, or of a part of the user's own, on C classes.

    Raises:
        UserError: where it isn't a function of one example's logits and label that gives a number and that JAX can
            differentiate.
    """
    return LOSSES[part] if isinstance(part, str) else _checked(part, classes)


@functools.cache
def _checked(part: Part, classes: int) -> Loss:
    logits, label = jax.ShapeDtypeStruct((classes,), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    must = "a function (logits, label) of one example that gives its loss, a number, written with jax.numpy"
    value = tried("loss", part, lambda: jax.eval_shape(part.function, logits, label), must)
    if getattr(value, "shape", None) != () or value.dtype != logits.dtype:
        what = f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else f"a {type(value).__name__}"
        raise UserError(
            f"the loss {part} doesn't fit: of {classes} float32 logits it makes {what}; it must be {must}"
        )
    tried("loss", part, lambda: jax.eval_shape(jax.grad(part.function), logits, label), must)
    return Loss(part.function)
