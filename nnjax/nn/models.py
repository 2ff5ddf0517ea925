"""The networks, as Flax Linen modules with a pure `apply`: the only file that imports flax.

Sizes are attributes and fix the program; numbers (the activation's slope, the dropout rate) are arguments of
the call, so that a sweep over them doesn't compile again.
"""

from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.matmul import product
from nnjax.types import Dtype, Key, Params, Scalar

Network: TypeAlias = nn.Module


class SoftmaxRegression(nn.Module):
    """One dense layer without a bias: z = x W, or max(x W, 0) with ``relu_logits``."""

    classes: int
    relu_logits: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "*B D"], *, slope: Scalar = 1.0, dropout: Scalar | None = None
    ) -> Float[Array, "*B C"]:
        """The logits of inputs ``x``; slope and dropout have no place in this model."""
        logits = nn.Dense(self.classes, use_bias=False, dot_general=_dot_general)(x)
        return nn.relu(logits) if self.relu_logits else logits


class MLP(nn.Module):
    """A multi-layer perceptron: a_i = f(a_{i−1} W_i + b_i), logits z = a_{L−1} W_L + b_L.

    With ``residual``, a hidden layer between two of equal width adds its input: a_i = a_{i−1} + f(…).
    """

    hidden: tuple[int, ...]
    classes: int
    activation: str = "sigmoid"
    residual: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "*B D"], *, slope: Scalar = 1.0, dropout: Scalar | None = None
    ) -> Float[Array, "*B C"]:
        """The logits of inputs ``x``.

        With a ``dropout`` probability p, hidden features are zeroed with probability p and the others divided
        by 1 − p (Srivastava et al., 2014), from the random stream "dropout"; None, as in evaluation, leaves
        them all.
        """
        activate = ACTIVATIONS[self.activation]
        for layer, width in enumerate(self.hidden):
            features = activate(nn.Dense(width, dot_general=_dot_general)(x), slope)
            if dropout is not None:
                features = drop(self.make_rng("dropout"), features, dropout)
            skip = self.residual and layer > 0 and x.shape == features.shape
            x = x + features if skip else features
        return nn.Dense(self.classes, dot_general=_dot_general)(x)


def drop(key: Key, x: Float[Array, "*shape"], rate: Scalar) -> Float[Array, "*shape"]:
    """Each entry zeroed with probability p, else divided by 1 − p, so that the expectation stays.

    Flax's own Dropout branches on the rate in Python and can't take an array.
    """
    keep = 1 - jnp.asarray(rate, x.dtype)
    return jnp.where(jax.random.uniform(key, x.shape, x.dtype) < keep, x / keep, 0)


def _dot_general(x: Array, w: Array, *_: Any, **__: Any) -> Array:
    """What a Dense layer asks for: always the product over the last axis of x."""
    return product(x, w)


def param_shapes(model: Network, inputs: int, dtype: Dtype = jnp.float32) -> Params:
    """The shapes and dtypes of a model's parameter tree for D inputs, without drawing anything."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, inputs), jnp.float32)))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype), shapes["params"])


def layer_outputs(
    model: Network, params: Params, x: Float[Array, "B D"], slope: Scalar = 1.0
) -> dict[str, Float[Array, "B F"]]:
    """What each layer with weights puts out for a batch, before its activation."""
    _, captured = model.apply(
        {"params": params},
        x,
        slope=slope,
        capture_intermediates=lambda module, _: isinstance(module, nn.Dense),
        mutable=["intermediates"],
    )
    return {name: layer["__call__"][0] for name, layer in captured["intermediates"].items()}
