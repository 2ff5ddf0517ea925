"""One run: a network trained on a data set. Nothing here knows that there are other runs.

Every function is pure and can stand in somebody's own `jax.jit`, `lax.scan` or `jax.vmap`. What fixes the
compiled program is a `Structure`, closed over; what may differ between runs of one program is an array, in
`Hyperparameters`. `nnjax.structure` makes both from a configuration.
"""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Num, PyTree

from nnjax.data.order import num_batches
from nnjax.losses import LOSSES, accuracy
from nnjax.optim import Hyperparameters, schedule_factor, transformation
from nnjax.structure import Structure
from nnjax.types import Examples, Key, Params, Seed, layer_names

NORM_EVERY = 32
"""Steps, at least, between two measurements of the norms of gradient and update, which cost a sixth of a step."""

EVALUATION_BATCH = 500
"""Examples of a split that are evaluated together, at most."""

SHORT = 74
"""Inputs of an example up to which XLA copies its bytes one by one on a CPU, which takes four times as long."""


class Batch(NamedTuple):
    """The examples of one step, normalised."""

    x: Float[Array, "B D"]
    y: Int[Array, " B"]
    weight: Float[Array, " B"]  # 1, or 0 in the places of a partial batch that hold no example


class Splits(NamedTuple):
    """What an epoch reads; inputs stay as they are stored until a step divides them by the scale."""

    train: Examples
    valid: Examples
    scale: Float[Array, ""]


Sums: TypeAlias = tuple[Float[Array, ""], Float[Array, ""]]
"""The summed loss and the number of right answers."""

EpochSums: TypeAlias = tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
"""The summed loss, the number of right answers and of examples."""


class RunKeys(NamedTuple):
    """A run's randomness, each use with a key of its own."""

    init: Key
    order: Key
    dropout: Key


class TrainState(NamedTuple):
    """What a step changes."""

    params: Params
    opt_state: optax.OptState
    step: Int[Array, ""]


class Norms(NamedTuple):
    """How far a step goes, over all parameters."""

    grad_norm: Float[Array, ""]  # ‖∇L‖₂
    update_ratio: Float[Array, ""]  # ‖Δθ‖₂ / ‖θ‖₂; 0 where θ is


class StepMetrics(NamedTuple):
    """What a step saw, before its update."""

    loss: Float[Array, ""]  # mean over the batch
    accuracy: Float[Array, ""]  # mean over the batch
    examples: Float[Array, ""]  # of the batch
    norms: Norms


class EpochMetrics(NamedTuple):
    """What is recorded of an epoch; NaN once a run has diverged or has had its epochs."""

    train_loss: Float[Array, ""]  # running: each example's loss when its batch was trained on
    train_accuracy: Float[Array, ""]
    valid_loss: Float[Array, ""]  # after the epoch
    valid_accuracy: Float[Array, ""]
    grad_norm: Float[Array, ""]  # mean over the measured steps
    update_ratio: Float[Array, ""]


class TestMetrics(NamedTuple):
    """The test set with the best parameters and with the last; NaN where there are none in finite numbers."""

    test_loss: Float[Array, ""]
    test_accuracy: Float[Array, ""]
    test_loss_last: Float[Array, ""]
    test_accuracy_last: Float[Array, ""]


class RunState(NamedTuple):
    """A run between two epochs."""

    train: TrainState
    best_params: Params  # after the epoch with the highest validation accuracy, the first of equals
    best_accuracy: Float[Array, ""]
    best_epoch: Int[Array, ""]  # 0: no epoch has ended yet in finite numbers
    epoch: Int[Array, ""]  # epochs that have ended
    diverged_epoch: Int[Array, ""]  # 0: the run is finite


def run_keys(init_seed: Seed, data_seed: Seed) -> RunKeys:
    """The keys of a run: ``init_seed`` fixes the initial draw, ``data_seed`` the data order and dropout."""
    init, _, _ = jax.random.split(jax.random.key(init_seed), 3)
    _, order, dropout = jax.random.split(jax.random.key(data_seed), 3)
    return RunKeys(init, order, dropout)


def init_state(structure: Structure, params: Params, hyper: Hyperparameters) -> RunState:
    """A run before its first epoch."""
    optimizer = _optimizer(structure, params, hyper, jnp.asarray(hyper.learning_rate))
    none = jnp.zeros((), jnp.int32)
    return RunState(
        train=TrainState(params, optimizer.init(params), none),
        best_params=params,
        best_accuracy=jnp.full((), -jnp.inf, jnp.result_type(hyper.learning_rate)),
        best_epoch=none,
        epoch=none,
        diverged_epoch=none,
    )


def take_batch(examples: Examples, index: Int[Array, " B"], scale: Float[Array, ""]) -> Batch:
    """The examples at the given places, divided by ``scale`` in its dtype; index N holds no example."""
    last = examples.y.shape[0] - 1
    inside = jnp.minimum(index, last)
    x, y = (part.at[inside].get(mode="promise_in_bounds") for part in examples)
    return Batch(_divided(x, scale), y, (index <= last).astype(scale.dtype))


