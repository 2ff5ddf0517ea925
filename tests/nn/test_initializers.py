"""How kernels start: moments and ranges against theory, within what chance allows; LSUV against its algorithm.

A mean of n draws is held to 5 of its standard errors, a distribution to a Kolmogorov–Smirnov test.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given

from any_init import inits
from nnjax.fields import parse_init
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.initializers import INITIALIZERS, initialize
from nnjax.nn.models import layer_outputs, layers, own_start, param_shapes
from nnjax.nn.networks import MLP

SHAPE = (150, 250)  # fan-in, fan-out
KEY = jax.random.key(5)
ORTHOGONAL, LSUV = INITIALIZERS["orthogonal"], INITIALIZERS["lsuv"]
XAVIER, HE, LECUN = 2 / (150 + 250), 2 / 150, 1 / 150

DISTRIBUTIONS = {
    "normal": ((0.3,), scipy.stats.norm(0, 0.3)),
    "uniform": ((-0.1, 0.5), scipy.stats.uniform(-0.1, 0.6)),
    "xavier_uniform": ((), scipy.stats.uniform(-math.sqrt(6 / 400), 2 * math.sqrt(6 / 400))),
    "xavier_normal": ((), scipy.stats.norm(0, math.sqrt(XAVIER))),
    "he_uniform": ((), scipy.stats.uniform(-math.sqrt(6 / 150), 2 * math.sqrt(6 / 150))),
    "he_normal": ((), scipy.stats.norm(0, math.sqrt(HE))),
    "lecun_uniform": ((), scipy.stats.uniform(-math.sqrt(3 / 150), 2 * math.sqrt(3 / 150))),
    "lecun_normal": ((), scipy.stats.norm(0, math.sqrt(LECUN))),
}


def start(model: MLP, kind: str, numbers: tuple[float, ...] = (), key: jax.Array = KEY, inputs: int = 4) -> Any:
    """A parameter tree in float32."""
    shapes, own = param_shapes(model, inputs), own_start(model, inputs)
    return initialize(
        key, INITIALIZERS[kind], jnp.asarray(numbers, jnp.float32), shapes, layers=layers(model, inputs), own=own
    )


@functools.cache
def draw(kind: str, numbers: tuple[float, ...] = (), shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """The kernel of a network's only layer."""
    return np.asarray(start(MLP((), shape[1]), kind, numbers, inputs=shape[0])["Dense_0"]["kernel"])


def test_every_kind_is_drawn_or_left_to_the_module() -> None:
    assert [kind for kind, entry in INITIALIZERS.items() if entry.draw is None] == ["module"]


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_kernels_have_the_mean_and_variance_of_their_distribution(kind: str) -> None:
    numbers, distribution = DISTRIBUTIONS[kind]
    kernel, variance = draw(kind, numbers).astype(np.float64), distribution.var()
    fourth = distribution.stats("k") + 3
    assert kernel.mean() == pytest.approx(distribution.mean(), abs=5 * math.sqrt(variance / kernel.size))
    assert kernel.var() == pytest.approx(variance, rel=5 * math.sqrt((fourth - 1) / kernel.size))


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_kernels_have_the_shape_of_their_distribution(kind: str) -> None:
    numbers, distribution = DISTRIBUTIONS[kind]
    assert scipy.stats.kstest(draw(kind, numbers).ravel(), distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", [kind for kind in DISTRIBUTIONS if "uniform" in kind])
def test_uniform_kernels_fill_their_range_and_stay_in_it(kind: str) -> None:
    """The largest of n draws falls short of the end by more than 20/n of the range once in e²⁰ times."""
    numbers, distribution = DISTRIBUTIONS[kind]
    low, high = distribution.support()
    kernel, slack = draw(kind, numbers), 20 / math.prod(SHAPE) * (high - low)
    rounding = 1e-6 * (high - low)
    assert low - rounding <= kernel.min() <= low + slack
    assert high - slack <= kernel.max() <= high + rounding


def test_zeros_and_constants_are_what_they_say() -> None:
    np.testing.assert_array_equal(draw("zeros"), np.zeros(SHAPE))
    np.testing.assert_array_equal(draw("constant", (-0.75,)), np.full(SHAPE, -0.75))


@pytest.mark.parametrize("kind", INITIALIZERS)
def test_biases_start_at_zero_and_kernels_have_the_shapes_asked_for(kind: str) -> None:
    model = MLP((5, 3), 2)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(20, 4)), jnp.float32)
    shapes = param_shapes(model, 4)
    numbers = jnp.asarray(INITIALIZERS[kind].numbers, jnp.float32)
    outputs = functools.partial(outputs_of, model, x)
    params = initialize(KEY, INITIALIZERS[kind], numbers, shapes, own=own_start(model, 4), outputs=outputs)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), dict(shapes)
    )
    for layer in params.values():
        np.testing.assert_array_equal(layer["bias"], np.zeros(layer["bias"].shape))


