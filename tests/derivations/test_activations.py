"""The derivatives of the activations against autodiff of the activations that nnjax trains with."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.derivations import activations as derived
from nnjax.gradcheck.autodiff import double_precision
from nnjax.nn import activations as engine

NAMES = sorted(engine.ACTIVATIONS)
AT_ZERO = {
    "identity": 1.0,
    "sigmoid": 0.25,
    "scaled_sigmoid": 0.375,
    "tanh": 1.0,
    "relu": 0.0,
    "leaky_relu": 1.0,
    "gelu": 0.5,
}


@functools.cache
def derivative(name):
    return jax.jit(derived.ELEMENTWISE[name].dx)


@functools.cache
def differentiated(name):
    return jax.jit(jax.vmap(jax.grad(engine.ACTIVATIONS[name]), (0, None)))


def autodiff(name, x, slope):
    return differentiated(name)(x, jnp.asarray(slope, x.dtype))


def test_every_activation_has_its_derivative():
    assert sorted(derived.ELEMENTWISE) == NAMES


@pytest.mark.parametrize("name", NAMES)
@given(x=st.lists(st.floats(-50, 50), min_size=1, max_size=1), slope=st.floats(0.1, 5))
def test_derivative_equals_autodiff(name, x, slope):
    with double_precision():
        x = jnp.asarray(x)
        got = derivative(name)(x, jnp.asarray(slope, x.dtype))
        np.testing.assert_allclose(got, autodiff(name, x, slope), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_engines(name):
    with double_precision():
        x = jnp.linspace(-9, 9, 37)
        expected = engine.ACTIVATIONS[name](x, 1.5)
        np.testing.assert_allclose(derived.ELEMENTWISE[name].value(x, 1.5), expected, rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_value_at_the_kink_is_what_is_said_and_what_autodiff_takes(name):
    with double_precision():
        for zero in (0.0, -0.0):
            x = jnp.array([zero])
            assert derivative(name)(x, 1.5)[0] == AT_ZERO[name]
            assert autodiff(name, x, 1.5)[0] == AT_ZERO[name]


@pytest.mark.parametrize("name", NAMES)
def test_far_out_it_is_finite_and_its_limit(name):
    with double_precision():
        far_out = derivative(name)(jnp.array([1e4, -1e4]), 1.5).tolist()
    linear = {"identity": [1, 1], "relu": [1, 0], "leaky_relu": [1, 0.01], "gelu": [1, 0]}
    assert far_out == linear.get(name, [0, 0])


def test_slope_derivative_equals_autodiff():
    with double_precision():
        x = jnp.linspace(-4, 4, 9)
        expected = jax.jacrev(lambda k: engine.scaled_sigmoid(x, k))(jnp.float64(0.7))
        np.testing.assert_allclose(derived.scaled_sigmoid_dk(x, 0.7), expected, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_dtype_stays(name):
    assert derivative(name)(jnp.ones(3, jnp.float32), 1.5).dtype == jnp.float32


@pytest.mark.parametrize(("name", "limits"), [("gelu", (0, 1)), ("sigmoid", (0, 0)), ("tanh", (0, 0))])
def test_derivatives_have_their_limits_at_infinity(name, limits):
    found = derived.ELEMENTWISE[name].dx(jnp.array([-jnp.inf, jnp.inf]), 1.0)
    np.testing.assert_array_equal(found, limits)
    np.testing.assert_array_equal(derived.scaled_sigmoid_dk(jnp.array([-jnp.inf, jnp.inf]), 2.0), 0)
