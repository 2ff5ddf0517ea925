"""The losses of scikit-learn's perceptrons for one example, where they aren't nnjax's own.

scikit-learn sums over the outputs where nnjax takes means, so that learning rates and penalties mean the same.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from nnjax.training.metrics import Metric


def log_loss(logits: Float[Array, " C"], labels: Num[Array, " C"]) -> Float[Array, ""]:
    """The sum over logistic outputs of −log σ(z) where a label is there, and −log(1 − σ(z)) where it isn't."""
    return jnp.sum(jax.nn.softplus(jnp.where(labels != 0, -logits, logits)))


def squared_error(outputs: Float[Array, " C"], targets: Num[Array, " C"]) -> Float[Array, ""]:
    """½ Σ (z − y)², whose derivative by an output is its error."""
    return jnp.sum(jnp.square(outputs - targets.astype(outputs.dtype))) / 2


def all_right(logits: Float[Array, " C"], labels: Num[Array, " C"]) -> Float[Array, ""]:
    """1 where every label is said as it is, else 0: what scikit-learn's accuracy counts."""
    return jnp.all((logits > 0) == (labels != 0)).astype(logits.dtype)


subset_accuracy = Metric("share of examples all of whose labels are right", all_right, better="higher")
"""The accuracy of several labels at once, or of two classes as one label."""
