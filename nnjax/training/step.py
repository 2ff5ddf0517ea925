"""One step down the gradient, and what a batch scores."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nnjax.data.batches import Batch, Targets
from nnjax.nn.models import call
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values, measured
from nnjax.training.optim import transformation
from nnjax.training.schedules import schedule_factor
from nnjax.training.structure import Structure
from nnjax.types import Key, Params


@functools.partial(jax.tree_util.register_dataclass, data_fields=["value", "weight"], meta_fields=["finish"])
@dataclasses.dataclass(frozen=True)
class Sum:
    """A metric of examples, summed over them."""

    value: Any  # Σ value · weight, […]
    weight: Any = None  # Σ weight, […]; None: the number of examples
    finish: Callable[[Any], Any] | None = None  # what makes the metric of the mean


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
    examples: Float[Array, ""]  # of the batch, or what they weigh together
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
        batch: B examples; where they have weights of their own, the mean loss is weighted.
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
        return sums["loss"].value / weight, sums

    examples = weight = batch.total
    if batch.importance is not None:  # of which all may be 0 in a batch
        weight = jnp.where(examples > 0, examples, 1)
    (_, sums), grads = jax.value_and_grad(objective, has_aux=True)(state.params)

    rate = hyper.learning_rate * schedule_factor(structure.schedule, hyper, state.step)
    optimizer = optimizer_at(structure, hyper, rate)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)

    of_step = measured(structure.metrics, structure.layers, state.params, grads, updates)
    return TrainState(params, opt_state, state.step + 1), StepMetrics(sums, examples, of_step)


def score(structure: Structure, logits: Float[Array, "B C"], batch: Batch) -> Sums:
    """The metrics of examples, summed over a batch."""
    weight = batch.weight if batch.importance is None else batch.importance
    there = weight > 0
    sums: Sums = {}
    finishes = {name: metric.finish for name, metric in structure.metrics}
    # By class, as `nn.matmul` computes few of them on a CPU.
    for name, values in of_examples(structure, logits.T, batch.y).items():
        if isinstance(values, tuple):
            values, weights = values
            weights = weights * _like(weight, weights)
            total = jnp.sum(jnp.where(weights > 0, values, 0) * weights, 0)
            sums[name] = Sum(total, jnp.sum(weights, 0), finishes[name])
            continue
        # Where there is no example, a value that is not finite must not get through as 0 · ∞.
        values = jnp.where(_like(there, values), values, 0).astype(weight.dtype)
        if batch.importance is not None:
            values = values * _like(weight, values)
        summed = name == "loss" or values.ndim > 1 or batch.importance is not None
        sums[name] = Sum(jnp.sum(values, 0) if summed else jnp.vdot(values, weight), finish=finishes[name])
    return sums


def of_examples(
    structure: Structure,
    logits: Float[Array, "C B"],
    labels: Targets,
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
    """The metrics; NaN where there was nothing to take a mean of, as of a class without examples.

    Args:
        sums: over the examples.
        examples: how many there were, or what they weighed together.
    """
    found: Values = {}
    for name, total in sums.items():
        mean = total.value / (_like(examples, total.value) if total.weight is None else total.weight)
        found[name] = mean if total.finish is None else total.finish(mean)
    return found


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
