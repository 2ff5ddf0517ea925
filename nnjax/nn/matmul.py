"""The matrix product of a layer, so written that XLA makes fast code of it and of its gradient on every device."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.sparse import AT_A_TIME, Sparse

FEW = 16
"""Outputs up to which a CPU computes the transposed product: the float32 numbers of 512 bits."""


@jax.custom_jvp
def product(x: Float[Array, "*B D"], w: Float[Array, "D F"]) -> Float[Array, "*B F"]:
    """The matrix product x W, differentiable in both modes and to any order.

    XLA's products for a CPU are fast where both factors lie as A B reads them, A row by row, and where the rows of
    the result are long. So transposed copies are made first: for the gradient by W, xᵀ δ, one of x; where a layer
    has few outputs, as a network's last one has, those for (x W)ᵀ = Wᵀ xᵀ and for its gradients, after which the
    loss too is computed class by class, in full vector registers. Other devices compute x W as it is.
    """
    return _multiplied(x, w, _transposed if w.shape[1] <= FEW else jnp.matmul)


@product.defjvp
def _product_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, w), (dx, dw) = primals, tangents
    by_x, by_w = (_by_x_of_few, _by_w_of_few) if w.shape[1] <= FEW else (jnp.matmul, _by_w)
    return product(x, w), _multiplied(dx, w, by_x) + _multiplied(x, dw, by_w)


def sparse_product(x: Sparse, w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    """The product x W of sparse inputs: of each row the sum of those rows of W that it names, times its values.

    The gradient by W adds up in those rows alone. `AT_A_TIME` places of all rows are read at a time, since the
    rows of W that a batch of long texts names would take more room than W.
    """
    places, values = jnp.asarray(x.places), jnp.asarray(x.values)
    rows, longest = places.shape
    blocks = longest // AT_A_TIME
    if blocks <= 1:
        return _rows_added(places, values, w)

    def add(total: Float[Array, "B F"], block: tuple[Array, Array]) -> tuple[Float[Array, "B F"], None]:
        return total + _rows_added(*block, w), None

    def cut(part: Array) -> Array:
        return jnp.swapaxes(part[:, : blocks * AT_A_TIME].reshape(rows, blocks, AT_A_TIME), 0, 1)

    rest = _rows_added(places[:, blocks * AT_A_TIME :], values[:, blocks * AT_A_TIME :], w)
    return jax.lax.scan(add, rest, (cut(places), cut(values)))[0]


def _rows_added(places: Array, values: Array, w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    return jnp.einsum("bk,bkf->bf", values, w.at[places].get(mode="promise_in_bounds"))


def _multiplied(
    x: Float[Array, "*B D"], w: Float[Array, "D F"], on_cpu: Callable[[Array, Array], Array]
) -> Float[Array, "*B F"]:
    """x W, in a way of its own on a CPU."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    found = jax.lax.platform_dependent(rows, w, cpu=on_cpu, default=jnp.matmul)
    return found.reshape(*x.shape[:-1], w.shape[1])


def _transposed(x: Float[Array, "B D"], w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    return _kept(jnp.matmul(_kept(w.T), _kept(x.T))).T


# Each of these is a product x W whose transpose, the gradient by the factor that varies, is what XLA makes fast.


def _by_w(x: Float[Array, "B D"], w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    return _dot(_kept(x.T), w, axis=0)


def _by_x_of_few(x: Float[Array, "B D"], w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    return _kept(_dot(x, _kept(w.T), axis=1))


def _by_w_of_few(x: Float[Array, "B D"], w: Float[Array, "D F"]) -> Float[Array, "B F"]:
    return _kept(_dot(_kept(w.T), x, axis=1)).T


def _dot(a: Array, b: Array, axis: int) -> Array:
    """The product of two matrices over the same axis of both: aᵀ b or a bᵀ."""
    return jax.lax.dot_general(a, b, (((axis,), (axis,)), ((), ())))


def _kept(array: Array) -> Array:
    """The array itself, in memory as it stands: XLA doesn't move a transposition past it."""
    return jax.lax.optimization_barrier(array)
