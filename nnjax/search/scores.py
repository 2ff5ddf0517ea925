"""Scores of settings on shared seeds, ``[K, S]``: higher is better, and a run that diverged has none.

A diverged run is NaN (an infinite score is taken for one) and worth less than any number. So a setting with such
a run comes after all settings without one, as `nnjax.stats.rank` has it. Who would rather have it count as some
number, 0 for an accuracy, puts that number in its place.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnjax.validation import UserError, check_range, check_type

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def checked(scores: ArrayLike, settings: int | None = None) -> Floats:
    """Scores as an array ``[K, S]`` of float64, NaN where a run diverged.

    Raises:
        UserError: for another shape, no setting, or another number of settings than ``settings``.
    """
    values = np.array(scores, np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise UserError(f"scores have the shape {values.shape}, and must be [settings, seeds]")
    if settings is not None and len(values) != settings:
        raise UserError(f"scores have {len(values)} rows, and must have one for each of the {settings} settings")
    values[~np.isfinite(values)] = np.nan
    return values


def check_number(name: str, value: Any, **bounds: float) -> None:
    """Refuse what is no number or out of bounds, as `check_range` has them.

    Raises:
        UserError: naming the value and what it must be.
    """
    check_type(name, value, float)
    check_range(name, value, **bounds)


def check_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number or too small.

    Raises:
        UserError: naming the value and what it must be.
    """
    check_type(name, value, int)
    check_range(name, value, least=least)


def check_confidence(confidence: Any) -> None:
    """Refuse a confidence that isn't between 0 and 1.

    Raises:
        UserError: naming it.
    """
    check_number("confidence", confidence, above=0, below=1)


def order(scores: Floats, there: Bools | None = None) -> Ints:
    """The settings of ``[…, K, S]``, best first, ``[…, K]``: least share diverged, then highest mean.

    The mean is of the others; what ties stays in order. ``there`` says which runs there are, None for all.
    """
    there = np.full(scores.shape, True) if there is None else there
    sound = there & ~np.isnan(scores)
    count = sound.sum(axis=-1)
    share = np.where(count > 0, 1 - count / np.maximum(there.sum(axis=-1), 1), 1)
    mean = np.where(sound, scores, 0).sum(axis=-1) / np.maximum(count, 1)
    return np.lexsort((-mean, share), axis=-1)


def running(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation (n − 1) of the first n of ``[…, S]`` for each n, ``[…, S]``; NaN for n = 1.

    Sums run over what is added to the first value: equal values have exactly their mean and no deviation.
    """
    n = np.arange(1, values.shape[-1] + 1)
    added = values - values[..., :1]
    mean = np.cumsum(added, axis=-1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(np.cumsum(added**2, axis=-1) - n * mean**2, 0) / (n - 1)
    return values[..., :1] + mean, np.sqrt(variance)
