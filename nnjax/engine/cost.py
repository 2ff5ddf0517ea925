"""What a training step costs: operations, bytes, and how many runs a core should train at a time.

The counts are those of the matrix products and convolutions and of the arrays that a step can't do without; what
is elementwise on activations is small beside them.
"""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nnjax.nn.models import Network, call, param_shapes
from nnjax.nn.networks import MLP
from nnjax.sparse import Sparse
from nnjax.training.hyper import Hyperparameters
from nnjax.training.step import optimizer_at
from nnjax.training.structure import Structure
from nnjax.types import Params

FLOAT = 4
"""Bytes of a float32."""

CACHE = 4e6
"""Bytes that the runs which a core trains at a time may touch in a step: what a core has of the nearer caches."""

SMALL_STEP = 2e6
"""Operations under which a step of one run spends more time on starting some forty small kernels (about 10 µs)
than on arithmetic (at about 200 GFLOP/s a core)."""

LARGE_STEP = 1e8
"""Operations from which a step is faster on several threads: 1.2 to 2.4 times on four, and 0.8 times below."""


class StepCost(NamedTuple):
    """What one step of one run costs."""

    flops: int
    """Operations of the products, a multiplication and an addition counted as two."""
    traffic: int
    """Bytes moved where no weight stays in a cache: weights read by the forward pass, gradients written, both
    read by the update and weights written; the optimiser's moments read and written; the stored inputs read."""
    working_set: int
    """Bytes that the step touches: weights, gradients, moments and activations."""
    state: int
    """Bytes of a run between two epochs: weights, the best of them, and moments, in float32."""


def step_cost(
    structure: Structure, inputs: int, batch_size: int, input_bytes: int = FLOAT, places: int | None = None
) -> StepCost:
    """Count a step on B examples of D inputs, each stored in ``input_bytes``, from the network as JAX traces it.

    Of sparse inputs, ``places`` says how many an example has.

    The gradient by a product's weights takes as many operations as the product, and that by its inputs as many
    again, but for the first product, whose inputs aren't trained.
    """
    shapes = param_shapes(structure.network, inputs)
    forward = products(structure.network, inputs, batch_size, places)
    weights = sum(FLOAT * leaf.size for leaf in jax.tree.leaves(shapes))
    moments = _moments(structure, inputs)
    # The inputs and their transposed copy; of each product the result, its activation and the gradient. What a
    # narrow last layer copies is small beside them.
    read = places or inputs
    activations = FLOAT * (2 * batch_size * read + 4 * sum(product.outputs for product in forward))
    flops = [product.flops for product in forward] or [0]
    return StepCost(
        flops=3 * sum(flops) - flops[0],
        traffic=5 * weights + 2 * moments + batch_size * read * input_bytes,
        working_set=2 * weights + moments + activations,
        state=2 * weights + moments,
    )


class Product(NamedTuple):
    """A matrix product or convolution of the forward pass."""

    flops: int
    outputs: int
    """Numbers in its result."""


@functools.lru_cache(maxsize=1000)
def products(network: Network, inputs: int, batch_size: int, places: int | None = None) -> tuple[Product, ...]:
    """The products of B examples with D inputs, or with so many places of sparse ones."""
    if isinstance(network, MLP) and places is None:  # its trace would say the same, a tenth of a second later
        widths = itertools.pairwise((inputs, *network.hidden, network.classes))
        return tuple(Product(2 * batch_size * before * after, batch_size * after) for before, after in widths)
    return traced_products(network, inputs, batch_size, places)


def traced_products(
    network: Network, inputs: int, batch_size: int, places: int | None = None
) -> tuple[Product, ...]:
    """The products in the forward pass of any network, as JAX traces it; arguments are those of `products`."""
    x: Any = jax.ShapeDtypeStruct((batch_size, inputs), jnp.float32)
    if places is not None:
        where, values = (jax.ShapeDtypeStruct((batch_size, places), of) for of in (jnp.int32, jnp.float32))
        x = Sparse(where, values, inputs)
    traced = jax.make_jaxpr(functools.partial(call, network))(param_shapes(network, inputs), x)
    return tuple(_products(traced.jaxpr))


def _products(jaxpr: Any) -> Iterator[Product]:
    """The products of a program in their order; of branches, those of the longest."""
    for equation in jaxpr.eqns:
        inner = [value for parameter in equation.params.values() for value in _jaxprs(parameter)]
        if equation.primitive.name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            (out,) = equation.outvars
            length = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            yield Product(2 * length * out.aval.size, out.aval.size)
        elif equation.primitive.name == "conv_general_dilated":
            (out,), filters = equation.outvars, equation.invars[1].aval
            features = filters.shape[equation.params["dimension_numbers"].rhs_spec[0]]
            yield Product(2 * out.aval.size * filters.size // features, out.aval.size)
        elif equation.primitive.name == "cond":
            branches = [list(_products(branch)) for branch in inner]
            yield from max(branches, key=lambda found: sum(product.flops for product in found))
        elif equation.primitive.name == "scan":
            for body in inner:
                yield from list(_products(body)) * equation.params["length"]
        else:
            for body in inner[:1]:
                yield from _products(body)


def _jaxprs(parameter: Any) -> list[Any]:
    values = parameter if isinstance(parameter, tuple | list) else (parameter,)
    return [getattr(value, "jaxpr", value) for value in values if hasattr(getattr(value, "jaxpr", value), "eqns")]


@functools.lru_cache(maxsize=1000)
def _moments(structure: Structure, inputs: int) -> int:
    """Bytes of what the optimizer remembers of each weight."""
    params = param_shapes(structure.network, inputs)
    layers = jax.ShapeDtypeStruct((len(structure.layers),), jnp.float32)
    number = jax.ShapeDtypeStruct((), jnp.float32)
    numbers: list[Any] = [layers if name == "layer_rates" else number for name in Hyperparameters._fields]

    def init(hyper: Hyperparameters, params: Params) -> Any:
        return optimizer_at(structure, hyper, hyper.learning_rate).init(params)

    state = jax.eval_shape(init, Hyperparameters(*numbers), params)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state) if leaf.ndim)


def runs_at_a_time(cost: StepCost, one_order: bool) -> int:
    """How many runs a CPU core should train in one program, side by side, rather than one after another.

    Runs of one data order share the minibatch, and the first layer of all of them is one matrix product: as many
    as the cache holds, at least one. Runs with an order each share only the start of a kernel, which matters where
    a step is small, while products of many small matrices are slower than one: so one at a time elsewhere.
    """
    if not one_order and cost.flops > SMALL_STEP:
        return 1
    return max(1, int(CACHE // cost.working_set))


def threads_a_run(cost: StepCost, free: int) -> int:
    """How many threads should share a run's products on a CPU that has so many cores for it."""
    return free if cost.flops >= LARGE_STEP else 1
