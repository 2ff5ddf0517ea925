"""What a network computes, written down so that it predicts where its source is not.

A network of names alone is made again from its configuration. One with an activation or a module of the user's own
is kept as the program that JAX makes of it, in StableHLO, which runs no Python of anybody's when it is read.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nnjax.nn import activations, networks
from nnjax.nn.models import call, param_shapes
from nnjax.training.structure import Structure
from nnjax.types import Params

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""Where a program that was written down can run."""

BATCH = 256
"""Examples at a time, for a network that can't be traced for any number of them."""


@functools.lru_cache(maxsize=100)
def recorded_program(structure: Structure, inputs: int) -> bytes | None:
    """The program ``(params, x [B, D], slope) -> logits [B, C]`` as bytes.

    None for a network of nnjax's own, and for one that can't be written down.
    """
    network = structure.network
    own = isinstance(network, networks.MLP | networks.SoftmaxRegression)
    if own and getattr(network, "activation", activations.identity) in activations.ACTIVATIONS.values():
        return None

    def forward(params: Params, x: Any, slope: Any) -> Any:
        return call(network, params, x, slope=slope)

    shapes = param_shapes(network, inputs)
    slope = jax.ShapeDtypeStruct((), jnp.float32)
    (batch,) = jax.export.symbolic_shape("batch")
    for size, platforms in ((batch, PLATFORMS), (BATCH, PLATFORMS), (BATCH, None)):
        # What computes with the size of its batch, or calls Python, may raise anything: no training is lost to it.
        with contextlib.suppress(Exception):
            x = jax.ShapeDtypeStruct((size, inputs), jnp.float32)
            exported = jax.export.export(jax.jit(forward), platforms=platforms)(shapes, x, slope)
            return bytes(exported.serialize())
    return None


def read_program(program: bytes) -> Callable[[Params, Any, Any], Any]:
    """The function of a program that was written down; it takes any number of examples."""
    exported = jax.export.deserialize(bytearray(program))
    size = next(aval.shape[0] for aval in exported.in_avals[-2:-1])

    def forward(params: Params, x: Any, slope: Any) -> Any:
        if not isinstance(size, int):
            return exported.call(params, x, slope)
        count = len(x)
        padded = jnp.pad(x, ((0, -count % size), (0, 0)))
        parts = [exported.call(params, padded[i : i + size], slope) for i in range(0, len(padded), size)]
        return jnp.concatenate(parts)[:count]

    return forward
