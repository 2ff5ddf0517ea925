"""One step down the gradient, and what a batch scores."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nnjax.data.batches import Batch
from nnjax.nn.models import call
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values, measured
from nnjax.training.optim import transformation
from nnjax.training.schedules import schedule_factor
from nnjax.training.structure import Structure
from nnjax.types import Key, Params


class Sum(NamedTuple):
    """A metric of examples, summed over them."""

    value: Float[Array, "..."]  # Σ value · weight
    weight: Float[Array, "..."] | None = None  # Σ weight; None: the number of examples


Sums: TypeAlias = dict[str, Sum]
"""The metrics of examples by their name."""


class TrainState(NamedTuple):
    """What a step changes."""

    params: Params
    opt_state: optax.OptState
    step: Int[Array, ""]


class StepMetrics(NamedTuple):
    """What a step saw, before its update."""

    sums: Sums  # the metrics of examples, over the batch
    examples: Float[Array, ""]  # of the batch
    measured: Values  # the metrics of steps

    @property
    def means(self) -> Values:
        """The means of the metrics of examples: loss, accuracy, …"""
        return means(self.sums, self.examples)


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

    def objective(params: Params) -> tuple[Float[Array, ""], Sums]:
        logits = call(
            structure.network,
            params,
            batch.x,
            slope=hyper.activation_slope,
            dropout=hyper.dropout if structure.use_dropout else None,
            key=jax.random.fold_in(key, state.step) if structure.use_dropout else None,
        )
        sums = score(structure, logits, batch)
        return sums["loss"].value / examples, sums

    examples = jnp.sum(batch.weight)
    (_, sums), grads = jax.value_and_grad(objective, has_aux=True)(state.params)

    rate = hyper.learning_rate * schedule_factor(structure.schedule, hyper, state.step)
    optimizer = optimizer_at(structure, hyper, rate)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)

    of_step = measured(structure.metrics, structure.layers, state.params, grads, updates)
    return TrainState(params, opt_state, state.step + 1), StepMetrics(sums, examples, of_step)


def score(structure: Structure, logits: Float[Array, "B C"], batch: Batch) -> Sums:
    """The metrics of examples, summed over a batch."""
    there = batch.weight > 0
    sums: Sums = {}
    # By class, as `nn.matmul` computes few of them on a CPU.
    for name, values in of_examples(structure, logits.T, batch.y).items():
        if isinstance(values, tuple):
            values, weights = values
            weights = weights * _like(batch.weight, weights)
            sums[name] = Sum(jnp.sum(jnp.where(weights > 0, values, 0) * weights, 0), jnp.sum(weights, 0))
            continue
        # Where there is no example, a value that is not finite must not get through as 0 · ∞.
        values = jnp.where(_like(there, values), values, 0).astype(batch.weight.dtype)
        summed = name == "loss" or values.ndim > 1
        sums[name] = Sum(jnp.sum(values, 0) if summed else jnp.vdot(values, batch.weight))
    return sums


def of_examples(
    structure: Structure,
    logits: Float[Array, "C B"],
    labels: Int[Array, " B"],
    losses: Float[Array, " B"] | None = None,
) -> dict[str, Any]:
    """The metrics of each example, [B, …], of some with weights; the losses, where they are known."""
    found = {}
    for name, metric in structure.metrics:
        if metric.of == "example":
            known = losses if metric.function is None else None
            found[name] = (
                jax.vmap(metric.function or structure.loss, (1, 0))(logits, labels) if known is None else known
            )
    return found


def means(sums: Sums, examples: Float[Array, "..."] | int) -> Values:
    """The means of metrics; NaN where there was nothing to take one of, as of a class without examples."""
    return {
        name: total.value / (_like(examples, total.value) if total.weight is None else total.weight)
        for name, total in sums.items()
    }


def _like(number: Any, values: Array) -> Array:
    """A number for each of some, in the shape of its values."""
    return jnp.reshape(number, (*jnp.shape(number), *[1] * (values.ndim - jnp.ndim(number))))


def optimizer_at(
    structure: Structure,
    hyper: Hyperparameters,
    rate: Float[Array, ""],
    decay: optax.GradientTransformation | None = None,
) -> optax.GradientTransformation:
    """The optax chain of a structure at a learning rate, with a weight decay of its own where one is given."""
    return transformation(
        structure.optimizer,
        hyper,
        rate,
        structure.layers,
        use_momentum=structure.use_momentum,
        nesterov=structure.nesterov,
        decay=decay,
    )
