"""The matrix product and its derivatives."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.nn.matmul import FEW, product

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("outputs", [4, FEW + 1])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3)], ids=str)
def test_the_product_and_its_derivatives_are_those_of_the_plain_one(shape: tuple[int, ...], outputs: int) -> None:
    rng = np.random.default_rng(2)
    arrays = [rng.normal(size=shape), rng.normal(size=(3, outputs))]
    arguments, directions = ([jnp.asarray(rng.permutation(array)) for array in arrays] for _ in range(2))

    def objective(multiply: Any) -> Any:
        return lambda x, w: jnp.sum(jnp.tanh(multiply(x, w)) ** 2)

    def derivatives(multiply: Any) -> list[Any]:
        f = objective(multiply)
        both = (0, 1)

        @jax.jit  # operation by operation each would be compiled by itself
        def all_at(*arguments: Any) -> list[Any]:
            return [
                multiply(*arguments),
                jax.grad(f, both)(*arguments),
                jax.jvp(multiply, arguments, tuple(directions)),
                jax.vjp(multiply, *arguments)[1](multiply(*arguments)),
                jax.hessian(f, both)(*arguments),
                jax.vmap(jax.grad(f, 1), in_axes=(None, 0))(
                    arguments[0], jnp.stack([arguments[1], directions[1]])
                ),
            ]

        found: list[Any] = all_at(*arguments)
        return found

    pairs = zip(derivatives(product), derivatives(jnp.matmul), strict=True)
    for found, expected in pairs:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13), found, expected)


PLAIN, BY_ROWS = ("1", "0"), ("1", "1")
"""A B and A Bᵀ, as the axes over which XLA sums."""


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        # The product, its gradient by w, and that by x.
        (50, {"f32[60,50]": PLAIN, "f32[70,50]": PLAIN, "f32[60,70]": BY_ROWS}),
        (16, {"f32[16,60]": PLAIN, "f32[16,70]": PLAIN, "f32[60,70]": PLAIN}),
    ],
)
def test_on_a_cpu_products_read_transposed_copies(outputs: int, expected: dict[str, tuple[str, str]]) -> None:
    def objective(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.tanh(product(x, w)))

    w, x = jnp.ones((70, outputs), jnp.float32), jnp.ones((60, 70), jnp.float32)
    text = jax.jit(jax.grad(objective, (0, 1))).lower(w, x).compile().as_text()
    form = re.compile(r"= (\S+)\{1,0} dot\(.*lhs_contracting_dims=\{(\d)}, rhs_contracting_dims=\{(\d)}")
    assert {shape: axes for shape, *axes in form.findall(text)} == {k: list(v) for k, v in expected.items()}