@pytest.mark.parametrize("shape", [(40, 40), (60, 25), (25, 60), (7, 1), (1, 7)])
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_kernels_are_orthogonal_times_the_gain(shape: tuple[int, int], gain: float) -> None:
    kernel = draw("orthogonal", (gain,), shape).astype(np.float64) / gain
    product = kernel @ kernel.T if shape[0] <= shape[1] else kernel.T @ kernel
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-5)


def test_orthogonal_kernels_are_drawn_uniformly() -> None:
    """An entry of an n × n one has mean 0 and variance 1/n; without its random signs a diagonal one has not."""
    n, draws = 4, 2000
    keys = jax.random.split(KEY, draws)
    kernels = np.asarray(jax.vmap(lambda key: ORTHOGONAL.draw(key, (n, n), jnp.ones(1)))(keys), np.float64)
    np.testing.assert_allclose(kernels.mean(0), 0, atol=5 / math.sqrt(n * draws))
    # The square is Beta(½, (n−1)/2).
    error = math.sqrt(scipy.stats.beta(0.5, (n - 1) / 2).var() / draws)
    np.testing.assert_allclose((kernels**2).mean(0), 1 / n, atol=5 * error)


@pytest.mark.parametrize(
    ("kind", "small", "large"),
    [("normal", (0.1,), (0.2,)), ("uniform", (-0.1, 0.1), (-0.2, 0.2)), ("orthogonal", (1.0,), (2.0,))],
)
def test_a_setting_with_twice_the_scale_starts_at_twice_the_same_draw(
    kind: str, small: tuple[float, ...], large: tuple[float, ...]
) -> None:
    np.testing.assert_allclose(draw(kind, large), 2 * draw(kind, small), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("family", ["normal", "uniform"])
def test_kinds_of_one_family_scale_the_same_draw(family: str) -> None:
    kinds = [f"{name}_{family}" for name in ("xavier", "he", "lecun")]
    unit = [draw(kind) / math.sqrt(variance) for kind, variance in zip(kinds, (XAVIER, HE, LECUN), strict=True)]
    np.testing.assert_allclose(unit[0], unit[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(unit[0], unit[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in INITIALIZERS if kind not in ("zeros", "constant", "lsuv")])
def test_layers_and_keys_have_draws_of_their_own_and_a_key_always_the_same(kind: str) -> None:
    model, numbers = MLP((4, 4), 4), INITIALIZERS[kind].numbers
    first, again = (start(model, kind, numbers) for _ in range(2))
    other = start(model, kind, numbers, jax.random.key(6))
    kernels = [np.asarray(layer["kernel"]) for layer in (*first.values(), *other.values())]
    assert len(kernels) == 6
    for i, kernel in enumerate(kernels):
        assert not any(np.allclose(kernel, earlier) for earlier in kernels[:i])
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_draws_do_not_depend_on_jit_or_vmap() -> None:
    shapes, numbers = param_shapes(MLP((5,), 3), 4), jnp.asarray([0.1])
    keys = jax.random.split(KEY, 3)

    def one(key: jax.Array) -> Any:
        return initialize(key, INITIALIZERS["normal"], numbers, shapes)

    together = jax.jit(jax.vmap(one))(keys)
    for place, key in enumerate(keys):
        jax.tree.map(
            lambda a, b, place=place: np.testing.assert_allclose(a[place], b, rtol=1e-6), together, one(key)
        )


@pytest.mark.parametrize("kind", ["normal", "xavier_uniform", "orthogonal"])
def test_kernels_are_drawn_in_the_dtype_asked_for(kind: str) -> None:
    with jax.enable_x64(True):
        shapes = param_shapes(MLP((5,), 3), 4, jnp.float64)
        params = initialize(KEY, INITIALIZERS[kind], jnp.asarray(INITIALIZERS[kind].numbers), shapes)
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float64)}


# LSUV.


def outputs_of(model: MLP, x: jax.Array, params: Any) -> Mapping[str, jax.Array]:
    return layer_outputs(model, params, x)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_lsuv_gives_every_layer_outputs_of_unit_variance(activation: str, residual: bool) -> None:
    model = MLP((8, 8, 5), 3, ACTIVATIONS[activation], residual)
    x = jnp.asarray(np.random.default_rng(1).gamma(2, 3, (200, 6)), jnp.float32)
    outputs = functools.partial(outputs_of, model, x)
    tolerance = 0.01
    params = initialize(KEY, LSUV, jnp.asarray([tolerance, 10.0]), param_shapes(model, 6), outputs=outputs)
    for name, values in outputs(params).items():
        assert abs(float(jnp.var(values)) - 1) < tolerance, name
    before = initialize(KEY, ORTHOGONAL, jnp.asarray([1.0]), param_shapes(model, 6))
    for name in params:
        ratio = np.asarray(params[name]["kernel"]) / np.asarray(before[name]["kernel"])
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4, err_msg="more than scaled")


