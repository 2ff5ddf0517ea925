"""The examples of a fit as they are trained: dense where that is small, equal ones as one if that is the same."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from nnjax.sklearn.fits import Part
from nnjax.validation import UserError

DENSE = 2**24
"""Numbers of a sparse matrix up to which it is made dense: programs of dense inputs are compiled sooner."""

AUTO = 200
"""Examples of a batch, at most, where its size is left open; as scikit-learn has it."""


class Batches(NamedTuple):
    """Examples, and how they are cut."""

    train: Part
    size: int
    """B, of a batch."""
    weight: float
    """Of a batch's examples together, on average."""
    shuffle: bool


def dense(x: Any) -> Any:
    """Inputs as an array, where they are sparse and that is small."""
    small = hasattr(x, "toarray") and x.shape[0] * x.shape[1] <= DENSE
    return x.toarray() if small else x


def batches(examples: Part, size: int | str, shuffle: bool) -> Batches:
    """The examples as they are trained.

    A batch of all examples is one sum, in which equal ones count together: as one that weighs as much, in an order
    that doesn't depend on the one in which they came. So does what a weight of 2 means: to stand twice.

    Args:
        examples: that train.
        size: of a batch; auto: 200, or all where there are fewer.
        shuffle: whether each epoch has an order of its own.

    Raises:
        UserError: where no example counts.
    """
    count = len(examples.y)
    if size == "auto":
        size = min(AUTO, count)
    elif int(size) > count:
        warnings.warn(
            f"batch_size is {size}, and there are {count} examples: it is taken as {count}", stacklevel=5
        )
        size = count
    size = int(size)
    total = float(count if examples.weight is None else examples.weight.sum())
    if not total > 0:
        raise UserError("all of sample_weight are 0, and some example must count")
    weight = size * total / count
    if size < count or hasattr(examples.x, "tocsr"):
        return Batches(examples, size, weight, shuffle)
    merged = _merged(examples)
    return Batches(merged, len(merged.y), weight, False)


def _merged(examples: Part) -> Part:
    """Each example that counts once, in order, with what it weighs together."""
    weight = np.ones(len(examples.y)) if examples.weight is None else examples.weight
    there = weight > 0
    x, y = np.ascontiguousarray(examples.x)[there], examples.y[there]
    table = np.column_stack([x.astype(np.float64), y.reshape(len(y), -1)])
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    weights = np.bincount(which.ravel(), weight[there])
    alike = (weights == 1).all()
    return Part(x[first], y[first], None if alike else weights)
