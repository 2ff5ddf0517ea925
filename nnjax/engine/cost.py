"""What a training step costs: operations, bytes, and how many runs a core should train at a time.

The counts are those of the matrix products and of the arrays that a step can't do without; what is elementwise on
activations is small beside them.
"""

import itertools
from typing import NamedTuple

from nnjax.training.structure import Structure

FLOAT = 4
"""Bytes of a float32."""

CACHE = 4e6
"""Bytes that the runs which a core trains at a time may touch in a step: what a core has of the nearer caches."""

SMALL_STEP = 2e6
"""Operations under which a step of one run spends more time on starting some forty small kernels (about 10 µs)
than on arithmetic (at about 200 GFLOP/s a core)."""

LARGE_STEP = 1e8
"""Operations from which a step is faster on several threads: 1.2 to 2.4 times on four, and 0.8 times below."""


class StepCost(NamedTuple):
    """What one step of one run costs."""

    flops: int
    """Operations of the matrix products, a multiplication and an addition counted as two."""
    traffic: int
    """Bytes moved where no weight stays in a cache: weights read by the forward pass, gradients written, both
    read by the update and weights written; the optimiser's moments read and written; the stored inputs read."""
    working_set: int
    """Bytes that the step touches: weights, gradients, moments and activations."""
    state: int
    """Bytes of a run between two epochs: weights, the best of them, and moments, in float32."""


def step_cost(structure: Structure, inputs: int, batch_size: int, input_bytes: int = FLOAT) -> StepCost:
    """Count a step on B examples of D inputs, each stored in ``input_bytes``.

    A layer from d to f features takes 2·B·d·f operations forward, as many for the gradient by its weights, and as
    many again for the gradient by its inputs, but for the first layer, whose inputs aren't trained.
    """
    widths = (inputs, *structure.hidden, structure.classes)
    products = [d * f for d, f in itertools.pairwise(widths)]
    biases = sum(widths[1:]) if structure.model == "mlp" else 0
    weights = FLOAT * (sum(products) + biases)
    moments = int(structure.use_momentum) if structure.optimizer == "sgd" else 2
    # The inputs and their transposed copy; of each layer the output, its activation and the gradient. What a
    # narrow last layer copies is small beside them.
    activations = FLOAT * batch_size * (2 * inputs + 4 * sum(widths[1:]))
    return StepCost(
        flops=2 * batch_size * (3 * sum(products) - products[0]),
        traffic=(5 + 2 * moments) * weights + batch_size * inputs * input_bytes,
        working_set=(2 + moments) * weights + activations,
        state=(2 + moments) * weights,
    )


def runs_at_a_time(cost: StepCost, one_order: bool) -> int:
    """How many runs a CPU core should train in one program, side by side, rather than one after another.

    Runs of one data order share the minibatch, and the first layer of all of them is one matrix product: as many
    as the cache holds, at least one. Runs with an order each share only the start of a kernel, which matters where
    a step is small, while products of many small matrices are slower than one: so one at a time elsewhere.
    """
    if not one_order and cost.flops > SMALL_STEP:
        return 1
    return max(1, int(CACHE // cost.working_set))


def threads_a_run(cost: StepCost, free: int) -> int:
    """How many threads should share a run's products on a CPU that has so many cores for it."""
    return free if cost.flops >= LARGE_STEP else 1
