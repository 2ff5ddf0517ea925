"""Networks that read sparse inputs: what they compute and how they learn is what they do with dense ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from nnjax.nn.matmul import sparse_product
from nnjax.nn.models import call, layer_outputs, layers, own_start
from nnjax.nn.networks import DAN, MLP, SoftmaxRegression
from nnjax.sparse import Sparse


def matrix(rows: int, inputs: int, density: float = 0.3, seed: int = 0) -> scipy.sparse.csr_array:
    return scipy.sparse.random_array(
        (rows, inputs), density=density, rng=np.random.default_rng(seed), format="csr"
    )


@given(st.integers(1, 5), st.integers(1, 60), st.integers(1, 4), st.floats(0, 1), st.integers(0, 99))
def test_a_matrix_of_any_shape_is_the_same_sparse(rows, inputs, width, density, seed):
    given_ = matrix(rows, inputs, density, seed)
    x = Sparse.of(given_)
    assert x.shape == (rows, inputs)
    assert x.places.shape[1] % 16 == 0
    np.testing.assert_allclose(x.dense(), given_.toarray(), rtol=1e-6)
    w = np.random.default_rng(seed).normal(size=(inputs, width)).astype(np.float32)
    np.testing.assert_allclose(sparse_product(x, jnp.asarray(w)), given_ @ w.astype(float), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("places", [5, 16, 40])
def test_a_place_that_stands_twice_counts_twice(places):
    random = np.random.default_rng(0)
    where, values = random.integers(0, 7, (3, places)), random.normal(size=(3, places))
    x = Sparse(jnp.asarray(where, jnp.int32), jnp.asarray(values, jnp.float32), 7)
    w = random.normal(size=(7, 2))
    expected = np.array(
        [sum(v * w[p] for p, v in zip(*row, strict=True)) for row in zip(where, values, strict=True)]
    )
    np.testing.assert_allclose(sparse_product(x, jnp.asarray(w, jnp.float32)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [20, 90])
def test_gradients_are_those_of_a_dense_product(inputs):
    dense = matrix(6, inputs, 0.5)
    x, w = Sparse.of(dense), np.random.default_rng(1).normal(size=(inputs, 3))
    g = np.random.default_rng(2).normal(size=(6, 3))
    _, pull = jax.vjp(lambda w: sparse_product(x, w), jnp.asarray(w, jnp.float32))
    np.testing.assert_allclose(pull(jnp.asarray(g, jnp.float32))[0], dense.T @ g, rtol=1e-5, atol=1e-5)
    _, push = jax.jvp(lambda w: sparse_product(x, w), *[(jnp.asarray(w, jnp.float32),)] * 2)
    np.testing.assert_allclose(push, dense @ w, rtol=1e-5, atol=1e-5)


NETWORKS = {
    "softmax_regression": SoftmaxRegression(3),
    "mlp": MLP((5, 4), 3),
    "residual": MLP((5, 5), 3, residual=True),
    "dan": DAN((4,), 3, embedding=6),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_read_both(name):
    network, dense = NETWORKS[name], matrix(7, 50).toarray().astype(np.float32)
    params = own_start(network, 50)(jax.random.key(0))
    x = Sparse.of(scipy.sparse.csr_array(dense))

    def loss(params, x):
        return jnp.sum(jnp.sin(call(network, params, x)))

    np.testing.assert_allclose(call(network, params, x), call(network, params, dense), rtol=1e-5, atol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        jax.grad(loss)(params, x),
        jax.grad(loss)(params, jnp.asarray(dense)),
    )
    both = [layer_outputs(network, params, given) for given in (x, jnp.asarray(dense))]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *both)


def test_a_dan_averages_the_vectors_of_words():
    network = DAN((), 2, embedding=4)
    params = own_start(network, 5)(jax.random.key(0))
    assert layers(network, 5) == ("Average_0", "MLP_0/Dense_0")
    counts = np.array([[2, 0, 1, 0, 0], [0, 0, 0, 0, 0]], np.float32)
    vectors = np.asarray(params["Average_0"]["vectors"], float)
    mean = np.array([(2 * vectors[0] + vectors[2]) / 3, np.zeros(4)])  # no words: the mean is 0
    last = params["MLP_0"]["Dense_0"]
    expected = mean @ np.asarray(last["kernel"]) + np.asarray(last["bias"])
    np.testing.assert_allclose(call(network, params, counts), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_word_dropout_leaves_words_out_and_averages_the_others(form):
    network = DAN((), 1, embedding=1, word_dropout=0.25)
    # One vector is 1, the others 0, and the last layer is the identity: the output is the share of the one word.
    inputs = 40
    params = {
        "Average_0": {"vectors": jnp.zeros((inputs, 1)).at[0].set(1.0)},
        "MLP_0": {"Dense_0": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}},
    }
    dense = np.ones((2000, inputs), np.float32)
    x = Sparse.of(scipy.sparse.csr_array(dense)) if form == "sparse" else dense
    shares = np.asarray(call(network, params, x, key=jax.random.key(1)))[:, 0]
    assert abs(np.mean(shares == 0) - 0.25) < 0.03
    counted = 1 / shares[shares > 0]
    assert abs(counted.mean() - (1 + 39 * 0.75)) < 0.5
    assert np.ptp(counted) > 5
    np.testing.assert_allclose(call(network, params, x)[:, 0], 1 / inputs, rtol=1e-6)  # not in evaluation
    still = DAN((), 1, embedding=1, word_dropout=0.0)
    np.testing.assert_allclose(call(still, params, x, key=jax.random.key(1))[:, 0], 1 / inputs, rtol=1e-6)
