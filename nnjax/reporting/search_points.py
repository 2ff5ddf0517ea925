"""The accuracy of a search's settings by each field, a panel for each."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from nnjax.reporting.grid import ends
from nnjax.reporting.measured import axis
from nnjax.reporting.searched import MISSING, Column, Floats, columns, contenders, plain, scores
from nnjax.reporting.style import PALETTE, STYLE
from nnjax.results import stats
from nnjax.results.stats import Overview

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
"""Columns that are drawn: of more, those whose fields mattered most."""
BELOW, DIVERGED = -0.06, -0.16
"""Where settings stand whose accuracy is below the axis, and that diverged, in heights of the axis."""
MAYBE, BEST, OTHER, LOST = PALETTE[0], PALETTE[1], "#8a8f98", PALETTE[7]


def by_field(results: xr.Dataset | Overview) -> "Figure":
    """A panel for each field: the mean validation accuracy of each setting with its 95% interval over seeds.

    The axis is logarithmic where the field's distribution is, or is none and its values span a factor above 30.
    Categories, and numbers of which each has several settings, stand side by side; a setting without the field
    stands left of all. The accuracy axis ends as the colours of `grid` do: what is below stands at its foot, and
    under that what diverged.
    """
    import matplotlib
    from matplotlib.figure import Figure

    found = stats.overview(results)
    drawn = columns(found)[:MOST_PANELS]
    mean, low, high = scores(found)
    bottom, top = ends(mean)
    under = bool((mean < bottom).any())
    if not under:  # so that no bar is cut
        bottom = float(np.nanmin([*mean, *low]))
    height = top - bottom
    across = min(3, len(drawn))
    down = -(-len(drawn) // across)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10 if across > 1 else 5.6, 2.5 * down + 0.75), layout="constrained")
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for number, (panel, column) in enumerate(zip(panels, drawn, strict=False)):
            _draw_points(panel, found, column, (mean, low, high), bottom, height)
            _label(panel, column)
            if number % across:
                panel.tick_params(axis="y", length=0)
        for panel in panels[len(drawn) :]:
            panel.remove()
        lost = bool((found.diverged > 0).any())
        foot = DIVERGED if lost else BELOW if under else 0
        best = np.nanmax(np.where(np.isnan(high), mean, high))
        panels[0].set_ylim(bottom + (foot - 0.06) * height, max(best, top) + 0.06 * height)
        ticks = [tick for tick in panels[0].get_yticks() if bottom - 0.02 * height <= tick <= top + 0.1 * height]
        panels[0].set_yticks([tick for tick in ticks if tick <= panels[0].get_ylim()[1]])
        for row in range(down):
            panels[row * across].set_ylabel(axis(found.measure))
        _legend(figure, found, under, lost, 6 if across > 1 else 3)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _draw_points(
    panel: "Axes",
    found: Overview,
    column: Column,
    values: tuple[Floats, Floats, Floats],
    bottom: float,
    height: float,
) -> None:
    mean, low, high = values
    x = column.jittered()
    best = np.arange(len(found)) == found.order[0]
    maybe = contenders(found) & ~best
    panel.set_xlim((MISSING - 0.07) if np.isnan(column.values).any() else -0.05, 1.05)
    seen = mean >= bottom
    bars = seen & np.isfinite(low)
    # All bars of a look as one line with gaps, which is a tenth of the file.
    for which, colour, alpha in ((~maybe & ~best, OTHER, 0.45), (maybe, MAYBE, 0.55), (best, BEST, 1)):
        here = np.flatnonzero(bars & which)
        gap = np.full(len(here), np.nan)
        xs = np.column_stack([x[here], x[here], gap]).ravel()
        ys = np.column_stack([np.maximum(low[here], bottom), high[here], gap]).ravel()
        panel.plot(xs, ys, color=colour, alpha=alpha, linewidth=0.9, zorder=2)
    size = 3.4 if len(found) > 60 else 4.2
    dot: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 0}
    panel.plot(x[seen & ~maybe & ~best], mean[seen & ~maybe & ~best], "o", color=OTHER, markersize=size, **dot)
    panel.plot(x[seen & maybe], mean[seen & maybe], "o", color=MAYBE, markersize=size + 0.8, zorder=3, **dot)
    panel.plot(x[best & seen], mean[best & seen], "*", color=BEST, markersize=12, zorder=4, **dot)
    under = mean < bottom
    panel.plot(x[under], np.full(under.sum(), bottom + BELOW * height), "v", color=OTHER, markersize=size, **dot)
    lost = np.isnan(mean)
    panel.plot(
        x[lost], np.full(lost.sum(), bottom + DIVERGED * height), "x", color=LOST, markersize=4.5, linestyle="none"
    )


def _label(panel: "Axes", column: Column) -> None:
    """Ticks and name of the axis of a panel, short enough for it."""
    places, texts = column.ticks()
    if np.isnan(column.values).any():
        places, texts = np.array([MISSING, *places]), ["not set", *texts]
        panel.axvline(MISSING / 2, color="#8C8C8C", linewidth=0.6, alpha=0.5)
    slanted = sum(map(len, texts)) > 34 or (column.labels and max(map(len, texts)) * len(texts) > 42)
    slant: Any = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    panel.set_xticks(places, [plain(textwrap.shorten(text, 22, placeholder="…")) for text in texts], **slant)
    panel.set_xlabel(plain(column.name))
    if column.labels:
        panel.grid(False, axis="x")
        panel.tick_params(axis="x", length=0)


def _legend(figure: "Figure", found: Overview, under: bool, lost: bool, columns: int) -> None:
    from matplotlib.lines import Line2D

    kinds = [("best", "*", BEST, 11.0)]
    if contenders(found).sum() > 1:
        kinds.append(("may be the best too", "o", MAYBE, 5.0))
    if not contenders(found).all():
        kinds.append(("other settings", "o", OTHER, 4.2))
    kinds += [("below the axis", "v", OTHER, 4.2)] * under + [("diverged", "x", LOST, 4.5)] * lost
    handles = [
        Line2D([], [], label=label, marker=marker, color=colour, markersize=size, linestyle="none")
        for label, marker, colour, size in kinds
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(columns, len(kinds)))