def _divided(stored: Num[Array, "B D"], scale: Float[Array, ""]) -> Float[Array, "B D"]:
    """The inputs divided by the scale, as times its inverse, which takes a CPU less time.

    XLA gathers the examples of a batch as they are stored, and converts them for each product that reads them. Up
    to `SHORT` inputs that copy is slow, and a choice that changes no value, as NaN stays NaN either way, makes XLA
    gather and convert in one go.
    """
    x = stored.astype(scale.dtype)
    divided = x * (1 / scale)
    return jnp.where(x == x, divided, x) if x.shape[-1] <= SHORT else divided


def train_step(
    structure: Structure,
    state: TrainState,
    batch: Batch,
    hyper: Hyperparameters,
    key: Key,
) -> tuple[TrainState, StepMetrics]:
    """One step down the gradient of J = L + ½ λ Σ w², L the mean loss of the batch.

    Args:
        structure: what fixes the program.
        state: parameters, optimiser state and step count.
        batch: B examples.
        hyper: the setting's numbers.
        key: the run's key for dropout, the same at every step: the step count is folded in.
    """

    def objective(params: Params) -> tuple[Float[Array, ""], Float[Array, ""]]:
        logits = structure.network.apply(
            {"params": params},
            batch.x,
            slope=hyper.activation_slope,
            dropout=hyper.dropout if structure.use_dropout else None,
            rngs={"dropout": jax.random.fold_in(key, state.step)} if structure.use_dropout else None,
        )
        loss, correct = score(structure, logits, batch)
        return loss / examples, correct / examples

    examples = jnp.sum(batch.weight)
    (loss, correct), grads = jax.value_and_grad(objective, has_aux=True)(state.params)

    rate = hyper.learning_rate * schedule_factor(structure.schedule, hyper, state.step)
    optimizer = _optimizer(structure, state.params, hyper, rate)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)

    size, change = optax.tree.norm(state.params), optax.tree.norm(updates)
    norms = Norms(optax.tree.norm(grads), jnp.where(size > 0, change / size, 0))
    metrics = StepMetrics(loss, correct, examples, norms)
    return TrainState(params, opt_state, state.step + 1), metrics


def score(structure: Structure, logits: Float[Array, "B C"], batch: Batch) -> Sums:
    """The summed loss and the number of right answers of a batch."""
    by_class = logits.T  # as `products` computes few of them on a CPU
    losses = jax.vmap(LOSSES[structure.loss], (1, 0))(by_class, batch.y)
    correct = jax.vmap(accuracy, (1, 0))(by_class, batch.y)
    # Where there is no example, a loss that is not finite must not get through as 0 · ∞.
    losses = jnp.where(batch.weight > 0, losses, 0)
    return jnp.sum(losses), jnp.vdot(correct, batch.weight)


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


def evaluate(
    structure: Structure,
    params: Params,
    hyper: Hyperparameters,
    examples: Examples,
    scale: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The mean loss (without the decay term) and accuracy on a split, dropout off."""
    count = examples.y.shape[0]
    steps = num_batches(count, EVALUATION_BATCH)
    size = num_batches(count, steps)  # equal batches, so that little is read twice

    def add(total: Sums, first: Int[Array, ""]) -> tuple[Sums, None]:
        # The last batch ends with the split, and leaves out what the one before it has seen.
        start = jnp.minimum(first, count - size)
        x, y = (jax.lax.dynamic_slice_in_dim(part, start, size) for part in examples)
        weight = (start + jnp.arange(size) >= first).astype(scale.dtype)
        batch = Batch(_divided(x, scale), y, weight)
        logits = structure.network.apply({"params": params}, batch.x, slope=hyper.activation_slope)
        return jax.tree.map(jnp.add, total, score(structure, logits, batch)), None

    nothing = jnp.zeros((), scale.dtype)
    (loss, correct), _ = jax.lax.scan(add, (nothing, nothing), size * jnp.arange(steps))
    return loss / count, correct / count


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


def test(
    structure: Structure,
    state: RunState,
    hyper: Hyperparameters,
    examples: Examples,
    scale: Float[Array, ""],
) -> TestMetrics:
    """The test set with the parameters of the best validation epoch and with those of the last epoch."""
    best = evaluate(structure, state.best_params, hyper, examples, scale)
    last = evaluate(structure, state.train.params, hyper, examples, scale)
    best = jax.tree.map(lambda value: jnp.where(state.best_epoch > 0, value, jnp.nan), best)
    last = jax.tree.map(lambda value: jnp.where(state.diverged_epoch == 0, value, jnp.nan), last)
    return TestMetrics(*best, *last)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def _optimizer(
    structure: Structure, params: Params, hyper: Hyperparameters, rate: Float[Array, ""]
) -> optax.GradientTransformation:
    return transformation(
        structure.optimizer,
        hyper,
        rate,
        layer_names(params),
        use_momentum=structure.use_momentum,
        nesterov=structure.nesterov,
    )
