"""One step down the gradient, and what a batch scores."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nnjax.data.batches import Batch
from nnjax.nn.losses import LOSSES, accuracy
from nnjax.training.optim import Hyperparameters, schedule_factor, transformation
from nnjax.training.structure import Structure
from nnjax.types import Key, Params, layer_names

Sums: TypeAlias = tuple[Float[Array, ""], Float[Array, ""]]
"""The summed loss and the number of right answers."""


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
    optimizer = optimizer_of(structure, state.params, hyper, rate)
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


def optimizer_of(
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
