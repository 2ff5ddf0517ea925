"""Activations: elementwise functions of the pre-activations, each with its derivative in its docstring.

All have the signature ``(x, slope) -> y``. Only `scaled_sigmoid` looks at the slope, an array like any other
hyperparameter: settings with different slopes share one compiled program. One of a user's own is a function of x
alone, or of x and ``slope``, with a result of x's shape and dtype.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.parts import Part, takes, tried
from nnjax.types import Activation, Scalar
from nnjax.validation import UserError


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


def activation_of(part: str | Part) -> Activation:
    """The function of a name, or of a part of the user's own.

    Raises:
        UserError: where it isn't a function of arrays to arrays of one shape and dtype that JAX can trace.
    """
    if isinstance(part, str):
        return ACTIVATIONS[part]
    activate = _with_slope(part.function)
    x = jax.ShapeDtypeStruct((3, 4), jnp.float32)
    must = "a function of an array x that gives one of its shape and dtype, written with jax.numpy"
    y = tried("activation", part, lambda: jax.eval_shape(lambda x: activate(x, jnp.ones(())), x), must)
    if getattr(y, "shape", None) != x.shape or y.dtype != x.dtype:
        what = f"{y.dtype}{list(y.shape)}" if hasattr(y, "dtype") else f"a {type(y).__name__}"
        raise UserError(f"the activation {part} doesn't fit: of float32[3, 4] it makes {what}; it must be {must}")
    return activate


@functools.cache
def _with_slope(function: Callable[..., Any]) -> Activation:
    """The same function for the same function, so that its program isn't compiled again."""
    if "slope" in takes(function):

        def of_both(x: Array, slope: Scalar = 1.0) -> Array:
            return function(x, slope=slope)

        return of_both

    def of_x_alone(x: Array, slope: Scalar = 1.0) -> Array:
        return function(x)

    return of_x_alone
