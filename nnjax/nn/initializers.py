"""How kernels start: every kind of initialisation, from one key; other parameters start as their module says.

The numbers of a kind (σ, the gain, …) are arrays, and so is the key: one small compiled program draws for all
seeds and numbers of a sweep, and the training program never sees where its parameters came from.

One of a user's own is a function ``(key, shape, dtype) -> array``, as those of `jax.nn.initializers` are.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nnjax.nn.layers import is_kernel, layer_names, layer_of
from nnjax.parts import Part, tried
from nnjax.types import Key, Params
from nnjax.validation import UserError

Draw: TypeAlias = Callable[[Key, tuple[int, ...], Float[Array, " n"]], Float[Array, "*shape"]]
"""``(key, shape, numbers) -> kernel``."""

Outputs: TypeAlias = Callable[[Params], Mapping[str, Float[Array, "B *F"]]]
"""Parameters to each layer's outputs before the activation, on a batch that the caller holds fixed."""

Rescaling: TypeAlias = tuple[Params, Float[Array, ""], Float[Array, ""]]
"""Parameters, the variance of a layer's outputs, and how often the layer was rescaled."""

MOST_NUMBERS = 2
"""Numbers that a kind takes, at most."""


@dataclasses.dataclass(frozen=True)
class Initializer:
    """A kind of initialisation."""

    draw: Draw | None
    """None: the kernels too start as their module says."""
    numbers: tuple[float, ...] = ()
    """What it takes in brackets, by default."""
    wrong: Callable[[tuple[float, ...]], str] = lambda numbers: ""
    """What is wrong with numbers, in words; empty for nothing."""
    sees_data: bool = False
    """Whether each layer in turn is scaled on a batch, as `lsuv` does."""
    affine: "Callable[[tuple[int, ...], Any], Affine] | None" = None
    """Where a kernel is drawn number by number: its shape and the kind's numbers to how."""


def initialize(
    key: Key,
    kind: Initializer,
    numbers: Float[Array, " n"],
    shapes: Params,
    *,
    layers: Sequence[str] = (),
    own: Callable[[Key], Params] | None = None,
    outputs: Outputs | None = None,
) -> Params:
    """A parameter tree drawn with one key, split over the layers from the input to the output.

    Args:
        key: the run's key for its initial draw.
        kind: an entry of `INITIALIZERS`, or what `initializer_of` makes.
        numbers: what that kind takes, such as σ.
        shapes: the tree of shapes and dtypes, as `nnjax.nn.models.param_shapes` gives it.
        layers: in their order; else in that of their names.
        own: a key to how the module itself starts; without it, what is no kernel starts at zero.
        outputs: each layer's outputs on a batch; only lsuv needs it.

    Raises:
        UserError: for lsuv without ``outputs``, and for a draw by the module without ``own``.
    """
    if kind.sees_data and outputs is None:
        raise UserError("init lsuv sees data: it needs the layers' outputs on a batch")
    if kind.draw is None and own is None:
        raise UserError("init module starts as the module says: it needs the module's own parameters")
    layers = list(layers) or layer_names(shapes)
    keys = dict(zip(layers, jax.random.split(key, len(layers)), strict=True))
    counts: dict[str, int] = {}  # kernels so far of each layer
    base: Any = shapes if own is None else own(jax.random.fold_in(key, len(layers)))

    def start(path: tuple[Any, ...], shape: jax.ShapeDtypeStruct, leaf: Any) -> Array:
        if kind.draw is None or not is_kernel(path, shape):
            return jnp.zeros(shape.shape, shape.dtype) if own is None else leaf.astype(shape.dtype)
        layer = layer_of(path)
        count = counts[layer] = counts.get(layer, 0) + 1
        of_kernel = keys[layer] if count == 1 else jax.random.fold_in(keys[layer], count)
        return kind.draw(of_kernel, shape.shape, numbers.astype(shape.dtype))

    params = jax.tree_util.tree_map_with_path(start, shapes, base)
    if kind.sees_data and outputs is not None:
        with_kernels = [layer for layer in layers if layer in counts]
        return lsuv(params, with_kernels, outputs, tolerance=numbers[0], iterations=numbers[1])
    return params


class Affine(NamedTuple):
    """A kernel drawn number by number: offset + factor · what is drawn from a distribution without parameters."""

    base: str
    """normal, N(0, 1); uniform, U(0, 1); or symmetric, U(−1, 1)."""
    offset: Float[Array, ""] | float
    factor: Float[Array, ""] | float


BASES: dict[str, Callable[..., Array]] = {
    "normal": jax.random.normal,
    "uniform": jax.random.uniform,
    "symmetric": functools.partial(jax.random.uniform, minval=-1.0, maxval=1.0),
}
"""``(key, shape, dtype) -> numbers``."""


def drawn(affine: Callable[[tuple[int, ...], Any], Affine]) -> Draw:
    """The draw of a kind that goes number by number."""

    def draw(key: Key, shape: tuple[int, ...], numbers: Float[Array, " n"]) -> Float[Array, "*shape"]:
        base, offset, factor = affine(shape, numbers)
        return offset + factor * BASES[base](key, shape, numbers.dtype)

    return draw


def zeros(shape: tuple[int, ...], numbers: Any) -> Affine:
    """All weights 0."""
    return Affine("uniform", 0.0, 0.0)


def constant(shape: tuple[int, ...], numbers: Any) -> Affine:
    """All weights c."""
    return Affine("uniform", numbers[0], 0.0)


