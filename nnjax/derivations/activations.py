"""Derivatives of the activations, each beside its derivation; the value taken at a kink is said.

``f_dx(x)`` is the elementwise derivative f′(x), of the shape of x: the Jacobian ∂f(x)_i/∂x_j is δ_ij f′(x_i).
All are functions ``(x, slope)``, as the activations are; only the scaled sigmoid looks at the slope.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from nnjax.types import Activation, Scalar


def identity_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = x: (x + h − x) / h = 1."""
    return jnp.ones_like(x)


def sigmoid_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of the logistic function σ(x) = 1 / (1 + e^(−x)): σ′(x) = σ(x) σ(−x).

    By the chain rule σ′ = e^(−x) / (1 + e^(−x))² = σ(x) · e^(−x) / (1 + e^(−x)), and the last factor is
    1 − σ(x) = 1 / (e^x + 1) = σ(−x). In the last form nothing cancels for large x.
    """
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def scaled_sigmoid_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = σ(k x) in x: k σ(k x) σ(−k x).

    The chain rule with inner function u = k x, du/dx = k, on σ′(u) = σ(u) σ(−u).
    """
    k = jnp.asarray(slope, x.dtype)
    return k * jax.nn.sigmoid(k * x) * jax.nn.sigmoid(-k * x)


def scaled_sigmoid_dk(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = σ(k x) in the slope k: x σ(k x) σ(−k x).

    The chain rule with inner function u = k x, du/dk = x. k is a scalar, so the Jacobian has the shape of x.
    """
    k = jnp.asarray(slope, x.dtype)
    return jnp.where(jnp.isinf(x), 0, x) * jax.nn.sigmoid(k * x) * jax.nn.sigmoid(-k * x)  # at ±∞ the limit, 0


def tanh_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of the hyperbolic tangent: (1 − tanh x)(1 + tanh x).

    With tanh = sinh / cosh, sinh′ = cosh and cosh′ = sinh, the quotient rule gives (cosh² − sinh²) / cosh² =
    1 − tanh².
    """
    t = jnp.tanh(x)
    return (1 - t) * (1 + t)


def relu_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = max(x, 0): 1 for x > 0, 0 for x < 0, and 0 at the kink x = 0.

    At 0 every value in [0, 1] is a subgradient; 0 is what nnjax trains with.
    """
    return jnp.where(x > 0, 1.0, 0.0).astype(x.dtype)


def leaky_relu_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = x for x ≥ 0, else 0.01 x: 1 for x > 0, 0.01 for x < 0, and 1 at the kink x = 0.

    At 0 every value in [0.01, 1] is a subgradient; 1 is what nnjax trains with.
    """
    return jnp.where(x >= 0, 1.0, 0.01).astype(x.dtype)


def gelu_dx(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The derivative of f(x) = x Φ(x), Φ the normal distribution function and φ its density: Φ(x) + x φ(x).

    The product rule with Φ′ = φ, φ(x) = e^(−x²/2) / √(2π) (Hendrycks and Gimpel, 2016).
    """
    density = jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return norm.cdf(x) + jnp.where(jnp.isinf(x), 0, x) * density  # at ±∞ the limit, 1 and 0


class Elementwise(NamedTuple):
    """An elementwise function and its derivative, both ``(x, slope) -> array`` of the shape of x."""

    value: Activation
    dx: Activation


def _without_slope(function: Callable[[Array], Array]) -> Activation:
    return lambda x, slope: function(x)


ELEMENTWISE: dict[str, Elementwise] = {
    "identity": Elementwise(_without_slope(lambda x: x), identity_dx),
    "sigmoid": Elementwise(_without_slope(jax.nn.sigmoid), sigmoid_dx),
    "scaled_sigmoid": Elementwise(lambda x, slope: jax.nn.sigmoid(slope * x), scaled_sigmoid_dx),
    "tanh": Elementwise(_without_slope(jnp.tanh), tanh_dx),
    "relu": Elementwise(_without_slope(jax.nn.relu), relu_dx),
    "leaky_relu": Elementwise(_without_slope(jax.nn.leaky_relu), leaky_relu_dx),
    "gelu": Elementwise(_without_slope(lambda x: x * norm.cdf(x)), gelu_dx),
}
