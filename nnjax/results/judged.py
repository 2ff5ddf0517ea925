"""How good predictions are: by one number of the task, and by class.

What scikit-learn computes, it computes here, on predictions; weights count as they do there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Num

BINS = 15
"""Bins of a probability in which the calibration error compares it with what came true."""

WORDS = {
    "precision": "share of those given to a class that are of it",
    "recall": "share of those of a class that are given to it",
    "f1": "harmonic mean of precision and recall",
    "roc_auc": "probability that one of the class has a higher output than one that isn't",
    "calibration_error": f"expected calibration error of the class's probability, in {BINS} bins",
    "support": "weight of the examples of a class, or how many there are",
}


def accuracy(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None) -> float:
    """The share of examples that are given to their class."""
    return float(np.average(predicted == y, weights=weight))


def r2(y: Num[np.ndarray, "N C"], predicted: Num[np.ndarray, "N C"], weight: np.ndarray | None) -> float:
    """R² = 1 − Σ(z − y)² / Σ(y − ȳ)², its mean over the targets, by scikit-learn."""
    from sklearn.metrics import r2_score

    return float(r2_score(y, predicted, sample_weight=weight))


def macro_f1(y: Num[np.ndarray, "N C"], said: Num[np.ndarray, "N C"], weight: np.ndarray | None) -> float:
    """The mean of the labels' F1, by scikit-learn; 0 for one that never is there nor is said to be."""
    from sklearn.metrics import f1_score

    return float(f1_score(y, said, sample_weight=weight, average="macro", zero_division=0))


SCORES: dict[str, Callable[[Any, Any, Any], float]] = {
    "classification": accuracy,
    "regression": r2,
    "multilabel": macro_f1,
}
"""``(true, said, weight) -> score`` by task."""


def calibration_error(
    y: Num[np.ndarray, " N"], probability: Float[np.ndarray, " N"], weight: np.ndarray | None = None
) -> float:
    """Σ_b w_b |ȳ_b − p̄_b| over bins of equal width of the probability (Naeini et al., 2015).

    Args:
        y: 1 where it came true, else 0.
        probability: that it does.
        weight: of each example; None for 1.
    """
    weight = np.ones(len(y)) if weight is None else weight
    bins = np.clip(np.ceil(np.asarray(probability, float) * BINS).astype(int) - 1, 0, BINS - 1)
    apart = np.bincount(bins, weight * (y - np.asarray(probability, float)), BINS)
    return float(np.abs(apart).sum() / weight.sum())


def by_class(
    true: Num[np.ndarray, "N C"],
    said: Num[np.ndarray, "N C"],
    probability: Float[np.ndarray, "N C"],
    weight: np.ndarray | None = None,
    names: Sequence[Any] | None = None,
) -> xr.Dataset:
    """Precision, recall, F1, ROC AUC (against all others), calibration error and support, each by ``class``.

    Args:
        true: 1 where an example is of the class, else 0.
        said: likewise what was predicted.
        probability: of each class.
        weight: of each example; None for 1.
        names: of the classes, by which they are labelled; None for their numbers.

    Returns:
        NaN stands for the ROC AUC of a class that all examples are of, or none.
    """
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    classes = range(true.shape[1])
    three = precision_recall_fscore_support(true, said, sample_weight=weight, zero_division=0, labels=classes)
    found: dict[str, Any] = dict(zip(("precision", "recall", "f1"), three, strict=False))
    mixed = (true.min(axis=0) == 0) & (true.max(axis=0) == 1)
    found["roc_auc"] = [
        roc_auc_score(true[:, c], probability[:, c], sample_weight=weight) if mixed[c] else np.nan for c in classes
    ]
    found["calibration_error"] = [calibration_error(true[:, c], probability[:, c], weight) for c in classes]
    found["support"] = true.astype(float).sum(axis=0) if weight is None else weight @ true
    columns = {
        name: ("class", np.asarray(values, float), {"long_name": WORDS[name]}) for name, values in found.items()
    }
    return xr.Dataset(columns, {"class": list(classes if names is None else names)})