def normal(shape: tuple[int, ...], numbers: Any) -> Affine:
    """w ~ N(0, σ²)."""
    return Affine("normal", 0.0, numbers[0])


def uniform(shape: tuple[int, ...], numbers: Any) -> Affine:
    """w ~ U(a, b)."""
    return Affine("uniform", numbers[0], numbers[1] - numbers[0])


def orthogonal(key: Key, shape: tuple[int, ...], numbers: Float[Array, " n"]) -> Float[Array, "*shape"]:
    """A uniformly drawn matrix with orthonormal rows or columns, whichever are fewer, times the gain.

    Of a filter, all dimensions but the last are the rows. Saxe, McClelland and Ganguli (2014).
    """
    return numbers[0] * jax.nn.initializers.orthogonal()(key, shape, numbers.dtype)


def _scaled(variance: Callable[[int, int], float], base: str) -> Callable[[tuple[int, ...], Any], Affine]:
    """Weights of mean 0 and the variance that suits a layer's fan-in and fan-out, normal or uniform.

    Of a filter [height, width, inputs, outputs], the fans are inputs and outputs times height times width.
    """

    def affine(shape: tuple[int, ...], numbers: Any) -> Affine:
        field = math.prod(shape[:-2])
        deviation = math.sqrt(variance(field * shape[-2], field * shape[-1]))
        return Affine(base, 0.0, math.sqrt(3) * deviation if base == "symmetric" else deviation)

    return affine


def _xavier(fan_in: int, fan_out: int) -> float:
    return 2 / (fan_in + fan_out)  # Glorot and Bengio (2010)


def _he(fan_in: int, fan_out: int) -> float:
    return 2 / fan_in  # He et al. (2015)


def _lecun(fan_in: int, fan_out: int) -> float:
    return 1 / fan_in  # LeCun et al. (1998)


def _not_negative(numbers: tuple[float, ...]) -> str:
    return "a standard deviation must be at least 0" if numbers[0] < 0 else ""


def _ordered(numbers: tuple[float, ...]) -> str:
    return "the lower end must not be above the upper one" if numbers[0] > numbers[1] else ""


def _at_all(numbers: tuple[float, ...]) -> str:
    wrong = numbers[0] <= 0 or numbers[1] < 1
    return "lsuv takes a tolerance above 0 and at least 1 iteration" if wrong else ""


def _by_number(
    affine: Callable[[tuple[int, ...], Any], Affine],
    numbers: tuple[float, ...] = (),
    wrong: Callable[[tuple[float, ...]], str] = lambda numbers: "",
) -> Initializer:
    return Initializer(drawn(affine), numbers, wrong, affine=affine)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": _by_number(zeros),
    "constant": _by_number(constant, (1.0,)),
    "normal": _by_number(normal, (0.001,), _not_negative),
    "uniform": _by_number(uniform, (-0.1, 0.1), _ordered),
    "xavier_uniform": _by_number(_scaled(_xavier, "symmetric")),
    "xavier_normal": _by_number(_scaled(_xavier, "normal")),
    "he_uniform": _by_number(_scaled(_he, "symmetric")),
    "he_normal": _by_number(_scaled(_he, "normal")),
    "lecun_uniform": _by_number(_scaled(_lecun, "symmetric")),
    "lecun_normal": _by_number(_scaled(_lecun, "normal")),
    "orthogonal": Initializer(orthogonal, (1.0,)),
    "lsuv": Initializer(
        lambda key, shape, numbers: orthogonal(key, shape, jnp.ones(1, numbers.dtype)),
        (0.01, 10.0),
        _at_all,
        sees_data=True,
    ),
    "module": Initializer(None),
}


@functools.cache
def initializer_of(part: str | Part) -> Initializer:
    """The entry of a kind, or of a part of the user's own.

    Raises:
        UserError: where it isn't a function (key, shape, dtype) to an array of that shape and dtype.
    """
    if isinstance(part, str):
        return INITIALIZERS[part]
    must = "a function (key, shape, dtype) that gives an array of that shape and dtype, drawn with jax.random"
    shape = (5, 3)

    def attempt() -> Any:
        return jax.eval_shape(lambda key: part.function(key, shape, jnp.float32), jax.random.key(0))

    drawn = tried("init", part, attempt, must)
    if getattr(drawn, "shape", None) != shape or drawn.dtype != jnp.float32:
        what = f"{drawn.dtype}{list(drawn.shape)}" if hasattr(drawn, "dtype") else f"a {type(drawn).__name__}"
        raise UserError(
            f"the init {part} doesn't fit: for float32{list(shape)} it draws {what}; it must be {must}"
        )
    return Initializer(lambda key, shape, numbers: part.function(key, shape, numbers.dtype))


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

            def divided(path: tuple[Any, ...], leaf: Array) -> Array:
                return leaf / jnp.sqrt(now) if layer_of(path) == name and is_kernel(path, leaf) else leaf

            params = jax.tree_util.tree_map_with_path(divided, params)
            return params, variance(params), count + 1

        def off_unit(carry: Rescaling) -> Bool[Array, ""]:
            _, now, count = carry
            return (jnp.abs(now - 1) >= tolerance) & (count < iterations) & (now > 0)

        start = (params, variance(params), jnp.zeros((), iterations.dtype))
        params, _, _ = jax.lax.while_loop(off_unit, rescale, start)
    return params
