"""Back-propagation by hand against autodiff of the same network, every intermediate, and against the engine."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config import Config
from nnjax.data import load_data
from nnjax.data.batches import Batch
from nnjax.derivations import backprop
from nnjax.derivations.backprop import Layer
from nnjax.gradcheck.autodiff import double_precision
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.losses import LOSSES
from nnjax.training.start import init_state
from nnjax.training.step import train_step
from nnjax.training.structure import Structure, hyperparameters

LOSS_NAMES = ("mse", "binary_cross_entropy", "cross_entropy")
SLOPE = 1.5


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape)) for shape in shapes]


def network(widths, batch, seed=0):
    """Inputs, layers, labels and one-hot targets."""
    x, *flat = draw(seed, (batch, widths[0]), *((d, f) for d, f in itertools.pairwise(widths)))
    biases = draw(seed + 1, *((f,) for f in widths[1:]))
    labels = jnp.asarray(np.random.default_rng(seed).integers(widths[-1], size=batch), jnp.int32)
    targets = jax.nn.one_hot(labels, widths[-1], dtype=jnp.float64)
    return x, [Layer(w, b) for w, b in zip(flat, biases, strict=True)], labels, targets


def outputs(name, z):
    return jax.nn.softmax(z, axis=-1) if name == "softmax" else ACTIVATIONS[name](z, SLOPE)


def engine_loss(name, o, labels):
    return jnp.mean(jax.vmap(LOSSES[name])(o, labels))


def combinations():
    """Each g with a hidden f and a loss that go round; the other combinations are slow."""
    names = sorted(ACTIVATIONS)
    outputs = [*names, "softmax"]
    for f, g, loss in itertools.product(names, outputs, LOSS_NAMES):
        turn = outputs.index(g)
        round_ = names.index(f) == turn % len(names) and LOSS_NAMES.index(loss) == turn % len(LOSS_NAMES)
        yield pytest.param(f, g, loss, marks=[] if round_ else pytest.mark.slow)


@pytest.mark.parametrize(("f", "g", "loss"), list(combinations()))
def test_every_adjoint_of_two_layers_equals_autodiff(f, g, loss):
    """An intermediate's adjoint is the gradient in something that is added to it."""
    with double_precision():
        x, layers, labels, targets = network((3, 4, 2), batch=3)

        @jax.jit
        def by_hand(x, layers):
            cache = backprop.two_layer_forward(x, layers, targets, f, g, loss, SLOPE)
            return cache, backprop.two_layer_backward(cache, layers, targets, f, g, loss, SLOPE)

        def forward(x, layers, added):
            (w1, b1), (w2, b2) = layers
            z1 = x @ w1 + b1[None] + added["z1"]
            a1 = ACTIVATIONS[f](z1, SLOPE) + added["a1"]
            z2 = a1 @ w2 + b2[None] + added["z2"]
            return engine_loss(loss, outputs(g, z2) + added["o"], labels)

        cache, grads = by_hand(x, layers)
        nothing = {name: jnp.zeros_like(getattr(cache, name)) for name in ("z1", "a1", "z2", "o")}
        value, (dx, dlayers, adjoints) = jax.jit(jax.value_and_grad(forward, argnums=(0, 1, 2)))(
            x, layers, nothing
        )
        np.testing.assert_allclose(cache.loss, value, rtol=1e-13)
        expected = {f"d{name}": adjoint for name, adjoint in adjoints.items()} | {"dx": dx}
        for i, layer in enumerate(dlayers, 1):
            expected |= {f"dw{i}": layer.w, f"db{i}": layer.b}
        assert set(expected) == set(grads._fields)
        for name, adjoint in expected.items():
            np.testing.assert_allclose(getattr(grads, name), adjoint, rtol=1e-11, atol=1e-14, err_msg=name)


WIDTHS = ((3, 2), (3, 4, 2), (2, 3, 3, 3, 1), (3, 3, 3, 2, 2, 4))
OPTIONS = list(itertools.product((False, True), repeat=2))


