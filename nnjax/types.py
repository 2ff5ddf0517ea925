"""Aliases for arrays, keys and parameter trees, and the axis legend of every annotation.

Axis legend:

====  =======================  ====  ==========================
axis  counts                   axis  counts
====  =======================  ====  ==========================
N     examples of a split      L     layers with weights
B     examples of a batch      R     runs of a group
D     inputs                   S     seeds
F     hidden features          T     steps of an epoch
C     classes, or other        E     epochs
      outputs of a network
====  =======================  ====  ==========================
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Num, PRNGKeyArray, UInt8

from nnjax.sparse import Sparse

Key: TypeAlias = PRNGKeyArray
Params: TypeAlias = Mapping[str, Any]
"""A Flax parameter tree of any depth, ``{"Dense_0": {"kernel": [D, F], "bias": [F]}, …}``."""

Scalar: TypeAlias = Float[Array | np.ndarray, ""] | float
Seed: TypeAlias = Integer[Array, ""] | int
Dtype: TypeAlias = jax.typing.DTypeLike
Activation: TypeAlias = Callable[[Array, Scalar], Array]
"""``(x, slope) -> y``, elementwise; only some activations look at the slope."""


Inputs: TypeAlias = Float[Array | np.ndarray, "*B D"] | Sparse
"""Inputs of examples as a network reads them; sparse ones are [B, D]."""


class Examples(NamedTuple):
    """Labelled examples: inputs as they are stored (bytes where they are bytes) and what is to be learned."""

    x: UInt8[Any, "N D"] | Float[Any, "N D"] | Any  # or `Sparse`, whose rows are those of an array
    y: Int[Any, " N"] | Num[Any, " N"] | Num[Any, "N C"]
    """Numbers of classes; or real targets; or labels, each 0 or 1."""


class Weighted(NamedTuple):
    """Labelled examples of which some count more than others."""

    x: UInt8[Any, "N D"] | Float[Any, "N D"] | Any
    y: Int[Any, " N"] | Num[Any, " N"] | Num[Any, "N C"]
    weight: Float[Any, " N"]