def test_lsuv_scales_from_the_input_on() -> None:
    """Each layer is scaled when those before it have been: the loop over layers leaves nothing to do."""
    model = MLP((8, 8), 3, ACTIVATIONS["tanh"])
    x = jnp.asarray(np.random.default_rng(1).normal(size=(100, 6)), jnp.float32)
    outputs = functools.partial(outputs_of, model, x)
    params = initialize(KEY, LSUV, jnp.asarray([1e-4, 10.0]), param_shapes(model, 6), outputs=outputs)
    expected = dict(initialize(KEY, ORTHOGONAL, jnp.asarray([1.0]), param_shapes(model, 6)))
    for name in ("Dense_0", "Dense_1", "Dense_2"):
        deviation = jnp.sqrt(jnp.var(outputs(expected)[name]))
        expected[name] = {**expected[name], "kernel": expected[name]["kernel"] / deviation}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), dict(params), expected)


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_lsuv_stops_at_its_cap(iterations: int) -> None:
    """Outputs of a square root: a step takes the variance v to √v, and so v₀ to v₀^(1/2^n) after n steps."""
    run = root_lsuv(tolerance=1e-9, iterations=iterations)
    assert run["after"] == pytest.approx(run["before"] ** (0.5**iterations), rel=1e-9)


@pytest.mark.parametrize("tolerance", [0.5, 0.05, 0.001])
def test_lsuv_stops_as_soon_as_it_is_within_its_tolerance(tolerance: float) -> None:
    run = root_lsuv(tolerance=tolerance, iterations=50)
    variance = run["before"]
    while abs(variance - 1) >= tolerance:
        variance = math.sqrt(variance)
    assert run["after"] == pytest.approx(variance, rel=1e-9)


def root_lsuv(tolerance: float, iterations: int) -> dict[str, float]:
    """The variance of the signed square root of a layer's outputs, before and after lsuv."""
    with jax.enable_x64(True):
        x = 1000 * jnp.asarray(np.random.default_rng(2).normal(size=(64, 6)))

        def outputs(params: Any) -> dict[str, jax.Array]:
            h = x @ params["Dense_0"]["kernel"]
            return {"Dense_0": jnp.sign(h) * jnp.sqrt(jnp.abs(h))}

        shapes = param_shapes(MLP((), 3), 6, jnp.float64)
        orthogonal = initialize(KEY, ORTHOGONAL, jnp.asarray([1.0]), shapes)
        params = initialize(KEY, LSUV, jnp.asarray([tolerance, float(iterations)]), shapes, outputs=outputs)
        return {
            "before": float(jnp.var(outputs(orthogonal)["Dense_0"])),
            "after": float(jnp.var(outputs(params)["Dense_0"])),
        }


def test_lsuv_leaves_a_layer_whose_outputs_do_not_vary() -> None:
    model, x = MLP((5,), 3, ACTIVATIONS["tanh"]), jnp.zeros((10, 4))
    outputs = functools.partial(outputs_of, model, x)
    params = initialize(KEY, LSUV, jnp.asarray([0.01, 10.0]), param_shapes(model, 4), outputs=outputs)
    orthogonal = initialize(KEY, ORTHOGONAL, jnp.asarray([1.0]), param_shapes(model, 4))
    jax.tree.map(np.testing.assert_array_equal, params, orthogonal)


def test_lsuv_asks_for_the_outputs_that_it_scales() -> None:
    with pytest.raises(ValueError, match="lsuv sees data"):
        initialize(KEY, LSUV, jnp.asarray([0.01, 10.0]), param_shapes(MLP((5,), 3), 4))


# Names.


@given(inits())
def test_an_initialisation_comes_back_from_its_name(init: tuple[str, tuple[float, ...]]) -> None:
    kind, numbers = init
    filled = numbers + INITIALIZERS[kind].numbers[len(numbers) :]
    assert parse_init(f"{kind}({', '.join(map(repr, numbers))})") == (kind, filled)
    assert parse_init(f" {kind} ( {' , '.join(map(repr, numbers))} ) ") == (kind, filled)
    assert parse_init(kind) == (kind, INITIALIZERS[kind].numbers)
