"""What there is to do for a structure, and how long it takes in a program of its own and in a shared one.

The constants were measured on two cores. They are the same everywhere, so that what shares a program, on which a
run's last bits depend, follows from the plan and not from the machine.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from nnjax.config import Config
from nnjax.data.order import num_batches
from nnjax.training.structure import Structure

COMPILING_OWN, COMPILING_SHARED = 4.0, 0.3
"""Seconds on two cores from a structure to its first step in a program of its own, and in a shared one."""

RATE = 85e9
"""Operations a second of a core in products of some hundred."""

OWN_STEP, SHARED_PART = 15e-6, 9e-6
"""Seconds of a step beside its products, and of each part of one that a shared program reads."""

FEATURE, ADDED = 2.4e-9, 0.5e-9
"""Seconds of a shared program for each feature of an example, and for each weight of a gradient that adds up."""

CORES = 2
"""Cores at which the times of training are compared with those of compiling, wherever the plan is made."""


class Work(NamedTuple):
    """What there is to do for a structure."""

    config: Config
    structure: Structure
    inputs: int
    classes: int
    examples: int
    evaluated: int  # of validation or test, the more
    runs: int
    epochs: int


def own_seconds(work: Work) -> float:
    """Seconds for a structure with a program of its own."""
    steps = num_batches(work.examples, work.config.batch_size)
    widths = (work.inputs, *work.config.hidden, work.classes)
    step = 6 * _weights(widths) * work.config.batch_size / RATE + OWN_STEP
    return COMPILING_OWN + work.runs * work.epochs * steps * step / CORES


def parts_of(examples: int, batch_size: int, evaluated: int, rows: int) -> float:
    """Parts of at most M examples that an epoch of a shared program reads; one that is evaluated counts a third.

    Args:
        examples: that train.
        batch_size: of these.
        evaluated: how many are evaluated after that.
        rows: M.
    """
    of_batch = num_batches(min(batch_size, examples), rows)
    return num_batches(examples, batch_size) * of_batch + num_batches(evaluated, rows) / 3


def part_seconds(
    inputs: int, hidden: Any, classes: int, rows: Any, adds_up: Any, *, rate: float = RATE, slowness: float = 1.0
) -> Any:
    """Seconds of a part that a shared program reads and learns from, of numbers or of arrays.

    Args:
        inputs: D.
        hidden: the widths of L layers, [..., L].
        classes: C.
        rows: M, the examples of a part.
        adds_up: whether gradients of parts add up.
        rate: operations a second in products.
        slowness: by which all but the products is slower than where the constants were measured.
    """
    of_layers = [hidden[..., layer] for layer in range(hidden.shape[-1])]
    weights = _weights((inputs, *of_layers, classes))
    beside = FEATURE * rows * sum(of_layers) + ADDED * weights * adds_up + SHARED_PART
    products = 6 * weights - 2 * inputs * of_layers[0]  # the inputs have no gradient
    return products * rows / rate + slowness * beside


def _weights(widths: Sequence[Any]) -> Any:
    return sum(before * after for before, after in itertools.pairwise(widths))
