"""Activations as numbers, against SciPy and against the activations themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.curves import CURVES, curved, slope

Z = np.concatenate([np.linspace(-12, 12, 241), [-1e4, -1e-6, -0.0, 0.0, 1e-6, 1e4]]).astype(np.float32)

# XLA takes numbers that are barely normal for 0, where the derivative of a kink is another one.
Z_BUT_AT_EDGES = st.floats(-30, 30, width=32).map(lambda z: z if abs(z) > 1e-30 else 0.0)

PUBLISHED = {
    "identity": lambda z, k: (z, np.ones_like(z)),
    "sigmoid": lambda z, k: (scipy.special.expit(z), scipy.special.expit(z) * scipy.special.expit(-z)),
    "scaled_sigmoid": lambda z, k: (
        scipy.special.expit(k * z),
        k * scipy.special.expit(k * z) * scipy.special.expit(-k * z),
    ),
    "tanh": lambda z, k: (np.tanh(z), 1 - np.tanh(z) ** 2),
    "relu": lambda z, k: (np.maximum(z, 0), np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": lambda z, k: (np.where(z >= 0, z, 0.01 * z), np.where(z >= 0, 1.0, 0.01)),
}


def of(name, z, k=1.0):
    curve = CURVES[name](k)
    y = curved(curve, jnp.array(z)[None], jnp.full(len(z), curve.offset))
    return np.asarray(y)[0], np.asarray(slope(curve, y))[0]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("k", [0.5, 1.0, 7.0])
def test_value_and_slope(name, k):
    value, derivative = of(name, Z, k)
    expected, expected_slope = PUBLISHED[name](Z.astype(np.float64), k)
    np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-7)
    np.testing.assert_allclose(derivative, expected_slope, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", CURVES)
@given(Z_BUT_AT_EDGES, st.floats(0.125, 10, width=32))
def test_it_is_the_activation(name, z, k):
    value, derivative = of(name, np.float32([z]), k)
    expected, expected_slope = jax.value_and_grad(ACTIVATIONS[name])(jnp.float32(z), jnp.float32(k))
    np.testing.assert_allclose(value[0], expected, rtol=1e-5, atol=2e-7)
    np.testing.assert_allclose(derivative[0], expected_slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CURVES)
def test_padding_puts_out_nothing(name):
    y = curved(CURVES[name](3.0), jnp.zeros((2, 4)), jnp.zeros(4))
    np.testing.assert_array_equal(y, np.zeros((2, 4)))
