"""The settings of a search as lines across the axes of all fields."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from nnjax.reporting.grid import add_bar, ends
from nnjax.reporting.measured import axis
from nnjax.reporting.searched import MISSING, Floats, columns, plain, scores
from nnjax.reporting.style import INK, PALETTE, PAPER, STYLE
from nnjax.results import stats
from nnjax.results.stats import Overview

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_AXES = 8
"""Columns that are drawn: of more, those whose fields mattered most."""
BEST, LOST = PALETTE[1], PALETTE[7]


def parallel(results: xr.Dataset | Overview) -> "Figure":
    """A line for each setting across the axes of all fields to its validation accuracy, which is its colour too.

    Better settings are drawn over worse ones, the best on top in a colour of its own. A setting that doesn't have
    a field passes below its axis; what diverged is dashed and ends there. Lines through a category lie side by
    side.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.figure import Figure

    found = stats.overview(results)
    drawn = columns(found)[:MOST_AXES]
    mean, _, _ = scores(found)
    bottom, top = ends(mean)
    height = np.clip((mean - bottom) / (top - bottom), 0, 1)
    heights = np.column_stack(
        [*(column.jittered() for column in drawn), np.where(np.isnan(mean), MISSING, height)]
    )
    # Without the ends of viridis, of which one is lost on white; in steps, of more the bar would be an image.
    inner = matplotlib.colormaps["viridis"](np.linspace(0.05, 0.9, 40))
    colours = LinearSegmentedColormap.from_list("inner", list(inner), N=40)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        panel = figure.subplots()
        at = np.arange(len(drawn) + 1)
        width = 1.5 if len(found) <= 20 else 1.1 if len(found) <= 80 else 0.8
        for above, place in enumerate(found.order[::-1]):  # the best last
            look: dict[str, Any] = {"color": colours(height[place]), "linewidth": width, "alpha": 0.85}
            if np.isnan(mean[place]):
                look = {"color": LOST, "linewidth": 0.7, "linestyle": (0, (3, 2)), "alpha": 0.7}
            elif place == found.order[0]:
                look = {"color": BEST, "linewidth": 2.6, "marker": "*", "markersize": 8}
            panel.plot(at, heights[place], zorder=2 + above / len(found), solid_joinstyle="round", **look)
        for x, column in enumerate(drawn):
            panel.axvline(x, color=INK, linewidth=0.8, zorder=3.5)
            _write_ticks(panel, x, *column.ticks())
            if np.isnan(column.values).any():
                _write_ticks(panel, x, np.array([MISSING]), ["not set"])
        _write_accuracies(panel, len(drawn), bottom, top, bool(np.isnan(mean).any()))
        foot = MISSING - 0.07 if np.nanmin(heights) < 0 else -0.04
        panel.set(xlim=(-0.35, len(drawn) + 0.12), ylim=(foot, 1.04), yticks=[])
        room = 100 // (len(drawn) + 1)
        panel.set_xticks(at, [_broken(name, room) for name in [*(c.name for c in drawn), axis(found.measure)]])
        panel.tick_params(length=0, labeltop=True, labelbottom=False)
        panel.grid(False)
        panel.spines[:].set_visible(False)
        mappable = ScalarMappable(Normalize(bottom, top), colours)
        add_bar(figure, panel, mappable, axis(found.measure), clipped=bool((mean < bottom).any()), pad=0.01)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _write_ticks(panel: "Axes", x: float, places: Floats, texts: list[str]) -> None:
    for y, text in zip(places, texts, strict=True):
        label = plain(textwrap.shorten(text, 16, placeholder="…"))
        # On a ground of its own, or it is lost between the lines.
        ground = {"facecolor": PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.8}
        panel.text(x - 0.03, y, label, ha="right", va="center", fontsize=8, zorder=4, bbox=ground, in_layout=False)


def _write_accuracies(panel: "Axes", x: float, bottom: float, top: float, lost: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.axvline(x, color=INK, linewidth=0.8, zorder=3.5)
    ticks = [tick for tick in MaxNLocator(5).tick_values(bottom, top) if bottom <= tick <= top]
    _write_ticks(panel, x, (np.array(ticks) - bottom) / (top - bottom), [f"{tick:g}" for tick in ticks])
    if lost:
        _write_ticks(panel, x, np.array([MISSING]), ["diverged"])


def _broken(name: str, width: int) -> str:
    """A name on several lines, broken at spaces and underlines."""
    lines = textwrap.wrap(name.replace("_", "_ "), max(width, 8), break_long_words=False)
    return plain("\n".join(lines).replace("_ ", "_"))
