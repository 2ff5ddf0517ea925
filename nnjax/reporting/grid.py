"""A sweep over two axes as a heat map: the validation accuracy of each setting, the best marked."""

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nnjax.reporting.measured import article, axis, end, factor
from nnjax.reporting.style import INK, PALETTE, STYLE
from nnjax.reporting.table import FEW
from nnjax.results import stats
from nnjax.results.stats import Overview

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

LONGEST = 40
"""Values of an axis whose cells can still be seen."""
ROOM = (8.2, 5.6)
"""Inches for all cells, at most."""


class _Cells(NamedTuple):
    """A heat map ``[Y, X]``: numbers, whether runs diverged, the best; names and labels of both axes."""

    percent: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    best: tuple[int, int] | None
    names: tuple[str, str]
    labels: tuple[list[str], list[str]]


def has_grid(results: xr.Dataset | Overview) -> bool:
    """Whether a heat map says more than a table: two axes of at most 40 values, more than 8 settings."""
    found = stats.overview(results)
    sizes = _varied(found).values()
    return len(sizes) == 2 and len(found) > FEW and max(sizes) <= LONGEST


def title(results: xr.Dataset | Overview) -> str:
    """``Validation accuracy by learning_rate and hidden``."""
    found = stats.overview(results)
    return f"Validation {found.measure.words} by {' and '.join(_name(found, axis) for axis in _varied(found))}"


def grid(results: xr.Dataset | Overview) -> "Figure":
    """A cell for each setting: its mean validation accuracy in percent, over the runs that didn't diverge.

    In the place of the accuracy stands the measure of the task, of a regression R². Numbers ascend, everything
    else stands in the order of the sweep; the longer axis is drawn across. The best setting (`stats.rank`) has
    a frame. The colours are those of cividis, which differ in lightness for every eye; they end five times as
    far below the highest accuracy as the median is, so that a setting that failed doesn't make one colour of
    all others.
    """
    import matplotlib
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    found = stats.overview(results)
    cells = _cells(found)
    rows, columns = cells.percent.shape
    low, high = ends(cells.percent)
    clipped = bool((cells.percent < low).any())
    scale = Normalize(low, high)
    width, height = min(1.0, ROOM[0] / columns), min(0.36, ROOM[1] / rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width * columns + 1.8, height * rows + 0.9), layout="constrained")
        panel = figure.subplots()
        panel.grid(False)
        colours = matplotlib.colormaps["cividis"].resampled(40)  # steps, as of more the bar would be an image
        mesh = panel.pcolormesh(cells.percent, cmap=colours, norm=scale, edgecolors="white", linewidth=0.5)
        _write(panel, cells, lambda value: colours(scale(value)), width, height)
        if cells.best is not None:
            y, x = cells.best
            frame = Rectangle((x, y), 1, 1, fill=False, edgecolor=PALETTE[1], linewidth=3, clip_on=False, zorder=3)
            panel.add_patch(frame)
        slanted = max(map(len, cells.labels[1])) * 0.09 > width
        slant: Any = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        panel.set_xticks(np.arange(columns) + 0.5, cells.labels[1], **slant)
        panel.set_yticks(np.arange(rows) + 0.5, cells.labels[0])
        panel.tick_params(length=0, labelsize=8 if height > 0.15 and width > 0.15 else 5)
        panel.spines[:].set_visible(False)
        # Broken where it is longer than its axis.
        upright = textwrap.fill(cells.names[0], max(12, int(height * rows * 12)), break_long_words=False)
        panel.set(xlabel=cells.names[1], ylabel=upright)
        add_bar(figure, panel, mesh, axis(found.measure), clipped=clipped, pad=0.02)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def add_bar(
    figure: "Figure", panel: "Axes", colours: "ScalarMappable", label: str, *, clipped: bool, pad: float
) -> None:
    """The bar that says which accuracy a colour is; pointed where some lie below its end."""
    bar = figure.colorbar(colours, ax=panel, aspect=25, pad=pad, extend="min" if clipped else "neither")
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.grid(False)


