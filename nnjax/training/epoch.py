"""One epoch: a step for each batch, then the validation set."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from nnjax.data.batches import Splits, take_batch
from nnjax.training.evaluation import evaluate
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values
from nnjax.training.monitor import better, scores
from nnjax.training.start import RunState
from nnjax.training.step import StepMetrics, Sums, TrainState, means, train_step
from nnjax.training.structure import Structure
from nnjax.types import Examples, Key, Weighted

NORM_EVERY = 32
"""Steps, at least, between two measurements of what is of a step, such as norms, which cost a sixth of one."""

Carry: TypeAlias = tuple[TrainState, Sums, Float[Array, ""]]
"""The state, and the metrics of examples summed so far, with the number of examples."""


class Seen(NamedTuple):
    """What the steps of an epoch, or of a part of it, have seen."""

    sums: Sums  # the metrics of examples
    examples: Float[Array, ""]  # how many there were, or what they weigh together
    measured: Values  # the metrics of steps, summed over those in which they are measured
    measurements: Float[Array, ""]

    @property
    def means(self) -> Values:
        """The means of all metrics."""
        of_steps = {name: total / self.measurements for name, total in self.measured.items()}
        return means(self.sums, self.examples) | of_steps


def train_epoch(
    structure: Structure,
    state: TrainState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    splits: Splits,
) -> tuple[TrainState, Values]:
    """T steps, one for each row of ``order``, and the means of their metrics.

    Metrics of examples are means over the examples, those of steps over the steps in which they are measured. It
    has no derivative in reverse: to differentiate through training, scan `train_step`.
    """
    state, seen = train_steps(structure, state, hyper, key, order, splits.train, splits.scale)
    return state, seen.means


def train_steps(
    structure: Structure,
    state: TrainState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> tuple[TrainState, Seen]:
    """T steps, one for each row of ``order``, and what they saw."""
    steps = order.shape[0]
    length = norm_spacing(steps)

    def step(t: Int[Array, ""], state: TrainState) -> tuple[TrainState, StepMetrics]:
        index = jax.lax.dynamic_index_in_dim(order, t, keepdims=False)
        return train_step(structure, state, take_batch(examples, index, scale), hyper, key)

    def add(t: Int[Array, ""], carry: Carry) -> tuple[Carry, Values]:
        state, metrics = step(t, carry[0])
        so_far = jax.tree.map(jnp.add, carry[1:], (metrics.sums, metrics.examples))
        return (state, *so_far), metrics.measured

    def stretch(carry: Carry, first: Int[Array, ""]) -> tuple[Carry, Values]:
        # A step that is measured, and those up to the next: norms that nobody reads aren't computed.
        carry, measured = add(first, carry)
        end = jnp.minimum(first + length, steps)
        return jax.lax.fori_loop(first + 1, end, lambda t, carry: add(t, carry)[0], carry), measured

    firsts = jnp.arange(0, steps, length)
    shapes = jax.eval_shape(lambda: step(firsts[0], state)[1])
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (shapes.sums, shapes.examples))
    (state, sums, total), measured = jax.lax.scan(stretch, (state, *nothing), firsts)
    added = {name: jnp.sum(values, axis=0) for name, values in measured.items()}
    return state, Seen(sums, total, added, jnp.asarray(len(firsts), total.dtype))


def norm_spacing(steps: int) -> int:
    """Steps of an epoch from one measurement of what is of a step, the first at its first step, to the next."""
    return -(-steps // max(1, steps // NORM_EVERY))


def run_epoch(
    structure: Structure,
    state: RunState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    splits: Splits,
) -> tuple[RunState, Values]:
    """One epoch of training, then the validation set; the best parameters are kept.

    A run that has diverged, or has had its epochs, stays as it is, and its metrics are NaN.

    Returns:
        The state, and of each metric of examples ``train_…`` (running: each example's when its batch was trained
        on) and ``valid_…`` (after the epoch), of each of steps its mean.
    """
    trained, running = train_epoch(structure, state.train, hyper, key, order, splits)
    valid = evaluate(structure, trained.params, hyper, splits.valid, splits.scale)
    return finished(structure, state, trained, running, valid, hyper)


def run_part(
    structure: Structure,
    state: RunState,
    hyper: Hyperparameters,
    key: Key,
    order: Int[Array, "T B"],
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> tuple[RunState, Seen]:
    """The steps of an epoch whose examples aren't in memory all at once, on a part of them; then comes `finished`.

    A run that has diverged, or has had its epochs, stays as it is.
    """
    trained, seen = train_steps(structure, state.train, hyper, key, order, examples, scale)
    live = _lives(state, hyper)
    return state._replace(train=_choose(live, trained, state.train)), seen


def finished(
    structure: Structure,
    state: RunState,
    trained: TrainState,
    running: Values,
    valid: Values,
    hyper: Hyperparameters,
) -> tuple[RunState, Values]:
    """The state after an epoch, with the best parameters so far, and the epoch's metrics.

    Args:
        structure: what fixes the program.
        state: before the epoch.
        trained: what the steps have made of it.
        running: the metrics of training.
        valid: those of the validation set.
        hyper: the setting's numbers.
    """
    finite = _all_finite((running["loss"], valid["loss"], trained.params))
    epoch = state.epoch + 1
    score = _monitored(structure, valid, hyper)
    new = RunState(trained, trained.params, score, valid["loss"], epoch, epoch, jnp.where(finite, 0, epoch))
    live = _lives(state, hyper)
    best = live & finite & better(score, valid["loss"], state.best_score, state.best_loss)
    fields = {
        name: _choose(best if name.startswith("best_") else live, getattr(new, name), old)
        for name, old in state._asdict().items()
    }
    metrics = {f"train_{name}" if name in valid else name: value for name, value in running.items()}
    metrics |= {f"valid_{name}": value for name, value in valid.items()}
    recorded = jax.tree.map(lambda value: jnp.where(live & finite, value, jnp.nan), metrics)
    return RunState(**fields), recorded


def _lives(state: RunState, hyper: Hyperparameters) -> Bool[Array, ""]:
    return (state.epoch < hyper.epochs) & (state.diverged_epoch == 0)


def _choose(condition: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _monitored(structure: Structure, valid: Values, hyper: Hyperparameters) -> Float[Array, ""]:
    """The score by the metric that the run monitors."""
    score, *others = scores(structure.metrics, valid)
    for index, other in enumerate(others, 1):
        score = jnp.where(hyper.monitor == index, other, score)
    return score


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
