"""Learning curves: loss and accuracy by epoch, with a band for every setting."""

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nnjax.reporting.curves import POINTS, Curves, caption, choose
from nnjax.reporting.measured import factor
from nnjax.reporting.style import INK, MARKERS, PALETTE, STYLE
from nnjax.reporting.svg import svg
from nnjax.results import stats
from nnjax.results.stats import Overview, Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

__all__ = ["INK", "MARKERS", "PALETTE", "POINTS", "RESAMPLES", "STYLE", "caption", "learning_curves", "svg"]

RESAMPLES = 1999
"""Draws of the bootstrap at each point of a band; a line's width hides what more would change."""


class _Look(NamedTuple):
    color: Any
    marker: str
    place: int
    shift: float  # along the epoch axis, where all settings have the one epoch


def learning_curves(results: xr.Dataset | Overview) -> "Figure":
    """Loss, left, and accuracy, right, by epoch: a line and a band for each setting, validation and training.

    In the place of the accuracy stands the measure of the task, of a regression R². A line is the mean over
    the runs that didn't diverge, a band the 95% bootstrap interval of that mean at each epoch by itself
    (`stats.summary`); with one run there is no band. The loss axis is logarithmic where the means span a
    factor above 20, and a curve that rises above 1000 times the height of most leaves it. More than 8 settings
    become colours of a colour bar where they differ in one number, without training's curves; where they
    don't, the best 5 (`stats.rank`) are drawn.

    Raises:
        UserError: as `stats.settings` does.
    """
    import matplotlib
    from matplotlib.figure import Figure

    drawn = choose(results)
    looks = _looks(drawn)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.8), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, kind in zip(panels, ("loss", drawn.found.measure.name), strict=True):
            _draw_panel(panel, drawn, looks, kind)
        if drawn.by_colour:
            _colour_bar(figure, panels, drawn.settings, looks)
        legend = _legend(figure, drawn, looks)
        # The layout is found once, so that the same figure is the same file however often it is written.
        figure.draw_without_rendering()
        needed = legend.get_window_extent().height / figure.dpi + 0.2
        if needed > figure.get_figheight():  # a long legend needs a taller figure
            figure.set_figheight(needed)
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _looks(drawn: Curves) -> list[_Look]:
    import matplotlib

    count = len(drawn.settings)
    # Where there is one epoch the settings stand beside each other.
    shifts = 0.6 * ((np.arange(count) + 0.5) / count - 0.5) if drawn.epochs == 1 else np.zeros(count)
    if drawn.by_colour:  # without the ends of viridis, of which one is lost on white and one on black
        colours = matplotlib.colormaps["viridis"](np.linspace(0.15, 0.9, count))
        return [_Look(colour, "", place, shifts[place]) for place, colour in enumerate(colours)]
    return [_Look(PALETTE[place], MARKERS[place], place, shifts[place]) for place in range(count)]