def caption(results: xr.Dataset | Overview) -> str:
    """What stands in the cells of `grid`, for the text below the figure."""
    found = stats.overview(results)
    cells = _cells(found)
    what = f"{found.measure.words}{' in percent' if found.measure.percent else ''}"
    words = [f"Mean validation {what}, at each run's best epoch, over the runs that didn't diverge."]
    if cells.best is not None:
        words.append(f"The frame is around the best setting, chosen on {found.monitor.words}.")
    low, _ = ends(cells.percent)
    if (cells.percent < low).any():
        words.append(f"The colours end at {end(low, found.measure)}.")
    nothing = np.isnan(cells.percent)
    if (cells.diverged & ~nothing).any():
        words.append("†: some runs of the setting diverged.")
    if nothing.any():
        words.append(f"–: no run has {article(found.measure)}.")
    return " ".join(words)


def _varied(found: Overview) -> dict[str, int]:
    """The axes of more than one value."""
    return {axis: size for axis, size in found.axes.items() if size > 1}


def _fields(found: Overview, axis: str) -> list[str]:
    """The fields that an axis sets."""
    metrics = found.metrics
    return [name for name in found.columns if metrics[name].dims == (axis,)]


def _name(found: Overview, axis: str) -> str:
    return ", ".join(_fields(found, axis))


def _cells(found: Overview) -> _Cells:
    sizes = _varied(found)
    first, second = sizes
    runs = found.at_best["valid"].values.reshape(len(found), -1).astype(np.float64)
    there = ~np.isnan(runs)
    count = there.sum(axis=1)
    percent = np.where(
        count, factor(found.measure) * np.where(there, runs, 0).sum(axis=1) / np.maximum(count, 1), np.nan
    )
    shape, across = tuple(sizes.values()), sizes[first] > sizes[second]  # the longer axis is drawn across
    places = np.arange(len(found)).reshape(shape)[np.ix_(_order(found, first), _order(found, second))]
    if across:
        places, first, second = places.T, second, first
    upwards = _numeric(found, first)
    if not upwards:  # what has no order is read downwards
        places = places[::-1]
    best = np.argwhere(places == found.order[0])[0]
    y, x = map(int, best)
    return _Cells(
        percent[places],
        found.diverged[places] > 0,
        None if np.isnan(percent[places[y, x]]) else (y, x),
        (_name(found, first), _name(found, second)),
        (_labels(found, first)[:: 1 if upwards else -1], _labels(found, second)),
    )


def ends(percent: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the highest accuracy that have a colour or a height of their own, so that settings that failed
    don't make one of all others."""
    there = percent[np.isfinite(percent)]
    if not there.size:
        return 0.0, 100.0
    low, high = float(there.min()), float(there.max())
    lead = high - float(np.median(there))
    low = max(low, high - 5 * lead) if lead else low
    return (low, high) if low < high else (low, low + (1 if abs(low) > 1 else 0.01))


def _order(found: Overview, axis: str) -> NDArray[np.int64]:
    """The places along an axis as they are drawn: numbers ascend, other labels stay in order."""
    values = found.metrics[_fields(found, axis)[0]].values
    return np.argsort(values, kind="stable") if _numeric(found, axis) else np.arange(len(values))


def _numeric(found: Overview, axis: str) -> bool:
    fields = _fields(found, axis)
    return len(fields) == 1 and found.metrics[fields[0]].dtype.kind in "iuf"


def _labels(found: Overview, axis: str) -> list[str]:
    columns = [found.metrics[name].values for name in _fields(found, axis)]
    texts = []
    for place in _order(found, axis):
        values = [column[place] for column in columns]
        texts.append(", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values))
    return [text.replace("$", r"\$") for text in texts]


def _write(
    panel: "Axes", cells: _Cells, colour: Callable[[float], tuple[float, ...]], width: float, height: float
) -> None:
    """The numbers in cells of so many inches, where there is room: dark on light, and light on dark."""
    # Points that a text of five characters may have, and one of three, without decimals.
    digits, size = (1, width * 14) if width * 14 > 6.5 else (0, width * 22)
    size = min(9.0, size, height * 40)
    if size < 5.5:
        return
    for (y, x), value in np.ndenumerate(cells.percent):
        nothing = np.isnan(value)
        light = not nothing and np.dot(colour(value)[:3], (0.299, 0.587, 0.114)) > 0.5
        panel.text(
            x + 0.5,
            y + 0.5,
            "–" if nothing else f"{value:.{digits}f}{'†' if cells.diverged[y, x] else ''}",
            color=INK if nothing else "black" if light else "white",
            fontsize=size,
            fontweight="bold" if cells.best == (y, x) else "normal",
            ha="center",
            va="center_baseline",
            in_layout=False,  # it is within its cell, and to measure hundreds takes a second
        )
