"""Activations against SciPy, their derivatives against the formulas in their docstrings."""

import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import reference
from nnjax.nn.activations import ACTIVATIONS

K = 1.7
INF, NAN = np.inf, np.nan

POINTS = np.concatenate([np.linspace(-40, 40, 801), [1e-300, -1e-300, 1e-8, -1e-8, 1e4, -1e4]])

VALUES = {
    "identity": lambda x: x,
    "sigmoid": scipy.special.expit,
    "scaled_sigmoid": lambda x: scipy.special.expit(K * x),
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
}

# As the docstrings say, in terms of the value f.
DERIVATIVES = {
    "identity": lambda x, f: np.ones_like(x),
    "sigmoid": lambda x, f: f * (1 - f),
    "scaled_sigmoid": lambda x, f: K * f * (1 - f),
    "tanh": lambda x, f: 1 - f**2,
    "relu": lambda x, f: np.where(x > 0, 1.0, 0.0),
    "leaky_relu": lambda x, f: np.where(x >= 0, 1.0, 0.01),
    "gelu": lambda x, f: scipy.stats.norm.cdf(x) + x * scipy.stats.norm.pdf(x),
}


def value_and_slope(name: str, x: Any, dtype: Any = np.float64, k: float = K) -> tuple[np.ndarray, np.ndarray]:
    """nnjax's activation and its derivative at the points x."""
    with jax.enable_x64(True):
        points, slope = jnp.asarray(x, dtype).reshape(-1), jnp.asarray(k, dtype)
        values, derivatives = jax.vmap(jax.value_and_grad(ACTIVATIONS[name]), in_axes=(0, None))(points, slope)
        assert values.dtype == derivatives.dtype == points.dtype
        return np.asarray(values), np.asarray(derivatives)


def test_every_activation_is_tested() -> None:
    assert list(ACTIVATIONS) == list(VALUES) == list(DERIVATIVES) == list(reference.ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_values_are_scipys(name: str, dtype: Any, digits: float) -> None:
    points = POINTS.astype(dtype).astype(np.float64)
    found, _ = value_and_slope(name, points, dtype)
    np.testing.assert_allclose(found, VALUES[name](points), rtol=20 * digits, atol=digits)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_derivatives_are_those_of_the_docstrings(name: str, dtype: Any, digits: float) -> None:
    points = POINTS.astype(dtype).astype(np.float64)
    _, found = value_and_slope(name, points, dtype)
    np.testing.assert_allclose(
        found, DERIVATIVES[name](points, VALUES[name](points)), rtol=20 * digits, atol=digits
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_references_derivatives_are_finite_differences(name: str) -> None:
    function, derivative = reference.ACTIVATIONS[name]
    points = np.linspace(-4, 4, 98)  # without 0, where two have a kink
    np.testing.assert_allclose(function(points, K), VALUES[name](points), rtol=1e-14, atol=1e-15)
    difference = (function(points + 1e-5, K) - function(points - 1e-5, K)) / 2e-5
    np.testing.assert_allclose(derivative(points, K), difference, atol=1e-9)


@pytest.mark.parametrize(("name", "derivative"), [("relu", 0.0), ("leaky_relu", 1.0)])
@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_derivative_at_a_kink_is_the_one_that_the_docstring_takes(
    name: str, derivative: float, zero: float, dtype: Any
) -> None:
    assert value_and_slope(name, [zero], dtype) == (0.0, derivative)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("identity", (-INF, INF)),
        ("sigmoid", (0, 1)),
        ("scaled_sigmoid", (0, 1)),
        ("tanh", (-1, 1)),
        ("relu", (0, INF)),
        ("leaky_relu", (-INF, INF)),
        ("gelu", (NAN, INF)),  # −∞ · Φ(−∞)
    ],
)
def test_infinite_inputs_have_the_values_that_the_docstrings_say(name: str, limits: tuple[float, float]) -> None:
    found, _ = value_and_slope(name, [-INF, INF])
    np.testing.assert_array_equal(found, limits)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_not_a_number_stays_so(name: str) -> None:
    found, _ = value_and_slope(name, [np.nan])
    assert np.isnan(found).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_only_the_scaled_sigmoid_looks_at_the_slope(name: str) -> None:
    with jax.enable_x64(True):
        x = jnp.asarray([-1.5, 0.0, 2.0])
        by_slope = jax.jacfwd(lambda k: ACTIVATIONS[name](x, k))(jnp.asarray(K))
    f = scipy.special.expit(K * np.asarray(x))
    expected = np.asarray(x) * f * (1 - f) if name == "scaled_sigmoid" else np.zeros(3)
    np.testing.assert_allclose(by_slope, expected, rtol=1e-14)


@hypothesis.given(k=st.floats(-50, 50), x=st.floats(-1e4, 1e4, allow_subnormal=False))
def test_a_scaled_sigmoid_is_the_sigmoid_of_the_scaled_input(k: float, x: float) -> None:
    (value,), (derivative,) = value_and_slope("scaled_sigmoid", [x], k=k)
    f = scipy.special.expit(k * x)
    assert value == pytest.approx(f, rel=1e-13, abs=1e-300)
    assert derivative == pytest.approx(k * f * scipy.special.expit(-k * x), rel=1e-12, abs=1e-15 * (1 + abs(k)))


def test_without_a_slope_the_scaled_sigmoid_is_the_sigmoid() -> None:
    x = jnp.linspace(-5, 5, 11)
    np.testing.assert_array_equal(ACTIVATIONS["scaled_sigmoid"](x, 1.0), ACTIVATIONS["sigmoid"](x, 1.0))
    assert float(ACTIVATIONS["scaled_sigmoid"](x, 0.0)[3]) == 0.5


def test_gelu_is_not_the_approximation_by_a_tanh() -> None:
    approximation = 0.5 * 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (2 + 0.044715 * 2**3)))
    (found,), _ = value_and_slope("gelu", [2.0])
    assert abs(found - approximation) > 1e-5
    assert found == pytest.approx(1 + scipy.special.erf(math.sqrt(2)), rel=1e-15)
