"""Gradients of the losses against autodiff of the engine's losses, and the batch's mean."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.derivations import losses, softmax
from nnjax.gradcheck.autodiff import double_precision
from nnjax.nn import losses as engine

PER_EXAMPLE = {
    "cross_entropy": softmax.label_cross_entropy_gradient,
    "mse": losses.label_mse_gradient,
    "mae": losses.label_mae_gradient,
    "huber": losses.label_huber_gradient,
    "mse_probabilities": softmax.mse_probabilities_gradient,
    "binary_cross_entropy": losses.label_binary_cross_entropy_gradient,
}
OF_A_BATCH = {
    "cross_entropy": losses.softmax_cross_entropy_gradient,
    "mse": losses.mse_gradient,
    "binary_cross_entropy": losses.logit_cross_entropy_gradient,
}


@functools.cache
def gradients(name):
    return jax.jit(PER_EXAMPLE[name]), jax.jit(jax.grad(engine.LOSSES[name]))


def test_every_loss_has_its_gradient():
    assert sorted(PER_EXAMPLE) == sorted(engine.LOSSES)


@pytest.mark.parametrize("name", sorted(PER_EXAMPLE))
@given(z=st.lists(st.floats(-40, 40), min_size=4, max_size=4), label=st.integers(0, 3))
def test_gradient_of_one_example_equals_autodiff(name, z, label):
    with double_precision():
        z, label = jnp.asarray(z), jnp.asarray(label, jnp.int32)
        by_hand, by_autodiff = gradients(name)
        np.testing.assert_allclose(by_hand(z, label), by_autodiff(z, label), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", sorted(OF_A_BATCH))
@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (5, 3)])
def test_gradient_of_a_batch_is_of_its_mean(name, batch, classes):
    rng = np.random.default_rng(batch * 10 + classes)
    with double_precision():
        z = jnp.asarray(rng.normal(size=(batch, classes)))
        labels = jnp.asarray(rng.integers(classes, size=batch), jnp.int32)
        expected = jax.jit(jax.grad(lambda z: jnp.mean(jax.vmap(engine.LOSSES[name])(z, labels))))(z)
        got = jax.jit(OF_A_BATCH[name])(z, jax.nn.one_hot(labels, classes, dtype=jnp.float64))
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", sorted(PER_EXAMPLE))
@pytest.mark.parametrize("z", [[1e4, -1e4, 0], [-1e4, -1e4, 1e4], [1e4, 1e4, 1e4]])
def test_huge_logits_give_finite_gradients(name, z):
    with double_precision():
        assert np.all(np.isfinite(PER_EXAMPLE[name](jnp.asarray(z, jnp.float64), jnp.int32(1))))
