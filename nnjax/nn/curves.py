"""Activations as numbers: one formula for several, so that a program that trains them all has one kernel for them.

Below and above an edge the formula is a line through 0, or everywhere a hyperbolic tangent:

    f(z) = z for z > edge, else below · z        or        f(z) = offset + height · tanh(steepness · z).

The logistic function is 1 / (1 + exp(−k z)) = ½ + ½ tanh(k z / 2).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


class Curve(NamedTuple):
    """The numbers of an activation."""

    smooth: Bool[Any, ""] = np.bool_(False)  # whether it is the tangent
    edge: Float[Any, ""] = np.float32(0)
    below: Float[Any, ""] = np.float32(0)
    offset: Float[Any, ""] = np.float32(0)
    height: Float[Any, ""] = np.float32(0)
    steepness: Float[Any, ""] = np.float32(0)


def _tangent(offset: float, height: float, steepness: float) -> Curve:
    return Curve(np.bool_(True), *map(np.float32, (0, 0, offset, height, steepness)))


CURVES: dict[str, Callable[[float], Curve]] = {
    "identity": lambda slope: Curve(below=np.float32(1)),
    "sigmoid": lambda slope: _tangent(0.5, 0.5, 0.5),
    "scaled_sigmoid": lambda slope: _tangent(0.5, 0.5, slope / 2),
    "tanh": lambda slope: _tangent(0, 1, 1),
    "relu": lambda slope: Curve(),
    # At 0 the derivative is 1: the edge is the largest number below it.
    "leaky_relu": lambda slope: Curve(edge=-np.finfo(np.float32).tiny, below=np.float32(0.01)),
}
"""By the activation's name, of its slope."""


def curved(curve: Curve, z: Float[Array, "B F"], offset: Float[Array, " F"]) -> Float[Array, "B F"]:
    """An activation y = f(z).

    Args:
        curve: its numbers.
        z: of B examples and F units.
        offset: of each unit; where it is 0, as in the padding of a layer, f(0) is.
    """
    tangent = curve.height * jnp.tanh(curve.steepness * z)
    return jnp.where(curve.smooth, offset[None] + tangent, jnp.where(z > curve.edge, z, curve.below * z))


def slope(curve: Curve, y: Float[Array, "B F"]) -> Float[Array, "B F"]:
    """Its derivative, from y = f(z): with t = (y − offset) / height it is height · steepness · (1 − t²)."""
    height = jnp.where(curve.smooth, curve.height, 1)
    tangent = (y - curve.offset) * (1 / height)
    rise = curve.height * curve.steepness * (1 - tangent * tangent)
    return jnp.where(curve.smooth, rise, jnp.where(y > curve.edge, 1, curve.below))
