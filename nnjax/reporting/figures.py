"""Figures: learning curves with a band for every setting, and a figure as SVG for a page."""

import hashlib
import io
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nnjax.results import stats
from nnjax.results.stats import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#20242b"
"""Text and axes; a page gives them its own colour, see `svg`."""
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK, "#8C8C8C")
"""Okabe and Ito's colours, told apart by colour-blind readers; grey for their yellow, which paper swallows."""
MARKERS = "os^DvPX*"
"""One for each colour, so that settings are told apart without colours."""
MOST_COLOURS = 32
"""Settings that a colour bar can still tell apart."""
POINTS = 200
"""Epochs drawn of a curve: more can't be seen, and make the file large."""
RESAMPLES = 1999
"""Draws of the bootstrap at each point of a band; a line's width hides what more would change."""
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.usetex": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8C8C8C",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "nnjax",
}


class _Chosen(NamedTuple):
    """What is drawn: the settings, whether they are colours of a colour bar, and of how many they are the best."""

    settings: list[Setting]
    by_colour: bool
    out_of: int


class _Look(NamedTuple):
    color: Any
    marker: str
    place: int
    shift: float  # along the epoch axis, where all settings have the one epoch


def learning_curves(results: xr.Dataset) -> "Figure":
    """Loss, left, and accuracy, right, by epoch: a line and a band for each setting, validation and training.

    A line is the mean over the runs that finished, a band the 95% bootstrap interval of that mean at each epoch
    by itself (`stats.summary`); with one run there is no band. The loss axis is logarithmic where the means span
    a factor above 20. More than 8 settings become colours of a colour bar where they differ in one number, and
    the best 8 (`stats.rank`) are drawn where they don't.

    Raises:
        UserError: as `stats.settings` does.
    """
    import matplotlib
    from matplotlib.figure import Figure

    chosen = _choose(results)
    looks = _looks(chosen, results.sizes["epoch"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.8), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, kind in zip(panels, ("loss", "accuracy"), strict=True):
            _draw_panel(panel, chosen.settings, looks, kind)
        if chosen.by_colour:
            _colour_bar(figure, panels, chosen, looks)
        _legend(figure, chosen, looks, results.sizes["epoch"])
        # The layout is found once, so that the same figure is the same file however often it is written.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def caption(results: xr.Dataset) -> str:
    """What the lines and bands of `learning_curves` are, for the text below the figure."""
    chosen = _choose(results)
    settings = chosen.settings
    one_epoch = results.sizes["epoch"] == 1
    valid, train = ("filled", "hollow") if one_epoch else ("solid", "dashed")
    words = [f"Loss (left) and accuracy (right) by epoch; validation {valid}, training {train}."]
    if _finished(settings) > 1:
        mean, band = ("points", "bars") if one_epoch else ("lines", "bands")
        words.append(
            f"The {mean} are means over the runs of a setting, the {band} 95% bootstrap intervals of that mean at "
            f"each epoch by itself; one that can't be seen is narrower than its {mean[:-1]}."
        )
    else:
        words.append("At most one run of a setting finished, so there are no intervals.")
    if left_out := sum(setting.diverged for setting in settings):
        words.append(f"Diverged and left out: {left_out} of {sum(setting.total for setting in settings)} runs.")
    if len(settings) < chosen.out_of:
        words.append(f"Drawn are the best {len(settings)} of {chosen.out_of} settings by validation accuracy.")
    return " ".join(words)


def svg(figure: "Figure") -> str:
    """The figure as an ``<svg>`` element that can stand in a page: its text is text, in the page's colour.

    The same figure gives the same text: no date, and ids that are derived from the drawing, so that the figures
    of a page don't share any.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A style sheet inside the element would hold for the whole page.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = text.replace("<svg", '<svg font-family="sans-serif" stroke-linejoin="round"', 1)
    text = _in_tags(_shorter, text)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    prefix = f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}-"

    def own(tag: str) -> str:
        tag = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", tag)
        return re.sub(r' id="([^"]+)"', lambda name: f' id="{prefix}{name[1]}"' if name[1] in used else "", tag)

    return re.sub(r"\n\s*", "\n", _in_tags(own, text)).strip()


def _in_tags(change: Callable[[str], str], text: str) -> str:
    """Labels stand between the tags, and stay as they are."""
    return re.sub(r"<[^>]*>", lambda tag: change(tag[0]), text)


def _shorter(tag: str) -> str:
    tag = tag.replace(INK, "currentColor")
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag)  # the page's
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    # Most of the file is digits, and a hundredth of a point is finer than any screen.
    return re.sub(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*', lambda match: _rounded(match[0]), tag)


def _rounded(numbers: str) -> str:
    numbers = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers).strip()


def _choose(results: xr.Dataset) -> _Chosen:
    settings = stats.settings(results)
    if len(settings) <= len(PALETTE):
        return _Chosen(settings, False, len(settings))
    numeric = all(
        len(setting.fields) == 1 and isinstance(next(iter(setting.fields.values())), int | float)
        for setting in settings
    )
    if numeric and len(settings) <= MOST_COLOURS:
        by_value = sorted(settings, key=lambda setting: float(next(iter(setting.fields.values()))))
        return _Chosen(by_value, True, len(settings))
    best = stats.rank(results)[: len(PALETTE)]
    return _Chosen(sorted(best, key=lambda setting: setting.place), False, len(settings))


def _looks(chosen: _Chosen, epochs: int) -> list[_Look]:
    import matplotlib

    count = len(chosen.settings)
    # Where there is one epoch the settings stand beside each other.
    shifts = 0.6 * ((np.arange(count) + 0.5) / count - 0.5) if epochs == 1 else np.zeros(count)
    if chosen.by_colour:  # without the ends of viridis, of which one is lost on white and one on black
        colours = matplotlib.colormaps["viridis"](np.linspace(0.15, 0.9, count))
        return [_Look(colour, "", place, shifts[place]) for place, colour in enumerate(colours)]
    return [_Look(PALETTE[place], MARKERS[place], place, shifts[place]) for place in range(count)]


def _draw_panel(panel: "Axes", settings: list[Setting], looks: list[_Look], kind: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = settings[0].runs.sizes["epoch"]
    shown = np.unique(np.linspace(0, epochs - 1, min(epochs, POINTS)).round().astype(int))
    means = []
    for setting, look in zip(settings, looks, strict=True):
        for split in ("train", "valid"):
            values = stats.counted(setting.runs, f"{split}_{kind}").isel(epoch=shown)
            curve = (100 if kind == "accuracy" else 1) * stats.summary(values, resamples=RESAMPLES)
            curve = curve.isel(epoch=np.isfinite(curve["mean"].values))
            means.append(curve["mean"].values)
            if curve.sizes["epoch"]:
                _draw_curve(panel, curve, look, split)
    if not any(mean.size for mean in means):
        panel.set(xlim=(1, max(2, epochs)), yticks=[])
        panel.text(0.5, 0.5, "no run finished", transform=panel.transAxes, ha="center")
    panel.set_xlabel("epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if epochs == 1:
        panel.set_xticks([1])
        panel.set_xlim(0.5, 1.5)
    units = "%" if kind == "accuracy" else settings[0].runs["valid_loss"].attrs.get("units", "1")
    panel.set_ylabel(kind if units == "1" else f"{kind} ({units})")
    if kind == "loss":
        _scale_loss(panel, np.concatenate(means))


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


def _legend(figure: "Figure", chosen: _Chosen, looks: list[_Look], epochs: int) -> None:
    """Right of the panels: which setting is which, and what kinds of lines there are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    style = _point if epochs == 1 else _line
    fields = ", ".join(chosen.settings[0].fields)
    handles: list[Line2D | Patch] = []
    if fields and not chosen.by_colour:
        for setting, look in zip(chosen.settings, looks, strict=True):
            drawn = style(look, "valid") if setting.diverged < setting.total else {"linestyle": "none"}
            handles.append(Line2D([], [], label=textwrap.fill(_name(setting), 28), **drawn))
        handles.append(Line2D([], [], linestyle="none", label=" "))  # a gap
    look = looks[0] if len(looks) == 1 else _Look(INK, "", 0, 0.0)
    handles.append(Line2D([], [], label="validation", **style(look, "valid")))
    handles.append(Line2D([], [], label="training", **style(look, "train")))
    if epochs > 1 and _finished(chosen.settings) > 1:
        handles.append(Patch(facecolor=look.color, alpha=0.25, label="95% interval"))
    if chosen.by_colour:
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        return
    title = textwrap.fill(fields or _name(chosen.settings[0]), 30)
    if len(chosen.settings) < chosen.out_of:
        title += f"\nbest {len(chosen.settings)} of {chosen.out_of} settings"
    figure.legend(handles=handles, title=title, alignment="left", loc="outside right upper")


def _colour_bar(figure: "Figure", panels: Any, chosen: _Chosen, looks: list[_Look]) -> None:
    """One step of the bar for each setting, in the order of its number."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    count = len(looks)
    mappable = ScalarMappable(
        BoundaryNorm(np.arange(count + 1) - 0.5, count), ListedColormap([look.color for look in looks])
    )
    bar = figure.colorbar(mappable, ax=panels, ticks=np.arange(count), aspect=25, pad=0.02)
    bar.ax.set_yticklabels([_name(setting) for setting in chosen.settings], fontsize=8 if count <= 20 else 6)
    bar.ax.set_title(next(iter(chosen.settings[0].fields)), fontsize=8.5, loc="left")
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    bar.ax.grid(False)
    bar.outline.set_visible(False)


def _finished(settings: list[Setting]) -> int:
    """The most runs that finished of a setting."""
    return max(setting.total - setting.diverged for setting in settings)


def _name(setting: Setting) -> str:
    share = (
        f"all {setting.total}" if setting.diverged == setting.total else f"{setting.diverged} of {setting.total}"
    )
    words = ", ".join(setting.values)
    if setting.diverged:
        words = f"{words} ({share} diverged)" if words else f"{share} diverged"
    return words.replace("$", r"\$")  # or what stands between two of them is set as mathematics
