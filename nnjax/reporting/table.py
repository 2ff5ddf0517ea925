"""The accuracy of each setting as a table for a terminal, and the rows that a page's table has too."""

import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import xarray as xr

from nnjax.reporting.measured import heading, number
from nnjax.results import stats
from nnjax.results.stats import Estimate, Overview, Setting

MOST_ROWS = 40
"""Settings that a table shows."""
FEW = 8
"""Settings that stand in the order of the sweep; more are sorted, the best first."""
WIDTH = 100
"""Columns of a terminal."""
SPLITS = {"train": "training", "valid": "validation", "test": "test"}


class Row(NamedTuple):
    """A setting, the mean accuracies of its runs that count (by split), and whether it is the best."""

    setting: Setting
    means: dict[str, Estimate]
    best: bool


def table(results: xr.Dataset | Overview) -> str:
    """A row for each setting, for a terminal: accuracies at the best validation epoch, runs, how many diverged.

    Accuracies are means over the runs that didn't diverge, in percent, ± half the width of the 95% interval
    (`stats.interval`); in their place stands the measure of the task, of a regression R². A star marks the
    best setting (`stats.rank`). More than 8 settings are sorted, the best first, and of more than 40 the best
    40 stand in it. Where there is too little room names are stacked, and the training accuracies and counts
    that say nothing give way; where even that isn't enough, each setting takes several lines, and 8 are shown.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    shown = rows(found)
    fields = names(shown[0].setting)
    texts = [values(row.setting) for row in shown]
    stacked = [re.split(r"[_.]", name) for name in fields]
    said = ""
    for heads, splits, terse in (
        ([[name] for name in fields], ("train", "valid", "test"), False),
        (stacked, ("train", "valid", "test"), False),
        (stacked, ("valid", "test"), False),
        (stacked, ("valid", "test"), True),
    ):
        numbers, said = _numbers(found, shown, splits, terse)
        left = _columns(heads, texts)
        room = WIDTH - len("*  ") - len("  ") - len(numbers[0])
        if len(left[0]) <= room:
            break
    else:
        if len(found) > FEW:
            shown = shown[:FEW]  # several lines of each
        numbers, said = _numbers(found, shown, tuple(SPLITS), False)
        room = WIDTH - len("*  ") - len("  ") - len(numbers[0])
        labels = [_broken(row.setting.label, room) for row in shown]
        width = max(len(line) for label in labels for line in label.split("\n"))
        left = [f"{'setting':<{width}}", *labels]
    above = len(left) - 1 - len(shown)  # lines of names above the one that the numbers' names are on
    width = len(left[above])
    lines = [f"   {line:<{width}}  {'':<{len(numbers[0])}}" for line in left[:above]]
    marks = [" ", *("*" if row.best else " " for row in shown)]
    for mark, name, right in zip(marks, left[above:], numbers, strict=True):
        first, *more = name.split("\n")
        lines += [f"{mark}  {first:<{width}}  {right}", *(f"   {line}" for line in more)]
    return "\n".join([*lines, "", textwrap.fill(note(found, shown, "± half the width of", "*") + said, WIDTH)])


def rows(found: Overview) -> list[Row]:
    """The rows of a table: a few settings in the order of the sweep, of more the best, the best first."""
    places = found.order[:MOST_ROWS]
    if len(found) <= FEW:
        places = np.sort(places)
    at_best = found.at_best.isel(setting=places)
    means = {}
    for split in SPLITS:
        columns = stats.summary(at_best[split])
        ends = (columns[name].values.tolist() for name in ("mean", "low", "high", "n"))
        means[split] = [Estimate(*numbers) for numbers in zip(*ends, strict=True)]
    return [
        Row(
            found.setting(place),
            {split: column[row] for split, column in means.items()},
            bool(len(found) > 1 and place == found.order[0] and means["valid"][row].n > 0),
        )
        for row, place in enumerate(places)
    ]


def names(setting: Setting) -> list[str]:
    """The names of the columns that say which setting a row is of."""
    return list(setting.fields) or ["setting"]


def values(setting: Setting) -> list[str]:
    """What stands in these columns."""
    return setting.values or ["as configured"]


def counts(found: Overview, setting: Setting) -> dict[str, int]:
    """How many runs a setting has, how many diverged, and how many were stopped where any was of any setting."""
    stopped = {"stopped": setting.stopped} if found.stopped.any() else {}
    return {"runs": setting.total, "diverged": setting.diverged} | stopped


def note(found: Overview, shown: Sequence[Row], spread: str, mark: str) -> str:
    """What the numbers of a table are."""
    few = min((row.means["test"].n for row in shown if row.means["test"].n > 1), default=0)
    which = "finished or were stopped" if found.stopped.any() else "finished"
    best = "best validation epoch"
    if found.monitor.name != f"valid_{found.measure.name}":
        best = f"epoch of the {found.monitor.extreme} {found.monitor.words}"
    what = f"{heading(found.measure)}{' in percent' if found.measure.percent else ''}"
    words = f"{what} at each run's {best}: mean over the runs that {which}"
    words += f", {spread} its 95% interval." if few else ", without intervals, which take two runs."
    if 0 < few < 8:
        words += f" Intervals of few runs (here {few}) are too narrow: with 4 runs, 80% of them cover the mean."
    if any(row.best for row in shown):
        words += f" {mark}: chosen on {found.monitor.words}, settings with diverged runs last."
    left_out = len(found) - len(shown)
    if left_out:
        words += f" Shown are the best {len(shown)} settings, the best first; {left_out} are left out."
    elif len(found) > FEW:
        words += " The best stand first."
    return words


def _numbers(found: Overview, shown: Sequence[Row], splits: Sequence[str], terse: bool) -> tuple[list[str], str]:
    """The right half of the table, its names first, and what is said instead of the columns that are left out."""
    tallies = [counts(found, row.setting) for row in shown]
    accuracies = "accuracies" if found.measure.name == "accuracy" else found.measure.words
    said = "" if "train" in splits else f" Training {accuracies} are left out, for want of room."
    if terse:
        least = found.total - int(found.missing.max())
        runs = f"{f'from {least} to ' if least < found.total else ''}{found.total}"
        said += f" Each setting has {runs} run{'' if found.total == 1 else 's'}"
        said += "." if any(row.setting.diverged for row in shown) else ", and none of these diverged."
    words = [
        word for word in tallies[0] if not terse or (word != "runs" and any(tally[word] for tally in tallies))
    ]
    cells = [
        [*(_plus_minus(found, row.means[split]) for split in splits), *(str(tally[word]) for word in words)]
        for row, tally in zip(shown, tallies, strict=True)
    ]
    head = [*(SPLITS[split] for split in splits), *words]
    return _aligned("<" * len(splits) + ">" * len(words), [head, *cells]), said


def _columns(heads: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]) -> list[str]:
    """The left half of the table, its names first, which may take several lines and end on the same."""
    turned = [list(reversed(head)) for head in heads]
    lines = [list(line) for line in zip_longest(*turned, fillvalue="")][::-1]
    return _aligned("<" * len(heads), [*lines, *texts])


def _plus_minus(found: Overview, estimate: Estimate) -> str:
    half = (estimate.high - estimate.low) / 2
    return (
        f"{number(estimate.mean, found.measure):>6}{'' if np.isnan(half) else f' ± {number(half, found.measure)}'}"
    )


def _aligned(sides: str, cells: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with straight columns, each to the left (<) or to the right (>)."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in cells
    ]


def _broken(label: str, width: int) -> str:
    """A long label on several lines, broken between its fields."""
    whole = label.replace(" ", "\u00a0").replace(",\u00a0", ", ")
    return textwrap.fill(whole, width).replace("\u00a0", " ")