@pytest.mark.parametrize(
    ("widths", "residual", "dropout"),
    [(widths, *options) for widths, options in zip(WIDTHS[:3], OPTIONS, strict=False)]
    + [(WIDTHS[3], *OPTIONS[3])],
)
def test_layers_with_skips_and_masks_equal_autodiff(widths, residual, dropout):
    check_layers(widths, residual, dropout)


@pytest.mark.parametrize(
    ("f", "loss", "slope"),
    [("scaled_sigmoid", "mse", 1.5), ("relu", "binary_cross_entropy", 1.0), ("gelu", "cross_entropy", 1.0)],
)
def test_layers_with_other_activations_and_losses_equal_autodiff(f, loss, slope):
    check_layers((2, 3, 3, 3), True, True, f=f, loss=loss, slope=slope)


@pytest.mark.slow
@pytest.mark.parametrize(("residual", "dropout"), OPTIONS)
@given(widths=st.lists(st.integers(1, 3), min_size=2, max_size=5), batch=st.integers(1, 3))
def test_any_layers_with_skips_and_masks_equal_autodiff(residual, dropout, widths, batch):
    check_layers(tuple(widths), residual, dropout, batch)


def check_layers(widths, residual, dropout, batch=3, f="tanh", loss="cross_entropy", slope=1.0):
    with double_precision():
        x, layers, labels, targets = network(widths, batch)
        rng = np.random.default_rng(0)
        masks = [jnp.asarray(rng.integers(2, size=(batch, w)) / 0.5) for w in widths[1:-1]] if dropout else ()
        masks = [None, *masks[1:]] if len(masks) > 1 else masks  # one layer without a mask

        def forward(x, layers):
            a = x
            for i, (w, b) in enumerate(layers[:-1]):
                h = ACTIVATIONS[f](a @ w + b[None], slope)
                h = h * masks[i] if dropout and masks[i] is not None else h
                a = a + h if residual and i and a.shape == h.shape else h
            return engine_loss(loss, a @ layers[-1].w + layers[-1].b[None], labels)

        @jax.jit
        def by_hand(x, layers):
            arguments = (layers, targets, f, loss, masks, residual, slope)
            cache = backprop.deep_forward(x, *arguments)
            return cache, backprop.deep_backward(cache, *arguments)

        cache, grads = by_hand(x, layers)
        value, (dx, dlayers) = jax.jit(jax.value_and_grad(forward, argnums=(0, 1)))(x, layers)
        np.testing.assert_allclose(cache.loss, value, rtol=1e-13)
        np.testing.assert_allclose(grads.da[0], dx, rtol=1e-11, atol=1e-14)
        assert len(grads.da) == len(grads.dz) == len(cache.a) == len(layers)
        for got, expected in zip(jax.tree.leaves(grads.layers), jax.tree.leaves(dlayers), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-14)


def test_unknown_names_are_refused():
    with double_precision():
        x, layers, _, targets = network((2, 2, 2), batch=1)
        with pytest.raises(KeyError, match="hinge"):
            backprop.two_layer_forward(x, layers, targets, "tanh", "identity", "hinge")
        with pytest.raises(KeyError, match="swish"):
            backprop.deep_forward(x, layers, targets, "swish", "mse")


def test_two_linear_layers_compute_what_their_composition_computes():
    with double_precision():
        x, (first, second), _, _ = network((3, 5, 2), batch=4)
        single = backprop.compose_linear(first, second)
        pair = (x @ first.w + first.b[None]) @ second.w + second.b[None]
        np.testing.assert_allclose(x @ single.w + single.b[None], pair, rtol=1e-12)


