"""One epoch: a step for each batch, then the validation set."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from nnjax.data.batches import Splits, take_batch
from nnjax.training.evaluation import evaluate
from nnjax.training.optim import Hyperparameters
from nnjax.training.start import RunState
from nnjax.training.step import Norms, StepMetrics, TrainState, train_step
from nnjax.training.structure import Structure
from nnjax.types import Key

NORM_EVERY = 32
"""Steps, at least, between two measurements of the norms of gradient and update, which cost a sixth of a step."""

EpochSums: TypeAlias = tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
"""The summed loss, the number of right answers and of examples."""


class EpochMetrics(NamedTuple):
    """What is recorded of an epoch; NaN once a run has diverged or has had its epochs."""

    train_loss: Float[Array, ""]  # running: each example's loss when its batch was trained on
    train_accuracy: Float[Array, ""]
    valid_loss: Float[Array, ""]  # after the epoch
    valid_accuracy: Float[Array, ""]
    grad_norm: Float[Array, ""]  # mean over the measured steps
    update_ratio: Float[Array, ""]


def train_epoch(
    structure: Structure,
    state: TrainState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    splits: Splits,
) -> tuple[TrainState, StepMetrics]:
    """T steps, one for each row of ``order``, and the means of their metrics.

    Loss and accuracy are means over the examples, the norms over the steps in which they are measured. It has no
    derivative in reverse: to differentiate through training, scan `train_step`.
    """
    steps = order.shape[0]
    length = norm_spacing(steps)

    def step(t: Int[Array, ""], carry: tuple[TrainState, EpochSums]) -> tuple[tuple[TrainState, EpochSums], Norms]:
        state, sums = carry
        index = jax.lax.dynamic_index_in_dim(order, t, keepdims=False)
        batch = take_batch(splits.train, index, splits.scale)
        state, metrics = train_step(structure, state, batch, hyper, key)
        count = metrics.examples
        of_batch = (metrics.loss * count, metrics.accuracy * count, count)
        return (state, jax.tree.map(jnp.add, sums, of_batch)), metrics.norms

    def stretch(
        carry: tuple[TrainState, EpochSums], first: Int[Array, ""]
    ) -> tuple[tuple[TrainState, EpochSums], Norms]:
        # A step whose norms are measured, and those up to the next: norms that nobody reads aren't computed.
        carry, norms = step(first, carry)
        end = jnp.minimum(first + length, steps)
        return jax.lax.fori_loop(first + 1, end, lambda t, carry: step(t, carry)[0], carry), norms

    zero = jnp.zeros((), splits.scale.dtype)
    firsts = jnp.arange(0, steps, length)
    (state, (loss, correct, examples)), norms = jax.lax.scan(stretch, (state, (zero, zero, zero)), firsts)
    return state, StepMetrics(loss / examples, correct / examples, examples, jax.tree.map(jnp.mean, norms))


def norm_spacing(steps: int) -> int:
    """Steps of an epoch from one measurement of the norms, the first at its first step, to the next."""
    return -(-steps // max(1, steps // NORM_EVERY))


def run_epoch(
    structure: Structure,
    state: RunState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    splits: Splits,
) -> tuple[RunState, EpochMetrics]:
    """One epoch of training, then the validation set; the best parameters are kept.

    A run that has diverged, or has had its epochs, stays as it is.
    """

    trained, means = train_epoch(structure, state.train, hyper, key, order, splits)
    valid_loss, valid_accuracy = evaluate(structure, trained.params, hyper, splits.valid, splits.scale)
    finite = _all_finite((means.loss, valid_loss, trained.params))
    epoch = state.epoch + 1
    new = RunState(trained, trained.params, valid_accuracy, epoch, epoch, jnp.where(finite, 0, epoch))

    def choose(condition: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
        return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)

    live = (state.epoch < hyper.epochs) & (state.diverged_epoch == 0)
    best = live & finite & (valid_accuracy > state.best_accuracy)
    fields = {
        name: choose(best if name.startswith("best_") else live, getattr(new, name), old)
        for name, old in state._asdict().items()
    }
    metrics = EpochMetrics(means.loss, means.accuracy, valid_loss, valid_accuracy, *means.norms)
    return RunState(**fields), jax.tree.map(lambda value: jnp.where(live & finite, value, jnp.nan), metrics)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
