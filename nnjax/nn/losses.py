"""Losses and accuracy for one example; a batch is a `vmap` of them.

Each loss takes the C outputs of the network and the target, and so does one of a user's own: the number of the
true class, of a regression the C real targets (standardised), of several labels at once C numbers 0 or 1.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from nnjax.parts import Part, tried
from nnjax.tasks import CLASSIFICATION, TASKS, check_fits
from nnjax.validation import UserError

Target: TypeAlias = Int[Array, ""] | Num[Array, " C"]
"""The number of a class, or C real targets, or C labels that are 0 or 1."""


def cross_entropy(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Cross-entropy after a softmax, from logits: −log softmax(z)_y = log Σ_j exp(z_j − z_y).

    In this form a logit of −∞ elsewhere adds nothing, and logits of ±1e4 stay finite. A label's logit of +∞
    gives NaN, as in SciPy's log_softmax.
    """
    at_label = jnp.sum(jnp.where(_is_label(logits, label), logits, 0))
    return jax.nn.logsumexp(logits) - at_label


def mse(outputs: Float[Array, " C"], target: Target) -> Float[Array, ""]:
    """Mean squared error of the outputs, (1/C) Σ_j (z_j − y_j)²; of a class number y, y_j = [j = y]."""
    return jnp.mean(jnp.square(outputs - _wanted(outputs, target)))


def mae(outputs: Float[Array, " C"], target: Target) -> Float[Array, ""]:
    """Mean absolute error of the outputs, (1/C) Σ_j |z_j − y_j|; the derivative by one that is right is 0."""
    error = outputs - _wanted(outputs, target)
    return jnp.mean(error * jnp.sign(error))  # as the derivative of jnp.abs at 0 is 1


def huber(outputs: Float[Array, " C"], target: Target, delta: float = 1.0) -> Float[Array, ""]:
    """Mean over the outputs of ½ e² where |e| ≤ δ, and δ (|e| − ½ δ) elsewhere, e = z_j − y_j (Huber, 1964)."""
    size = jnp.abs(outputs - _wanted(outputs, target))
    # One product for both, in which no error is squared to infinity.
    near = jnp.minimum(size, jnp.asarray(delta, size.dtype))
    return jnp.mean(near * (size - 0.5 * near))


def mse_probabilities(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """Mean squared error of the softmax probabilities against the one-hot label (Brier, 1950, over C).

    A logit of +∞ gives NaN, as in SciPy's softmax.
    """
    return jnp.mean(jnp.square(jax.nn.softmax(logits) - _wanted(logits, label)))


def binary_cross_entropy(logits: Float[Array, " C"], label: Target) -> Float[Array, ""]:
    """Mean over C logistic outputs of −log σ(z_j) where j = y and −log(1 − σ(z_j)) elsewhere.

    Both are softplus of the logit with the sign that the label asks for: log(1 + exp(∓z_j)). Of several labels the
    first is of those where y_j = 1.
    """
    return jnp.mean(jax.nn.softplus(jnp.where(_is_label(logits, label), -logits, logits)))


def accuracy(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, ""]:
    """1 where the largest output (the first of equal ones) is the label's, else 0."""
    return (jnp.argmax(logits).astype(label.dtype) == label).astype(logits.dtype)


def _is_label(logits: Float[Array, " C"], label: Target) -> Bool[Array, " C"]:
    return label != 0 if label.ndim else jnp.arange(logits.shape[0], dtype=label.dtype) == label


def _wanted(outputs: Float[Array, " C"], target: Target) -> Float[Array, " C"]:
    """What the outputs should be: the targets themselves, or the one-hot vector of a class number."""
    return (target if target.ndim else _is_label(outputs, target)).astype(outputs.dtype)


OfExample: TypeAlias = Callable[..., Float[Array, ""]]
"""``(outputs, target) -> value`` of one example."""


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss and the unit that it is in."""

    function: OfExample
    units: str = "1"

    def __call__(self, outputs: Float[Array, " C"], target: Target) -> Float[Array, ""]:
        """The loss of one example."""
        return self.function(outputs, target)


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(cross_entropy, units="nat"),
    "mse": Loss(mse),
    "mae": Loss(mae),
    "huber": Loss(huber),
    "mse_probabilities": Loss(mse_probabilities),
    "binary_cross_entropy": Loss(binary_cross_entropy, units="nat"),
}


def loss_of(part: str | Part, classes: int, task: str = CLASSIFICATION, delta: float = 1.0) -> Loss:
    """The loss of a name, or of a part of the user's own, on C classes or other outputs; δ is huber's.

    Raises:
        UserError: where it is of another task, or isn't a function of one example's outputs and target that gives
            a number and that JAX can differentiate.
    """
    if not isinstance(part, str):
        return _checked(part, classes, task)
    tasks = tuple(name for name, one in TASKS.items() if part in one.losses)
    check_fits("loss", part, tasks or tuple(TASKS), task, TASKS[task].losses)
    return _huber(delta) if part == "huber" else LOSSES[part]


@functools.cache
def _huber(delta: float) -> Loss:
    """Made once, so that two structures with it are one."""
    return Loss(functools.partial(huber, delta=delta))


def an_example(classes: int, task: str) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """The shapes of the outputs and of the target of one example."""
    outputs = jax.ShapeDtypeStruct((classes,), jnp.float32)
    if task == CLASSIFICATION:
        return outputs, jax.ShapeDtypeStruct((), jnp.int32)
    return outputs, jax.ShapeDtypeStruct((classes,), jnp.float32 if task == "regression" else jnp.uint8)


@functools.cache
def _checked(part: Part, classes: int, task: str) -> Loss:
    logits, label = an_example(classes, task)
    must = "a function (logits, label) of one example that gives its loss, a number, written with jax.numpy"
    value = tried("loss", part, lambda: jax.eval_shape(part.function, logits, label), must)
    if getattr(value, "shape", None) != () or value.dtype != logits.dtype:
        what = f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else f"a {type(value).__name__}"
        raise UserError(
            f"the loss {part} doesn't fit: of {classes} float32 logits it makes {what}; it must be {must}"
        )
    tried("loss", part, lambda: jax.eval_shape(jax.grad(part.function), logits, label), must)
    return Loss(part.function)
