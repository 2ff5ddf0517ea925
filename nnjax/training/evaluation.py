"""Loss and accuracy on a whole split."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.data.batches import Batch, divided
from nnjax.data.order import num_batches
from nnjax.training.optim import Hyperparameters
from nnjax.training.start import RunState
from nnjax.training.step import Sums, score
from nnjax.training.structure import Structure
from nnjax.types import Examples, Params

EVALUATION_BATCH = 500
"""Examples of a split that are evaluated together, at most."""


class TestMetrics(NamedTuple):
    """The test set with the best parameters and with the last; NaN where there are none in finite numbers."""

    test_loss: Float[Array, ""]
    test_accuracy: Float[Array, ""]
    test_loss_last: Float[Array, ""]
    test_accuracy_last: Float[Array, ""]


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
        batch = Batch(divided(x, scale), y, weight)
        logits = structure.network.apply({"params": params}, batch.x, slope=hyper.activation_slope)
        return jax.tree.map(jnp.add, total, score(structure, logits, batch)), None

    nothing = jnp.zeros((), scale.dtype)
    (loss, correct), _ = jax.lax.scan(add, (nothing, nothing), size * jnp.arange(steps))
    return loss / count, correct / count


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