def _draw_panel(panel: "Axes", drawn: Curves, looks: list[_Look], kind: str) -> None:
    from matplotlib.ticker import MaxNLocator

    measure = drawn.found.measure
    unit = 1 if kind == "loss" else factor(measure)
    leaving = drawn.leaving if kind == "loss" else np.zeros(drawn.leaving.shape, bool)
    staying = [np.empty(0)]
    top = -np.inf  # of the curves that stay
    curves = []
    for split, out in zip(drawn.splits, leaving, strict=True):
        found = unit * stats.summary(drawn.curves(f"{split}_{kind}"), resamples=RESAMPLES)
        curves.append((split, found))
        stay = found["mean"].values[~out]
        staying.append(stay[np.isfinite(stay)])
        top = max([top, *(np.nanmax(found[name].values[~out], initial=-np.inf) for name in ("mean", "high"))])
    for place, look in enumerate(looks):
        for (split, found), out in zip(curves, leaving, strict=True):
            curve = found.isel(setting=place)
            curve = curve.isel(epoch=np.isfinite(curve["mean"].values))
            if out[place]:  # out of the panel and no further, without a band that would fill it
                near = curve["high"] <= top
                curve = curve.assign(
                    mean=np.minimum(curve["mean"], 10 * top),
                    low=curve["low"].where(near),
                    high=curve["high"].where(near),
                )
            if curve.sizes["epoch"]:
                _draw_curve(panel, curve, look, split)
    means = np.concatenate(staying)
    if not means.size:
        panel.set(xlim=(1, max(2, drawn.epochs)), yticks=[])
        panel.text(0.5, 0.5, "no run finished", transform=panel.transAxes, ha="center")
    panel.set_xlabel("epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if drawn.epochs == 1:
        panel.set_xticks([1])
        panel.set_xlim(0.5, 1.5)
    units = drawn.found.metrics["valid_loss"].attrs.get("units", "1")
    if kind != "loss":
        units = "%" if measure.percent else "1"
    words = kind if kind == "loss" else measure.words
    panel.set_ylabel(words if units == "1" else f"{words} ({units})")
    if kind == "loss":
        _scale_loss(panel, means)
    if leaving.any():
        panel.set_ylim(top=1.1 * top)


def _draw_curve(panel: "Axes", curve: xr.Dataset, look: _Look, split: str) -> None:
    """A line and its band, or a point and its bar where there is one epoch only."""
    epoch = curve["epoch"].values + look.shift
    mean, low, high = (curve[name].values for name in ("mean", "low", "high"))
    absent = bool(np.isnan(low).all())
    if len(epoch) == 1:
        epoch = epoch + {"valid": -0.015, "train": 0.015}[split]  # so that neither hides the other
        bars = None if absent else np.stack([mean - low, high - mean])
        panel.errorbar(epoch, mean, bars, capsize=2.5, **_point(look, split))
        return
    if not absent:
        panel.fill_between(epoch, low, high, color=look.color, alpha=0.18, linewidth=0)
    step = -(-len(epoch) // 8)  # some 8 markers a line, not at the same epochs as its neighbour's
    panel.plot(epoch, mean, markevery=(look.place % step, step), **_line(look, split))


def _line(look: _Look, split: str) -> dict[str, Any]:
    if split == "train":
        return {"color": look.color, "linestyle": (0, (3, 1.5)), "linewidth": 1.2}
    return {"color": look.color, "linewidth": 1.6, "marker": look.marker, "markersize": 4}


def _point(look: _Look, split: str) -> dict[str, Any]:
    face = look.color if split == "valid" else "none"
    marker = look.marker or "o"
    return {"color": look.color, "linestyle": "none", "marker": marker, "markersize": 5, "markerfacecolor": face}


def _scale_loss(panel: "Axes", means: NDArray[np.float64]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    if not means.size or means.min() <= 0 or means.max() <= 20 * means.min():
        return
    panel.set_yscale("log")
    few_decades = means.max() < 1000 * means.min()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few_decades else (1,)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.minorticks_off()


def _legend(figure: "Figure", drawn: Curves, looks: list[_Look]) -> "Legend":
    """Right of the panels: which setting is which, and what kinds of lines there are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    style = _point if drawn.epochs == 1 else _line
    settings = drawn.settings
    fields = ", ".join(settings[0].fields)
    handles: list[Line2D | Patch] = []
    if fields and not drawn.by_colour:
        for setting, look in zip(settings, looks, strict=True):
            kind = style(look, "valid") if setting.diverged < setting.total else {"linestyle": "none"}
            handles.append(Line2D([], [], label=_name(setting, 28), **kind))
        handles.append(Line2D([], [], linestyle="none", label=" "))  # a gap
    look = looks[0] if len(looks) == 1 else _Look(INK, "", 0, 0.0)
    for split in reversed(drawn.splits):
        label = "validation" if split == "valid" else "training"
        handles.append(Line2D([], [], label=label, **style(look, split)))
    if drawn.epochs > 1 and drawn.finished > 1:
        handles.append(Patch(facecolor=look.color, alpha=0.25, label="95% interval"))
    if drawn.by_colour:
        return figure.legend(handles=handles, loc="outside lower center", ncols=3)
    title = textwrap.fill(fields, 30) or _name(settings[0])
    if len(settings) < len(drawn.found):
        title += f"\nbest {len(settings)} of {len(drawn.found)} settings"
    return figure.legend(handles=handles, title=title, alignment="left", loc="outside right upper")


def _colour_bar(figure: "Figure", panels: Any, settings: list[Setting], looks: list[_Look]) -> None:
    """One step of the bar for each setting, in the order of its number."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    count = len(looks)
    mappable = ScalarMappable(
        BoundaryNorm(np.arange(count + 1) - 0.5, count), ListedColormap([look.color for look in looks])
    )
    bar = figure.colorbar(mappable, ax=panels, ticks=np.arange(count), aspect=25, pad=0.02)
    bar.ax.set_yticklabels([_name(setting) for setting in settings], fontsize=8 if count <= 20 else 6)
    bar.ax.set_title(next(iter(settings[0].fields)), fontsize=8.5, loc="left")
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    bar.ax.grid(False)
    bar.outline.set_visible(False)


def _name(setting: Setting, width: int = 80) -> str:
    """The setting's values, and how many of its runs diverged, which is not broken between lines."""
    share = (
        f"all {setting.total} " if setting.diverged == setting.total else f"{setting.diverged} of {setting.total} "
    )
    words = ", ".join(setting.values)
    if setting.diverged:
        diverged = f"{share if setting.total > 1 else ''}diverged"
        diverged = (f"({diverged})" if words else diverged).replace(" ", "\u00a0")
        words = f"{words} {diverged}".strip()
    words = textwrap.fill(words, width).replace("\u00a0", " ")
    return words.replace("$", r"\$")  # or what stands between two of them is set as mathematics
