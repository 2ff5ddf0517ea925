"""Matrix Jacobians as linear maps: applied to a direction, they give the change of the product."""

import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.derivations import matrices
from nnjax.gradcheck.autodiff import double_precision

SIZES = [(1, 1, 1), (4, 3, 2), (2, 2, 3)]


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize(("n", "d", "f"), SIZES)
def test_four_index_tensors_are_the_product_rule(n, d, f):
    with double_precision():
        X, W, dX, dW = draw(n, (n, d), (f, d), (n, d), (f, d))
        in_x, in_w = matrices.matmul_jacobian_x(X, W), matrices.matmul_jacobian_w(X, W)
        assert in_x.shape == (n, f, n, d)
        assert in_w.shape == (n, f, f, d)
        np.testing.assert_allclose(np.einsum("nfmd,md->nf", in_x, dX), dX @ W.T, atol=1e-13)
        np.testing.assert_allclose(np.einsum("nfgd,gd->nf", in_w, dW), X @ dW.T, atol=1e-13)


@pytest.mark.parametrize(("n", "d", "f"), SIZES)
def test_kronecker_products_act_on_the_strung_matrix(n, d, f):
    with double_precision():
        X, W, dX, dW = (np.asarray(a) for a in draw(d, (n, d), (f, d), (n, d), (f, d)))
        for order, in_x, in_w in (
            ("C", matrices.matmul_rows_x, matrices.matmul_rows_w),
            ("F", matrices.matmul_columns_x, matrices.matmul_columns_w),
        ):
            arrays = draw(d, (n, d), (f, d))
            np.testing.assert_allclose(in_x(*arrays) @ dX.ravel(order), (dX @ W.T).ravel(order), atol=1e-13)
            np.testing.assert_allclose(in_w(*arrays) @ dW.ravel(order), (X @ dW.T).ravel(order), atol=1e-13)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 3), (2, 3)])
def test_commutation_transposes(rows, columns):
    (A,) = draw(0, (rows, columns))
    K = np.asarray(matrices.commutation(rows, columns, A))
    np.testing.assert_array_equal(K @ A.ravel(), A.T.ravel())
    np.testing.assert_array_equal(K @ K.T, np.eye(rows * columns))


@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 3)])
def test_matrix_times_vector(n, d):
    with double_precision():
        X, w, dX, dw = draw(1, (n, d), (d,), (n, d), (d,))
        np.testing.assert_allclose(matrices.matvec_jacobian_w(X, w) @ dw, X @ dw, atol=1e-13)
        np.testing.assert_allclose(
            np.einsum("nmd,md->n", matrices.matvec_jacobian_x(X, w), dX), dX @ w, atol=1e-13
        )
