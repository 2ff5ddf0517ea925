"""The runs of a labelled result: which dimensions count them, which of them count, and how accurate they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from nnjax.config import SEED_FIELDS

SEEDS = ("seed", *SEED_FIELDS)
"""The dimensions of a labelled result that count runs; the others are axes of the sweep, and ``epoch``."""

METRICS = (
    *("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"),
    *("test_accuracy", "best_epoch", "status"),
)
"""The variables of a labelled result that statistics, figures and pages are made of; others may be missing."""

OF_SEARCH = (
    *("contender", "fresh_valid_accuracy", "fresh_test_accuracy"),
    *("is_set", "importance", "importance_low", "importance_high"),
)
"""What the result of a search has beside these: who may be the best, the best's runs with fresh seeds; where each
field of the space is set, and how much it mattered."""


def seed_dims(results: xr.Dataset | xr.DataArray) -> tuple[str, ...]:
    """The dimensions that count runs: ``("seed",)``, ``("init_seed", "data_seed")`` where these were crossed,
    ``("init_seed,data_seed",)`` where they were zipped, and none where one run was made of each setting."""
    return tuple(str(dim) for dim in results.dims if set(str(dim).split(",")) <= set(SEEDS))


def counted(results: xr.Dataset, name: str) -> xr.DataArray:
    """The variable ``name`` of the runs that count: NaN for a run that diverged, at all its epochs.

    A run that was stopped counts, up to the epoch at whose end it was.
    """
    return results[name].where(results["status"] != "diverged")


def accuracies(results: xr.Dataset) -> xr.Dataset:
    """``train``, ``valid`` and ``test`` accuracy of each run that counts, at its best validation epoch.

    Args:
        results: a labelled result, or the runs of one setting.

    Returns:
        Each ``[axes…, seed…]``, NaN where a run diverged or has no best epoch.
    """
    best = results["best_epoch"]
    at = best.where(best > 0, 1).astype(int)  # any epoch will do for a run that has no best one (0)
    found = {
        "train": results["train_accuracy"].sel(epoch=at),
        "valid": results["valid_accuracy"].sel(epoch=at),
        "test": results["test_accuracy"],
    }
    return xr.Dataset(found).drop_vars("epoch").where((best > 0) & (results["status"] != "diverged"))


def labels_of(values: Sequence[Any]) -> np.ndarray:
    """The labels of values as a configuration holds them."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([str(value) for value in values], dtype=object)
