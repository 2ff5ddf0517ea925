"""What is drawn of the learning curves of a result, and what is said of it below the figure."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nnjax.results import stats
from nnjax.results.stats import Overview, Setting

MOST_LINES = 8
"""Settings that can be told apart by colour and marker."""
BEST = 5
"""Settings that are drawn where there are too many to draw them all: the best."""
MOST_COLOURS = 32
"""Settings that a colour bar can still tell apart."""
POINTS = 200
"""Epochs drawn of a curve: more can't be seen, and make the file large."""
FAR = 1000
"""A curve leaves the loss axis where it rises above this many times what most curves reach."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What is drawn: the settings, and whether they are colours of a colour bar."""

    found: Overview
    settings: list[Setting]
    by_colour: bool

    @property
    def epochs(self) -> int:
        return int(self.found.metrics.sizes["epoch"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Training's curves as well where there is room for them."""
        return ("valid",) if self.by_colour else ("train", "valid")

    @property
    def finished(self) -> int:
        """The most runs that count of a setting."""
        return max(setting.total - setting.diverged for setting in self.settings)

    def curves(self, name: str) -> xr.DataArray:
        """``[setting, seed…, epoch]`` of the epochs drawn."""
        shown = np.unique(np.linspace(0, self.epochs - 1, min(self.epochs, POINTS)).round().astype(int))
        return self.found.curves(name, [setting.place for setting in self.settings]).isel(epoch=shown)

    @cached_property
    def tops(self) -> NDArray[np.float64]:
        """The highest mean loss of each setting's curves, ``[splits, K]``."""
        return np.array([_highest(self.curves(f"{split}_loss")) for split in self.splits])

    @cached_property
    def leaving(self) -> NDArray[np.bool_]:
        """The curves that leave the loss axis, ``[splits, K]``: up to them all others would be flat."""
        there = self.tops[self.tops > 0]
        if not there.size:
            return np.zeros(self.tops.shape, bool)
        return self.tops > FAR * np.quantile(there, 0.25, method="lower")


def choose(results: xr.Dataset | Overview) -> Curves:
    """All settings of a few; of many those of one number as colours, or else the best.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    if len(found) <= MOST_LINES:
        return Curves(found, stats.settings(found), False)
    columns = list(found.columns.values())
    if len(columns) == 1 and columns[0].dtype.kind in "iuf" and len(found) <= MOST_COLOURS:
        by_value = np.argsort(columns[0], kind="stable")
        return Curves(found, [found.setting(place) for place in by_value], True)
    best = np.sort(found.order[:BEST])
    return Curves(found, [found.setting(place) for place in best], False)


def caption(results: xr.Dataset | Overview) -> str:
    """What the lines and bands of `learning_curves` are, for the text below the figure."""
    drawn = choose(results)
    settings, measure = drawn.settings, drawn.found.measure.words
    if "train" in drawn.splits:
        valid, train = ("filled", "hollow") if drawn.epochs == 1 else ("solid", "dashed")
        words = [
            f"Loss (left) and {measure} (right) by epoch; validation {valid}, training {train}.",
            "Training is the running mean over the steps of an epoch, while the network changes; validation is "
            "measured after the epoch.",
        ]
    else:
        words = [f"Validation loss (left) and {measure} (right), measured after each epoch."]
    if drawn.finished > 1:
        mean, band = ("points", "bars") if drawn.epochs == 1 else ("lines", "bands")
        words.append(
            f"The {mean} are means over the runs of a setting, the {band} 95% bootstrap intervals of that mean at "
            f"each epoch by itself; one that can't be seen is narrower than its {mean[:-1]}."
        )
    else:
        words.append("At most one run of a setting finished, so there are no intervals.")
    total = sum(setting.total for setting in settings)
    if stopped := sum(setting.stopped for setting in settings):
        words.append(
            f"Stopped before the last epoch: {stopped} of {total} runs; a mean is over those that came to its "
            "epoch."
        )
    if count := int(drawn.leaving.sum()):
        out = [setting.label for setting, leaves in zip(settings, drawn.leaving.T, strict=True) if leaves.any()]
        whose = f" of {out[0]}" if len(out) == 1 else f" of {len(out)} settings"
        leave = "1 curve{} leaves" if count == 1 else f"{count} curves{{}} leave"
        words.append(f"{leave.format(whose)} the loss axis, up to {drawn.tops[drawn.leaving].max():.0e}.")
    if len(settings) < len(drawn.found):
        by = drawn.found.monitor.words
        words.append(f"Drawn are the best {len(settings)} of {len(drawn.found)} settings by {by}.")
    if left_out := sum(setting.diverged for setting in settings):
        words.append(f"Diverged and left out: {left_out} of {total} runs.")
    return " ".join(words)


def _highest(curves: xr.DataArray) -> NDArray[np.float64]:
    """The highest mean over the runs of each setting's curve, ``[K]``; NaN where no run counts."""
    values = curves.transpose("setting", "epoch", ...).values.astype(np.float64)
    values = values.reshape(*values.shape[:2], -1)
    there = ~np.isnan(values)
    count = there.sum(axis=-1)
    means = np.where(there, values, 0).sum(axis=-1) / np.maximum(count, 1)
    highest = np.where(count > 0, means, -np.inf).max(axis=1)
    return np.where(count.any(axis=1), highest, np.nan)
