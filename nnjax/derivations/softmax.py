"""The softmax family: Jacobians, their products with a vector from either side, gradients and Hessian.

Throughout z are C logits and s = softmax(z), s_i = e^(z_i) / Σ_j e^(z_j). All derivatives here depend on z through
s alone, and s is computed so that it stays exact for logits of ±1e4 and has its limit at ±∞ where there is one:
none for two logits of +∞, nor when all of several are −∞, and there the answer is NaN.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def softmax(z: Float[Array, " C"]) -> Float[Array, " C"]:
    """s_i = e^(z_i − m) / Σ_j e^(z_j − m) with m = max z.

    The factor e^(−m) cancels in the fraction; with it no exponent is positive, so nothing overflows, and the sum
    is at least 1. The largest logit's own exponent is 0 even where z − m would be ∞ − ∞.
    """
    m = jnp.max(z)
    e = jnp.exp(jnp.where(z == m, 0, z - m))
    no_limit = jnp.isinf(m) & (jnp.sum(z == m) > 1)
    return jnp.where(no_limit, jnp.nan, e / jnp.sum(e))


def log_softmax(z: Float[Array, " C"]) -> Float[Array, " C"]:
    """log s_i = z_i − m − log Σ_j e^(z_j − m) with m = max z, which is finite where s_i underflows."""
    m = jnp.max(z)
    shifted = jnp.where(z == m, 0, z - m)
    no_limit = jnp.isinf(m) & (jnp.sum(z == m) > 1)
    return jnp.where(no_limit, jnp.nan, shifted - jnp.log(jnp.sum(jnp.exp(shifted))))


def softmax_jacobian(z: Float[Array, " C"]) -> Float[Array, "C C"]:
    """∂s_i/∂z_j = s_i (δ_ij − s_j), the symmetric matrix diag(s) − s sᵀ.

    With E = Σ_k e^(z_k), the quotient rule on s_i = e^(z_i) / E gives (δ_ij e^(z_i) E − e^(z_i) e^(z_j)) / E² =
    s_i δ_ij − s_i s_j. Rows and columns sum to 0: adding a constant to all logits changes nothing.
    """
    s = softmax(z)
    return jnp.diag(s) - jnp.outer(s, s)


def softmax_jvp(z: Float[Array, " C"], v: Float[Array, " C"]) -> Float[Array, " C"]:
    """The product J v = s ⊙ (v − sᵀv) without forming J = diag(s) − s sᵀ: C operations instead of C².

    (diag(s) − s sᵀ) v = s ⊙ v − s (sᵀv). It is v less its mean under s, weighted by s.
    """
    s = softmax(z)
    return s * (v - jnp.dot(s, v))


def softmax_vjp(z: Float[Array, " C"], v: Float[Array, " C"]) -> Float[Array, " C"]:
    """The product vᵀJ = s ⊙ (v − sᵀv) without forming J.

    vᵀ(diag(s) − s sᵀ) = v ⊙ s − (vᵀs) s, the same as J v because J is symmetric.
    """
    s = softmax(z)
    return v * s - jnp.dot(v, s) * s


def log_softmax_jacobian(z: Float[Array, " C"]) -> Float[Array, "C C"]:
    """∂ log s_i/∂z_j = δ_ij − s_j, the matrix I − 1 sᵀ, which is not symmetric.

    log s_i = z_i − log E with E = Σ_k e^(z_k): the first term gives δ_ij, the second −e^(z_j) / E = −s_j.
    """
    s = softmax(z)
    return jnp.eye(z.shape[0], dtype=z.dtype) - s[None, :]


def log_softmax_jvp(z: Float[Array, " C"], v: Float[Array, " C"]) -> Float[Array, " C"]:
    """The product (I − 1 sᵀ) v = v − sᵀv without forming the matrix."""
    return v - jnp.dot(softmax(z), v)


def log_softmax_vjp(z: Float[Array, " C"], v: Float[Array, " C"]) -> Float[Array, " C"]:
    """The product vᵀ(I − 1 sᵀ) = v − (Σ_i v_i) s without forming the matrix."""
    return v - jnp.sum(v) * softmax(z)


def logsumexp_gradient(z: Float[Array, " C"]) -> Float[Array, " C"]:
    """∂/∂z_j log Σ_k e^(z_k) = e^(z_j) / Σ_k e^(z_k) = s_j: the softmax is the gradient of log-sum-exp."""
    return softmax(z)


def logsumexp_hessian(z: Float[Array, " C"]) -> Float[Array, "C C"]:
    """∂²/∂z_i∂z_j log Σ_k e^(z_k) = s_i (δ_ij − s_j), the Jacobian of the gradient s.

    It is the covariance of a one-hot draw with probabilities s, so vᵀHv = Var_s(v) ≥ 0: log-sum-exp is convex.
    """
    s = softmax(z)
    return s[:, None] * (jnp.eye(z.shape[0], dtype=z.dtype) - s[None, :])


def logsumexp_hvp(z: Float[Array, " C"], v: Float[Array, " C"]) -> Float[Array, " C"]:
    """The product of the Hessian of log-sum-exp with a vector, s ⊙ v − s (sᵀv), without forming it."""
    s = softmax(z)
    return s * v - s * jnp.dot(s, v)


def cross_entropy_gradient(z: Float[Array, " C"], y: Float[Array, " C"]) -> Float[Array, " C"]:
    """The gradient in z of −Σ_i y_i log softmax(z)_i for a distribution y (Σ_i y_i = 1): s − y.

    By the Jacobian of log-softmax it is −Σ_i y_i (δ_ij − s_j) = −y_j + s_j Σ_i y_i, and the last sum is 1.
    """
    return softmax(z) - y


def cross_entropy_hessian(z: Float[Array, " C"], y: Float[Array, " C"]) -> Float[Array, "C C"]:
    """The Hessian in z of −Σ_i y_i log softmax(z)_i: diag(s) − s sᵀ for any distribution y."""
    return softmax_jacobian(z)


def label_cross_entropy_gradient(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient of −log softmax(z)_y in z for the true class y: s_j − [j = y], which is s − y, y one-hot."""
    return softmax(logits) - one_hot(logits, label)


def mse_probabilities_gradient(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, " C"]:
    """The gradient in z of (1/C) Σ_i (s_i − y_i)², y one-hot: (2/C) s ⊙ (e − sᵀe) with e = s − y.

    The outer derivative is (2/C) e; it goes through the softmax from the left, as in `softmax_vjp`.
    """
    s = softmax(logits)
    e = s - one_hot(logits, label)
    return 2 / e.shape[0] * s * (e - jnp.dot(s, e))


def one_hot(logits: Float[Array, " C"], label: Int[Array, ""]) -> Float[Array, " C"]:
    """y_j = [j = y], the label as a distribution over the classes, in the dtype of the logits."""
    return (jnp.arange(logits.shape[0], dtype=label.dtype) == label).astype(logits.dtype)
