"""Gradients of the losses in the network's outputs, and of the L2 term in the weights.

A batch has B examples with C outputs; its loss is the mean over the batch. t are targets of the outputs' shape.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.derivations.softmax import one_hot, softmax


def mse_gradient(outputs: Float[Array, "B C"], targets: Float[Array, "B C"]) -> Float[Array, "B C"]:
    """The gradient of (1/BC) Σ_nj (o_nj − t_nj)² in o: 2 (o − t) / (B C).

    Only the term with the same n and j moves with o_nj, and (u²)′ = 2 u.
    """
    batch, classes = outputs.shape
    return 2 * (outputs - targets) / (batch * classes)


def label_mse_gradient(outputs: Float[Array, " C"], target: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient of (1/C) Σ_j (o_j − [j = y])² for one example: 2 (o − y) / C, y one-hot."""
    return 2 * (outputs - one_hot(outputs, target)) / outputs.shape[0]


def label_mae_gradient(outputs: Float[Array, " C"], target: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient of (1/C) Σ_j |o_j − [j = y]| for one example: sign(o − y) / C, 0 of an output that is right."""
    return jnp.sign(outputs - one_hot(outputs, target)) / outputs.shape[0]


def label_huber_gradient(outputs: Float[Array, " C"], target: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient of Huber's loss with δ = 1 for one example: e = o − y, cut off at −1 and 1, over C.

    ½ e² has the derivative e, and |e| − ½ has sign(e): they meet where |e| is 1.
    """
    return jnp.clip(outputs - one_hot(outputs, target), -1, 1) / outputs.shape[0]


def binary_cross_entropy_gradient(p: Float[Array, "B C"], targets: Float[Array, "B C"]) -> Float[Array, "B C"]:
    """The gradient of −(1/BC) Σ (t log p + (1 − t) log(1 − p)) in probabilities p: (p − t) / (p (1 − p)) / (B C).

    One term gives −t/p + (1 − t)/(1 − p) = (−t (1 − p) + (1 − t) p) / (p (1 − p)), whose numerator is p − t.
    """
    batch, classes = p.shape
    return (p - targets) / (p * (1 - p)) / (batch * classes)


def logit_cross_entropy_gradient(z: Float[Array, "B C"], targets: Float[Array, "B C"]) -> Float[Array, "B C"]:
    """The gradient of binary cross-entropy after a sigmoid in the logits z: (σ(z) − t) / (B C).

    The chain rule through p = σ(z): (p − t) / (p (1 − p)) · p (1 − p). The denominator that vanishes for
    saturated outputs cancels, which is why the two are taken together.
    """
    batch, classes = z.shape
    return (jax.nn.sigmoid(z) - targets) / (batch * classes)


def label_binary_cross_entropy_gradient(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient of the mean over C logistic outputs for one example: (σ(z_j) − [j = y]) / C."""
    return (jax.nn.sigmoid(logits) - one_hot(logits, label)) / logits.shape[0]


def cross_entropy_gradient(p: Float[Array, "B C"], targets: Float[Array, "B C"]) -> Float[Array, "B C"]:
    """The gradient of −(1/B) Σ_nj t_nj log p_nj in the probabilities p: −t / p / B, since log′ p = 1/p."""
    return -targets / p / p.shape[0]


def softmax_cross_entropy_gradient(z: Float[Array, "B C"], targets: Float[Array, "B C"]) -> Float[Array, "B C"]:
    """The gradient of −(1/B) Σ_nj t_nj log softmax(z_n)_j in the logits, rows of t summing to 1: (s − t) / B.

    One example gives s − t (see `nnjax.derivations.softmax.cross_entropy_gradient`), the mean the factor 1/B.
    """
    return (jax.vmap(softmax)(z) - targets) / z.shape[0]


def l2_gradient(w: Float[Array, "D F"], decay: Float[Array, ""] | float) -> Float[Array, "D F"]:
    """The gradient of ½ λ Σ_df w_df² in w: λ w, the ½ and the exponent 2 cancelling."""
    return decay * w
