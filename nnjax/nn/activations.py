"""Activations: elementwise functions of the pre-activations, each with its derivative in its docstring.

All have the signature ``(x, slope) -> y``. Only `scaled_sigmoid` looks at the slope, an array like any other
hyperparameter: settings with different slopes share one compiled program.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.types import Activation, Scalar


def identity(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """f(x) = x; f′(x) = 1."""
    return x


def sigmoid(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The logistic function, f(x) = 1 / (1 + exp(−x)); f′ = f (1 − f)."""
    return jax.nn.sigmoid(x)


def scaled_sigmoid(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """f(x) = 1 / (1 + exp(−k x)) with slope k; f′ = k f (1 − f)."""
    return jax.nn.sigmoid(jnp.asarray(slope, x.dtype) * x)


def tanh(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """The hyperbolic tangent; f′ = 1 − f²."""
    return jnp.tanh(x)


def relu(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """f(x) = max(x, 0); f′(x) = 1 for x > 0, else 0 (the value taken at the kink)."""
    return jax.nn.relu(x)


def leaky_relu(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """f(x) = x for x ≥ 0, else 0.01 x (Maas, Hannun and Ng, 2013); f′(0) is taken as 1."""
    return jax.nn.leaky_relu(x, 0.01)


def gelu(x: Float[Array, "*shape"], slope: Scalar = 1.0) -> Float[Array, "*shape"]:
    """f(x) = x Φ(x), Φ the normal distribution function, not approximated (Hendrycks and Gimpel, 2016).

    f′(x) = Φ(x) + x φ(x), φ the normal density. At −∞ it is NaN, as in PyTorch.
    """
    return jax.nn.gelu(x, approximate=False)


ACTIVATIONS: dict[str, Activation] = {
    "identity": identity,
    "sigmoid": sigmoid,
    "scaled_sigmoid": scaled_sigmoid,
    "tanh": tanh,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "gelu": gelu,
}
