"""How kernels start: every kind of initialisation, from one key; biases start at zero.

The numbers of a kind (σ, the gain, …) are arrays, and so is the key: one small compiled program draws for all
seeds and numbers of a sweep, and the training program never sees where its parameters came from.
"""

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nnjax.types import Key, Params, layer_names
from nnjax.validation import UserError

Draw = Callable[[Key, tuple[int, int], Float[Array, " n"]], Float[Array, "D F"]]
Outputs = Callable[[Params], Mapping[str, Float[Array, "B F"]]]
"""Parameters to each layer's outputs before the activation, on a batch that the caller holds fixed."""

Rescaling = tuple[Params, Float[Array, ""], Float[Array, ""]]
"""Parameters, the variance of a layer's outputs, and how often the layer was rescaled."""


def initialize(
    key: Key, kind: str, numbers: Float[Array, " n"], shapes: Params, outputs: Outputs | None = None
) -> Params:
    """A parameter tree drawn with one key, split over the layers from the input to the output.

    Args:
        key: the run's key for its initial draw.
        kind: a name of `nnjax.config.INITS`.
        numbers: what that kind takes, such as σ; see `DRAWS` and `lsuv`.
        shapes: the tree of shapes and dtypes, as `nnjax.nn.models.param_shapes` gives it.
        outputs: each layer's outputs on a batch; only lsuv needs it.

    Raises:
        UserError: for lsuv without ``outputs``.
    """
    if kind == "lsuv" and outputs is None:
        raise UserError("init lsuv sees data: it needs the layers' outputs on a batch")
    names = layer_names(shapes)
    params = {}
    for name, layer_key in zip(names, jax.random.split(key, len(names)), strict=True):
        params[name] = {
            leaf: _kernel(layer_key, kind, numbers, shape)
            if leaf == "kernel"
            else jnp.zeros(shape.shape, shape.dtype)
            for leaf, shape in shapes[name].items()
        }
    if kind == "lsuv" and outputs is not None:
        return lsuv(params, names, outputs, tolerance=numbers[0], iterations=numbers[1])
    return params


def _kernel(key: Key, kind: str, numbers: Float[Array, " n"], shape: jax.ShapeDtypeStruct) -> Float[Array, "D F"]:
    return DRAWS[kind](key, shape.shape, numbers.astype(shape.dtype))


def zeros(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
    """All weights 0."""
    return jnp.zeros(shape, numbers.dtype)


def constant(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
    """All weights c."""
    return jnp.broadcast_to(numbers[0], shape)


def normal(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
    """w ~ N(0, σ²)."""
    return numbers[0] * jax.random.normal(key, shape, numbers.dtype)


def uniform(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
    """w ~ U(a, b)."""
    low, high = numbers
    return low + (high - low) * jax.random.uniform(key, shape, numbers.dtype)


def orthogonal(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
    """A uniformly drawn matrix with orthonormal rows or columns, whichever are fewer, times the gain.

    Saxe, McClelland and Ganguli (2014).
    """
    return numbers[0] * jax.nn.initializers.orthogonal()(key, shape, numbers.dtype)


def _scaled(variance: Callable[[int, int], float], uniform: bool) -> Draw:
    """Weights of mean 0 and the variance that suits a layer's fan-in and fan-out, normal or uniform."""

    def draw(key: Key, shape: tuple[int, int], numbers: Float[Array, " n"]) -> Float[Array, "D F"]:
        deviation = math.sqrt(variance(*shape))
        if uniform:
            limit = math.sqrt(3) * deviation
            return limit * jax.random.uniform(key, shape, numbers.dtype, -1.0, 1.0)
        return deviation * jax.random.normal(key, shape, numbers.dtype)

    return draw


def _xavier(fan_in: int, fan_out: int) -> float:
    return 2 / (fan_in + fan_out)  # Glorot and Bengio (2010)


def _he(fan_in: int, fan_out: int) -> float:
    return 2 / fan_in  # He et al. (2015)


def _lecun(fan_in: int, fan_out: int) -> float:
    return 1 / fan_in  # LeCun et al. (1998)


DRAWS: dict[str, Draw] = {
    "zeros": zeros,
    "constant": constant,
    "normal": normal,
    "uniform": uniform,
    "xavier_uniform": _scaled(_xavier, uniform=True),
    "xavier_normal": _scaled(_xavier, uniform=False),
    "he_uniform": _scaled(_he, uniform=True),
    "he_normal": _scaled(_he, uniform=False),
    "lecun_uniform": _scaled(_lecun, uniform=True),
    "lecun_normal": _scaled(_lecun, uniform=False),
    "orthogonal": orthogonal,
    "lsuv": lambda key, shape, numbers: orthogonal(key, shape, jnp.ones(1, numbers.dtype)),
}


def lsuv(
    params: Params,
    names: list[str],
    outputs: Outputs,
    *,
    tolerance: Float[Array, ""],
    iterations: Float[Array, ""],
) -> Params:
    """Layer-sequential unit-variance: each layer in turn divided by its outputs' standard deviation.

    From the input on, W ← W / √Var(outputs) until |Var − 1| < tolerance or the iterations are used up. The
    variance is over the batch and the features of the layer, before its activation (Mishkin and Matas, 2016,
    algorithm 1). A layer whose outputs don't vary is left as it is.
    """
    for name in names:

        def variance(params: Params, name: str = name) -> Float[Array, ""]:
            return jnp.var(outputs(params)[name])

        def rescale(carry: Rescaling, name: str = name) -> Rescaling:
            params, now, count = carry
            kernel = params[name]["kernel"] / jnp.sqrt(now)
            params = {**params, name: {**params[name], "kernel": kernel}}
            return params, variance(params), count + 1

        def off_unit(carry: Rescaling) -> Bool[Array, ""]:
            _, now, count = carry
            return (jnp.abs(now - 1) >= tolerance) & (count < iterations) & (now > 0)

        start = (params, variance(params), jnp.zeros((), iterations.dtype))
        params, _, _ = jax.lax.while_loop(off_unit, rescale, start)
    return params
