"""The softmax family against SciPy and autodiff, and at logits where naive formulas break."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from nnjax.derivations import softmax as soft
from nnjax.gradcheck.autodiff import double_precision

inf = np.inf
LIMITS = [
    ([1e4, 0, -1e4], [1, 0, 0]),
    ([-1e4, -1e4], [0.5, 0.5]),
    ([1e4, 1e4, 0], [0.5, 0.5, 0]),
    ([inf, 0, 1], [1, 0, 0]),
    ([-inf, 0, 0], [0, 0.5, 0.5]),
    ([-inf, inf, 3], [0, 1, 0]),
    ([inf], [1]),
    ([-inf], [1]),
]
logits = st.sampled_from((1, 2, 5)).flatmap(lambda n: st.lists(st.floats(-700, 700), min_size=n, max_size=n))


@given(logits)
def test_softmax_and_its_logarithm_equal_scipys(z):
    """Up to numbers below 1e-300, which XLA takes for 0."""
    with double_precision():
        z = jnp.asarray(z)
        np.testing.assert_allclose(soft.softmax(z), scipy.special.softmax(z), rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(soft.log_softmax(z), scipy.special.log_softmax(z), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("z", "s"), LIMITS)
def test_all_are_exact_at_huge_and_infinite_logits(z, s):
    with double_precision():
        z, s = jnp.asarray(z, jnp.float64), np.asarray(s, float)
        n = len(s)
        jacobian = np.diag(s) - np.outer(s, s)
        v = np.arange(1.0, n + 1)
        for got, expected in [
            (soft.softmax(z), s),
            (soft.logsumexp_gradient(z), s),
            (soft.softmax_jacobian(z), jacobian),
            (soft.logsumexp_hessian(z), jacobian),
            (soft.cross_entropy_hessian(z, jnp.asarray(s)), jacobian),
            (soft.log_softmax_jacobian(z), np.eye(n) - s[None, :]),
            (soft.cross_entropy_gradient(z, jnp.asarray(s)), 0 * s),
            (soft.softmax_jvp(z, jnp.asarray(v)), jacobian @ v),
            (soft.softmax_vjp(z, jnp.asarray(v)), v @ jacobian),
            (soft.logsumexp_hvp(z, jnp.asarray(v)), jacobian @ v),
            (soft.log_softmax_jvp(z, jnp.asarray(v)), v - s @ v),
            (soft.log_softmax_vjp(z, jnp.asarray(v)), v - v.sum() * s),
        ]:
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("z", "expected"), [([inf, 0], [0, -inf]), ([-inf, 0], [-inf, 0]), ([1e4, 0], [0, -1e4])])
def test_log_softmax_is_exact_at_huge_and_infinite_logits(z, expected):
    with double_precision():
        np.testing.assert_array_equal(soft.log_softmax(jnp.asarray(z, jnp.float64)), expected)


@pytest.mark.parametrize("z", [[inf, inf], [-inf, -inf], [inf, inf, 0], [np.nan, 0]])
def test_without_a_limit_all_is_nan(z):
    with double_precision():
        z = jnp.asarray(z, jnp.float64)
        assert np.all(np.isnan(soft.softmax(z)))
        assert np.all(np.isnan(soft.log_softmax(z)))
        assert np.all(np.isnan(soft.softmax_jacobian(z)))


@given(logits, st.integers(0, 2**32 - 1))
def test_products_never_need_the_matrix_but_equal_it(z, seed):
    with double_precision():
        z = jnp.asarray(z)
        v = jnp.asarray(np.random.default_rng(seed).normal(size=z.shape))
        jacobian = np.asarray(soft.softmax_jacobian(z))
        np.testing.assert_allclose(soft.softmax_jvp(z, v), jacobian @ v, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(soft.softmax_vjp(z, v), v @ jacobian, rtol=1e-12, atol=1e-15)
        log_jacobian = np.asarray(soft.log_softmax_jacobian(z))
        np.testing.assert_allclose(soft.log_softmax_jvp(z, v), log_jacobian @ v, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(soft.log_softmax_vjp(z, v), v @ log_jacobian, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "function", [soft.softmax_jvp, soft.softmax_vjp, soft.logsumexp_hvp, soft.log_softmax_jvp]
)
def test_products_form_no_matrix(function):
    jaxpr = jax.make_jaxpr(function)(jnp.ones(50), jnp.ones(50))
    assert max(var.aval.size for eqn in jaxpr.eqns for var in eqn.outvars) <= 50


@given(logits)
def test_rows_and_columns_of_the_jacobian_cancel(z):
    with double_precision():
        jacobian = np.asarray(soft.softmax_jacobian(jnp.asarray(z)))
    np.testing.assert_allclose(jacobian.sum(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(jacobian, jacobian.T, atol=0)
