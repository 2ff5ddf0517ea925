"""The metrics of examples on a whole split."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.data.batches import batch_of
from nnjax.data.order import num_batches
from nnjax.nn.models import call
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values
from nnjax.training.start import RunState
from nnjax.training.step import Sums, means, score
from nnjax.training.structure import Structure
from nnjax.types import Examples, Params, Weighted

EVALUATION_BATCH = 500
"""Examples of a split that are evaluated together, at most."""


def evaluate(
    structure: Structure,
    params: Params,
    hyper: Hyperparameters,
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> Values:
    """The mean of each metric of examples on a split: loss (without the decay term), accuracy, …; dropout off."""
    return means(*summed(structure, params, hyper, examples, scale))


def summed(
    structure: Structure,
    params: Params,
    hyper: Hyperparameters,
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> tuple[Sums, Float[Array, ""]]:
    """The metrics of examples summed over some, and how many these are, or what they weigh together."""
    count = examples.y.shape[0]
    steps = num_batches(count, EVALUATION_BATCH)
    size = num_batches(count, steps)  # equal batches, so that little is read twice

    def of_batch(first: Int[Array, ""]) -> Sums:
        # The last batch ends with the split, and leaves out what the one before it has seen.
        start = jnp.minimum(first, count - size)
        taken = jax.tree.map(lambda part: jax.lax.dynamic_slice_in_dim(part, start, size), examples)
        batch = batch_of(taken, (start + jnp.arange(size) >= first).astype(scale.dtype), scale)
        return score(structure, call(structure.network, params, batch.x, slope=hyper.activation_slope), batch)

    def add(total: Sums, first: Int[Array, ""]) -> tuple[Sums, None]:
        return jax.tree.map(jnp.add, total, of_batch(first)), None

    firsts = size * jnp.arange(steps)
    nothing = jax.tree.map(lambda sum_: jnp.zeros(sum_.shape, sum_.dtype), jax.eval_shape(of_batch, firsts[0]))
    sums, _ = jax.lax.scan(add, nothing, firsts)
    return sums, jnp.sum(examples.weight) if isinstance(examples, Weighted) else jnp.asarray(count, scale.dtype)


def test(
    structure: Structure,
    state: RunState,
    hyper: Hyperparameters,
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> Values:
    """The test set with the parameters of the best validation epoch (``test_…``) and with the last (``…_last``).

    NaN where there are no such parameters in finite numbers.
    """
    both = (state.best_params, state.train.params)
    return tested(state, *(evaluate(structure, params, hyper, examples, scale) for params in both))


def tested(state: RunState, best: Values, last: Values) -> Values:
    """The metrics of the test set by their names, from those with the best parameters and with the last."""
    found: Values = {}
    for suffix, values, there in (("", best, state.best_epoch > 0), ("_last", last, state.diverged_epoch == 0)):
        found |= {f"test_{name}{suffix}": jnp.where(there, value, jnp.nan) for name, value in values.items()}
    return found
