"""The runs of a labelled result: which dimensions count them, which of them count, and how accurate they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from nnjax.config import RUN_FIELDS

SEEDS = ("seed", *RUN_FIELDS)
"""The dimensions of a labelled result that count runs, of seeds and of folds; the others are axes of the sweep,
and ``epoch``."""

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


class Monitor(NamedTuple):
    """What the best epoch of each run was chosen by, and the best setting is."""

    name: str = "valid_accuracy"
    better: str = "higher"
    """Which of two values is better, higher or lower."""

    @property
    def words(self) -> str:
        """``validation accuracy``."""
        return f"validation {self.name.removeprefix('valid_').replace('_', ' ')}"

    @property
    def extreme(self) -> str:
        """What the best value is: highest or lowest."""
        return {"higher": "highest", "lower": "lowest"}[self.better]

    @property
    def sign(self) -> int:
        """What makes a score of a value, of which the higher is better."""
        return 1 if self.better == "higher" else -1

    @property
    def is_accuracy(self) -> bool:
        """Whether its values are shares, which are said in percent."""
        return self.name == "valid_accuracy"


def monitor_of(results: xr.Dataset) -> Monitor:
    """What all runs of a labelled result have monitored.

    Where settings have monitored several metrics it is the accuracy, and so in files that don't say it.
    """
    said = results["best_epoch"].attrs
    name, better = str(said.get("monitor")), said.get("better")
    return Monitor(name, better) if better in ("higher", "lower") and "monitor" in said else Monitor()


def seed_dims(results: xr.Dataset | xr.DataArray) -> tuple[str, ...]:
    """The dimensions that count runs: ``("seed",)``, ``("init_seed", "data_seed")`` where these were crossed,
    ``("init_seed,data_seed",)`` where they were zipped, ``("data.fold", "seed")`` where folds are an axis, and
    none where one run was made of each setting."""
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
    found = {
        "train": _at_best(results, "train_accuracy"),
        "valid": _at_best(results, "valid_accuracy"),
        "test": results["test_accuracy"],
    }
    return xr.Dataset(found).where((best > 0) & (results["status"] != "diverged"))


def scores(results: xr.Dataset) -> xr.DataArray:
    """The score of each run that counts, by which settings are compared: what was monitored, at its best epoch.

    The higher the better: of a metric of which less is better, such as the loss, it is the negative value.

    Returns:
        ``[axes…, seed…]``, NaN where a run diverged or has no best epoch.
    """
    monitor, best = monitor_of(results), results["best_epoch"]
    there = (best > 0) & (results["status"] != "diverged")
    return monitor.sign * _at_best(results, monitor.name).where(there)


def _at_best(results: xr.Dataset, name: str) -> xr.DataArray:
    """The variable ``name`` at each run's best epoch, at any for a run that has none (0)."""
    best = results["best_epoch"]
    return results[name].sel(epoch=best.where(best > 0, 1).astype(int)).drop_vars("epoch")


def labels_of(values: Sequence[Any]) -> np.ndarray:
    """The labels of values as a configuration holds them."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([str(value) for value in values], dtype=object)