def test_where_one_linear_layer_is_stationary_two_are():
    """At the least-squares solution of the single layer, however it is factored, no parameter has a gradient."""
    with double_precision():
        x, (first, second), _, _ = network((3, 5, 2), batch=9)
        (targets,) = draw(7, (9, 2))
        ones = np.concatenate([x, np.ones((9, 1))], axis=1)
        best, *_ = np.linalg.lstsq(ones, np.asarray(targets))
        # Any second layer of full rank, and the first that the solution asks for.
        w1 = jnp.asarray(best[:-1] @ np.linalg.pinv(second.w))
        b2 = jnp.asarray(best[-1]) - first.b @ second.w
        layers = (Layer(w1, first.b), Layer(second.w, b2))

        def loss(layers):
            (w1, b1), (w2, b2) = layers
            return jnp.mean(((x @ w1 + b1[None]) @ w2 + b2[None] - targets) ** 2)

        for leaf in jax.tree.leaves(jax.grad(loss)(layers)):
            np.testing.assert_allclose(leaf, 0, atol=1e-13)
        at_zero = Layer(jnp.zeros((3, 2)), jnp.zeros(2))
        for leaf in jax.tree.leaves(backprop.composed_gradients(*layers, at_zero)):
            np.testing.assert_array_equal(leaf, 0)


def losses_of_100_steps(data, config):
    """The losses by hand and by the engine from one start on the same batches, and both first layers after."""
    classes, decay, rate = data.classes, config.weight_decay, config.learning_rate
    structure = Structure.of(config, classes, data.inputs)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, len(data.train.y), dtype=np.float64))
    layers = [Layer(w * d**-0.5, b * 0.1) for d, (w, b) in drawn_layers((data.inputs, *config.hidden, classes))]
    params = {f"Dense_{i}": {"kernel": layer.w, "bias": layer.b} for i, layer in enumerate(layers)}
    state = init_state(structure, params, hyper).train

    @jax.jit
    def engine_step(state, batch):
        return train_step(structure, state, batch, hyper, jax.random.key(0))

    @jax.jit
    def hand_step(layers, x, labels):
        targets = (labels[:, None] == jnp.arange(classes, dtype=labels.dtype)[None]).astype(x.dtype)
        names = (config.activation, "identity", "cross_entropy")
        cache = backprop.two_layer_forward(x, layers, targets, *names)
        grads = backprop.two_layer_backward(cache, layers, targets, *names)
        steps = ((grads.dw1, grads.db1), (grads.dw2, grads.db2))
        moved = [
            Layer(w - rate * (dw + decay * w), b - rate * db)
            for (w, b), (dw, db) in zip(layers, steps, strict=True)
        ]
        return moved, cache.loss

    rng = np.random.default_rng(0)
    by_hand, by_engine = [], []
    for _ in range(100):
        rows = rng.choice(len(data.train.y), size=config.batch_size, replace=False)
        x, labels = jnp.asarray(data.train.x[rows] / np.float64(data.scale)), jnp.asarray(data.train.y[rows])
        state, metrics = engine_step(state, Batch(x, labels, jnp.ones(len(rows))))
        layers, loss = hand_step(layers, x, labels)
        assert loss.dtype == metrics.means["loss"].dtype == np.float64
        by_hand.append(float(loss))
        by_engine.append(float(metrics.means["loss"]))
    return by_hand, by_engine, layers[0].w, state.params["Dense_0"]["kernel"]


def drawn_layers(widths):
    rng = np.random.default_rng(5)
    for d, f in itertools.pairwise(widths):
        yield d, (jnp.asarray(rng.normal(size=(d, f))), jnp.asarray(rng.normal(size=f)))


def check_training(data, config):
    with double_precision():
        by_hand, by_engine, ours, theirs = losses_of_100_steps(data, config)
    np.testing.assert_allclose(by_hand, by_engine, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert np.mean(by_hand[-10:]) < by_hand[0] / 2, "it must have learnt, or little is compared"


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_hand_written_backprop_trains_the_digits_like_the_engine(activation):
    check_training(load_data("digits"), Config(activation=activation, learning_rate=0.5, weight_decay=1e-3))


def test_hand_written_backprop_trains_mnist_like_the_engine(data_dir):
    """100 steps of the classical network, 784-128-10, in float64: the same losses to 1e-6."""
    data = load_data("mnist", data_dir / "mnist")
    assert data.train.x.shape[1] == 784
    check_training(data, Config(activation="sigmoid", learning_rate=1.0, weight_decay=1e-3))
