"""Losses against SciPy and scikit-learn, and at inputs that are hard to get right."""

from typing import Any

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

import reference
from nnjax.nn.losses import LOSSES, accuracy, cross_entropy, loss_of
from nnjax.validation import UserError

FLOATS = [np.float32, np.float64]
INF, NAN = np.inf, np.nan


def scipy_losses(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Every loss of a batch, from SciPy's functions."""
    targets = np.eye(logits.shape[-1])[labels]
    log_p = scipy.special.log_softmax(logits, axis=-1)
    toward = np.where(targets == 1, logits, -logits)
    return {
        "cross_entropy": -np.take_along_axis(log_p, labels[:, None], axis=-1)[:, 0],
        "mse": ((logits - targets) ** 2).mean(-1),
        "mae": np.abs(logits - targets).mean(-1),
        "huber": scipy.special.huber(1, logits - targets).mean(-1),
        "mse_probabilities": ((scipy.special.softmax(logits, axis=-1) - targets) ** 2).mean(-1),
        "binary_cross_entropy": -scipy.special.log_expit(toward).mean(-1),
    }


def losses_and_gradients(loss: str, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """nnjax's loss and its gradient for each example of a batch."""
    with jax.enable_x64(True):
        both = jax.vmap(jax.value_and_grad(LOSSES[loss]))
        values, gradients = both(jnp.asarray(logits), jnp.asarray(labels, jnp.int32))
        assert values.dtype == gradients.dtype == logits.dtype
        return np.asarray(values), np.asarray(gradients)


def one(loss: str, logits: list[float], label: int, dtype: Any = np.float64) -> tuple[float, np.ndarray]:
    """nnjax's loss of one example, and the gradient."""
    values, gradients = losses_and_gradients(loss, np.array([logits], dtype), np.array([label]))
    return float(values[0]), gradients[0]


@pytest.mark.parametrize("loss", LOSSES)
@hypothesis.settings(max_examples=50)
@hypothesis.given(
    # Few shapes, since each compiles.
    logits=st.sampled_from([(1, 1), (1, 2), (3, 1), (4, 5)]).flatmap(
        lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-1e4, 1e4, allow_subnormal=False))
    ),
    seed=st.integers(0, 9),
)
def test_losses_and_gradients_are_scipys_for_logits_up_to_ten_thousand(
    loss: str, logits: np.ndarray, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, logits.shape[1], len(logits))
    values, gradients = losses_and_gradients(loss, logits, labels)
    np.testing.assert_allclose(values, scipy_losses(logits, labels)[loss], rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(gradients, reference.LOSSES[loss](logits, labels)[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_reference_is_scipys_loss_with_the_gradient_of_finite_differences(loss: str) -> None:
    rng = np.random.default_rng(0)
    logits, labels, direction = rng.normal(size=(9, 4)), rng.integers(0, 4, 9), rng.normal(size=(9, 4))
    values, gradients = reference.LOSSES[loss](logits, labels)
    np.testing.assert_allclose(values, scipy_losses(logits, labels)[loss], rtol=1e-13)
    ahead, behind = (scipy_losses(logits + step * direction, labels)[loss] for step in (1e-5, -1e-5))
    np.testing.assert_allclose((gradients * direction).sum(-1), (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)


def test_cross_entropy_is_scikit_learns_log_loss_of_the_softmax() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(scale=3, size=(200, 5)), rng.integers(0, 5, 200)
    values, _ = losses_and_gradients("cross_entropy", logits, labels)
    expected = sklearn.metrics.log_loss(labels, scipy.special.softmax(logits, axis=1), labels=range(5))
    assert values.mean() == pytest.approx(expected, rel=1e-12)


def test_binary_cross_entropy_is_the_mean_of_scikit_learns_log_losses_of_the_outputs() -> None:
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(scale=3, size=(200, 5)), rng.integers(0, 5, 200)
    values, _ = losses_and_gradients("binary_cross_entropy", logits, labels)
    each = [sklearn.metrics.log_loss(labels == j, scipy.special.expit(logits[:, j])) for j in range(5)]
    assert values.mean() == pytest.approx(np.mean(each), rel=1e-12)
    t, p = np.eye(5)[labels], scipy.special.expit(logits)
    entropies = -scipy.special.xlogy(t, p) - scipy.special.xlogy(1 - t, 1 - p)
    np.testing.assert_allclose(values, entropies.mean(1), rtol=1e-10)


def test_mse_of_the_probabilities_of_two_classes_is_scikit_learns_brier_score() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(scale=3, size=(200, 2)), rng.integers(0, 2, 200)
    values, _ = losses_and_gradients("mse_probabilities", logits, labels)
    expected = sklearn.metrics.brier_score_loss(labels, scipy.special.softmax(logits, axis=1)[:, 1])
    assert values.mean() == pytest.approx(expected, rel=1e-12)


def test_mse_of_the_outputs_is_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(scale=3, size=(200, 5)), rng.integers(0, 5, 200)
    values, _ = losses_and_gradients("mse", logits, labels)
    assert values.mean() == pytest.approx(sklearn.metrics.mean_squared_error(np.eye(5)[labels], logits), rel=1e-12)


FAR = [
    ("cross_entropy", [1e4, 0, -1e4], 0, 0, [0, 0, 0]),
    ("cross_entropy", [1e4, 0, -1e4], 1, 1e4, [1, -1, 0]),
    ("cross_entropy", [1e4, 0, -1e4], 2, 2e4, [1, 0, -1]),
    ("cross_entropy", [1e4, 1e4, -1e4], 0, np.log(2), [-0.5, 0.5, 0]),
    ("cross_entropy", [-1e4, -1e4, -1e4], 1, np.log(3), [1 / 3, -2 / 3, 1 / 3]),
    ("mse", [1e4, 0], 0, 9999**2 / 2, [9999, 0]),
    ("mse", [1e4, -1e4], 1, (1e8 + 10001**2) / 2, [1e4, -10001]),
    ("mae", [1e4, 0], 0, 9999 / 2, [0.5, 0]),
    ("huber", [1e4, -1e4], 1, (9999.5 + 10000.5) / 2, [0.5, -0.5]),
    ("mse_probabilities", [1e4, 0, -1e4], 0, 0, [0, 0, 0]),
    ("mse_probabilities", [1e4, 0, -1e4], 2, 2 / 3, [0, 0, 0]),
    ("binary_cross_entropy", [1e4, -1e4], 0, 0, [0, 0]),
    ("binary_cross_entropy", [1e4, -1e4], 1, 1e4, [0.5, -0.5]),
    ("binary_cross_entropy", [-1e4, 0], 0, (1e4 + np.log(2)) / 2, [-0.5, 0.25]),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("loss", "logits", "label", "value", "gradient"), FAR)
def test_logits_of_ten_thousand_have_finite_losses_and_gradients(
    loss: str, logits: list[float], label: int, value: float, gradient: list[float], dtype: Any
) -> None:
    """The value is that of the formula, as exactly as a number next to logits of 1e4 can be."""
    found, found_gradient = one(loss, logits, label, dtype)
    rounding = 4 * float(np.finfo(dtype).eps)
    assert found == pytest.approx(value, rel=rounding, abs=rounding * 1e4)
    np.testing.assert_allclose(found_gradient, gradient, rtol=rounding, atol=rounding)


LIMITS = [
    ("cross_entropy", [-INF, 0.0, 0.0], 1, np.log(2)),
    ("cross_entropy", [-INF, 0.0, -INF], 1, 0),
    ("cross_entropy", [0.0, -INF], 1, INF),
    ("cross_entropy", [0.0, INF], 0, INF),
    ("mse", [0.0, INF], 0, INF),
    ("mse", [0.0, -INF], 0, INF),
    ("mae", [0.0, -INF], 0, INF),
    ("huber", [0.0, INF], 0, INF),
    ("mse_probabilities", [-INF, 0.0], 1, 0),
    ("mse_probabilities", [-INF, 0.0], 0, 1),
    ("binary_cross_entropy", [INF, -INF], 0, 0),
    ("binary_cross_entropy", [INF, 0.0], 1, INF),
    ("binary_cross_entropy", [0.0, -INF], 1, INF),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("loss", "logits", "label", "limit"), LIMITS)
def test_infinite_logits_have_the_losses_that_are_their_limits(
    loss: str, logits: list[float], label: int, limit: float, dtype: Any
) -> None:
    found, _ = one(loss, logits, label, dtype)
    assert found == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse_probabilities"])
def test_a_logit_of_plus_infinity_is_not_a_number_after_a_softmax_as_in_scipy(loss: str) -> None:
    logits = [0.0, INF]
    with np.errstate(invalid="ignore"):
        assert np.isnan(scipy.special.log_softmax(logits)[1])
    assert np.isnan(one(loss, logits, 1)[0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_logit_that_is_not_a_number_makes_the_loss_not_a_number(loss: str, place: int) -> None:
    logits = [0.5, -1.0, 2.0]
    logits[place] = NAN
    for label in range(3):
        value, _ = one(loss, logits, label)
        assert np.isnan(value)


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        ("cross_entropy", 0, 0),
        ("mse", 0.25, 1),
        ("mae", 0.5, 1),
        ("huber", 0.125, 0.5),
        ("mse_probabilities", 0, 0),
        ("binary_cross_entropy", np.log1p(np.exp(-1.5)), -1 / (1 + np.exp(1.5))),
    ],
)
def test_with_one_class_there_is_nothing_to_choose_but_outputs_to_fit(
    loss: str, value: float, gradient: float
) -> None:
    found, found_gradient = one(loss, [1.5], 0)
    assert found == pytest.approx(value, abs=1e-15)
    np.testing.assert_allclose(found_gradient, [gradient], atol=1e-15)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse_probabilities"])
@pytest.mark.parametrize("shift", [-1e4, 3.7, 1e4])
def test_a_softmax_does_not_see_a_shift_of_all_logits(loss: str, shift: float) -> None:
    logits = np.array([0.3, -1.2, 2.5])
    still, moved = (one(loss, list(z), 1) for z in (logits, logits + shift))
    assert moved[0] == pytest.approx(still[0], abs=1e-11)
    np.testing.assert_allclose(moved[1], still[1], atol=1e-11)


def test_a_small_cross_entropy_in_float32_is_rounded_as_coarsely_as_its_logits_and_not_negative() -> None:
    for margin in np.linspace(0, 40, 81):
        value, _ = one("cross_entropy", [margin, 0.0], 0, np.float32)
        assert value >= 0
        spacing = float(np.spacing(np.float32(max(margin, 1))))
        assert value == pytest.approx(np.log1p(np.exp(-margin)), abs=2 * spacing)


@pytest.mark.parametrize(
    ("logits", "label", "right"),
    [
        ([0.0, 2.0, 1.0], 1, 1),
        ([0.0, 2.0, 1.0], 2, 0),
        ([2.0, 2.0, 2.0], 0, 1),  # the first of equal ones
        ([2.0, 2.0, 2.0], 1, 0),
        ([-INF, -1e4, -INF], 1, 1),
        ([1e4, INF, -INF], 1, 1),
        ([5.0], 0, 1),
    ],
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_accuracy_asks_whether_the_first_largest_output_is_the_labels(
    logits: list[float], label: int, right: int, dtype: Any
) -> None:
    with jax.enable_x64(True):
        found = accuracy(jnp.asarray(logits, dtype), jnp.asarray(label, jnp.int32))
    assert found.dtype == dtype
    assert float(found) == right


def test_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 4, 50)
    found = jax.vmap(accuracy)(jnp.asarray(logits), jnp.asarray(labels, jnp.int32))
    assert float(found.mean()) == pytest.approx(sklearn.metrics.accuracy_score(labels, logits.argmax(1)), rel=1e-6)


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.int32, jnp.int64])
@pytest.mark.parametrize("function", [*LOSSES.values(), accuracy])
def test_labels_may_be_whole_numbers_of_any_size(function: Any, dtype: Any) -> None:
    with jax.enable_x64(True):
        logits = jnp.asarray([0.3, -1.0, 2.0])
        assert function(logits, jnp.asarray(2, dtype)) == function(logits, jnp.asarray(2, jnp.int32))


def test_a_loss_is_of_one_example_and_a_batch_is_a_vmap() -> None:
    logits = jnp.zeros(4)
    assert cross_entropy(logits, jnp.asarray(2, jnp.int32)).shape == ()
    batch = jax.vmap(cross_entropy)(jnp.zeros((3, 4)), jnp.arange(3, dtype=jnp.int32))
    np.testing.assert_allclose(batch, np.full(3, np.log(4)), rtol=1e-6)


# Real targets, and several labels.


@pytest.mark.parametrize("outputs", [1, 3])
@hypothesis.settings(max_examples=30)
@hypothesis.given(
    seed=st.integers(0, 99), size=st.sampled_from([1e-3, 1.0, 1e4]), delta=st.sampled_from([0.3, 1, 5])
)
def test_losses_of_real_targets_are_scipys(outputs: int, seed: int, size: float, delta: float) -> None:
    rng = np.random.default_rng(seed)
    z, y = size * rng.normal(size=(7, outputs)), size * rng.normal(size=(7, outputs))
    expected = {
        "mse": sklearn.metrics.mean_squared_error(y.T, z.T, multioutput="raw_values"),
        "mae": sklearn.metrics.mean_absolute_error(y.T, z.T, multioutput="raw_values"),
        "huber": scipy.special.huber(delta, z - y).mean(1),
    }
    with jax.enable_x64(True):
        for name, values in expected.items():
            loss = loss_of(name, outputs, "regression", delta)
            found, gradients = jax.vmap(jax.value_and_grad(loss))(jnp.asarray(z), jnp.asarray(y))
            np.testing.assert_allclose(found, values, rtol=1e-12)
            more = {"delta": delta} if name == "huber" else {}
            np.testing.assert_allclose(gradients, reference.LOSSES[name](z, y, **more)[1], rtol=1e-12)


def test_binary_cross_entropy_of_several_labels_is_scikit_learns_log_loss_of_each() -> None:
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(scale=3, size=(200, 4)), rng.integers(0, 2, (200, 4)).astype(np.uint8)
    with jax.enable_x64(True):
        values = np.asarray(jax.vmap(LOSSES["binary_cross_entropy"])(jnp.asarray(logits), jnp.asarray(labels)))
    each = [sklearn.metrics.log_loss(labels[:, j], scipy.special.expit(logits[:, j])) for j in range(4)]
    assert values.mean() == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "task", "sentence"),
    [
        (
            "huber",
            "classification",
            "loss is 'huber', which is of a regression, and the data are a classification",
        ),
        ("cross_entropy", "regression", "are a regression: take mse or mae or huber"),
        ("mse", "multilabel", "take binary_cross_entropy"),
    ],
)
def test_a_loss_of_another_task_is_refused(loss: str, task: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        loss_of(loss, 3, task)
