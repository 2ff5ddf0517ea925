"""When a network stops, as scikit-learn says it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Rule(NamedTuple):
    """A network stops after more than ``patience`` epochs that weren't better than the best by ``tol``.

    What counts is its training loss; or, where it has a score, what that makes of the validation set's metrics.
    """

    tol: float
    patience: float
    best: float = np.inf
    """The lowest loss so far, or minus the highest score."""
    waited: int = 0
    """Epochs so far that weren't better."""
    score: Callable[[Mapping[str, Any]], float] | None = None
    """Of the metrics of an epoch, ``valid_…``."""
    share: float = 1.0
    """What the recorded loss is multiplied by: scikit-learn says the mean over targets whose sum it learns."""
    decay: float = 0.0
    """λ of the penalty ½ λ ‖W‖² that is a part of the loss."""


def accuracy(metrics: Mapping[str, Any]) -> float:
    """Of classes."""
    return float(metrics["valid_accuracy"])


def subset_accuracy(metrics: Mapping[str, Any]) -> float:
    """Of several labels, or of two classes."""
    return float(metrics["valid_subset_accuracy"])


class R2:
    """R² of the validation set, its mean over the targets, from their root mean squared errors.

    Args:
        y: targets [N, C] of the validation set.
        weight: of each example; None for 1.
    """

    def __init__(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        mean = np.average(y, axis=0, weights=weight)
        self.variance = np.average((y - mean) ** 2, axis=0, weights=weight)

    def __call__(self, metrics: Mapping[str, Any]) -> float:
        """Of the metrics of an epoch."""
        error = np.atleast_1d(np.asarray(metrics["valid_rmse"], float)) ** 2
        changes = self.variance > 0
        r2 = np.where(changes, 1 - error / np.where(changes, self.variance, 1), np.float64(error == 0))
        return float(r2.mean())
