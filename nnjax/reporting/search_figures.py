"""The figures of a search: what mattered, the accuracy by field, and all settings as lines across the fields."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from nnjax.reporting.grid import ends
from nnjax.reporting.measured import end
from nnjax.reporting.search_lines import MOST_AXES, parallel
from nnjax.reporting.search_points import MOST_PANELS, by_field
from nnjax.reporting.searched import columns, importance, mattered_most, plain, said, scores
from nnjax.reporting.style import INK, PALETTE, PAPER, STYLE
from nnjax.results import stats
from nnjax.results.stats import Overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TITLES", "by_field", "caption", "figures", "parallel", "title", "unsaid", "what_mattered"]

TITLES = {
    "importance": "What mattered",
    "fields": "Validation {} by field",
    "parallel": "All settings",
}
"""What stands above each figure on a page, {} for the measure."""


def title(results: xr.Dataset | Overview, name: str) -> str:
    """What stands above a figure on a page."""
    return TITLES[name].format(stats.overview(results).measure.words)


def figures(results: xr.Dataset | Overview) -> "dict[str, Callable[[Overview], Figure]]":
    """The figures that there are of a result, by the names of their files; none of what is no search.

    `by_field` where anything varies, `parallel` for two columns or more, `what_mattered` where the search was
    large enough to say it.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    if not said(found) or not np.isfinite(scores(found)[0]).any():
        return {}
    count = len(columns(found))
    drawn: dict[str, Callable[[Overview], Figure]] = {}
    if importance(found):
        drawn["importance"] = what_mattered
    if count:
        drawn["fields"] = by_field
    if count > 1:
        drawn["parallel"] = parallel
    return drawn


def what_mattered(results: xr.Dataset | Overview) -> "Figure":
    """The share of the variance of the validation accuracy that goes with each field, with 95% intervals.

    The shares are those of `nnjax.search.importance`, the largest above.
    """
    import matplotlib
    from matplotlib.figure import Figure

    found = stats.overview(results)
    rows = importance(found)
    names, share, low, high = (list(column) for column in zip(*rows, strict=True))
    at = np.arange(len(rows))[::-1]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.32 * len(rows) + 0.9), layout="constrained")
        panel = figure.subplots()
        panel.axvline(0, color=INK, linewidth=0.8)
        sure = np.array(low) > 0
        for which, face in ((sure, PALETTE[0]), (~sure, PAPER)):
            points = [np.array(column)[which] for column in (share, low, high)]
            bars = np.stack([points[0] - points[1], points[2] - points[0]])
            panel.errorbar(
                points[0], at[which], xerr=bars, color=PALETTE[0], linestyle="none", marker="o", markersize=5.5,
                markerfacecolor=face, capsize=2.5,
            )  # fmt: skip
        panel.set_yticks(at, [plain(name.replace(",", ", ")) for name in names])
        panel.set_ylim(-0.6, len(rows) - 0.4)
        panel.set_xlim(min(-5.0, *low) - 2, max(20.0, *high) + 2)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.set_xlabel(f"share of the variance of the validation {found.measure.words} (%)")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def caption(results: xr.Dataset | Overview, name: str) -> str:
    """What the figure of that name shows, for the text below it."""
    found = stats.overview(results)
    if name == "importance":
        return _importance_caption(found)
    mean, low, _ = scores(found)
    bottom, _ = ends(mean)
    drawn, most = columns(found), MOST_PANELS if name == "fields" else MOST_AXES
    lost, under = int((found.diverged > 0).sum()), int((mean < bottom).sum())
    if name == "fields":
        words = [f"Each point is a setting: its mean validation {found.measure.words} at each run's best epoch"]
        words[0] += (
            ", the bar its 95% interval over seeds; one that can't be seen is narrower than its point."
            if np.isfinite(low).any()
            else "."
        )
        if under:
            words.append(f"▾: {under} of the {len(found)} settings are below {end(bottom, found.measure)}.")
        words += [f"×: settings with a run that diverged, {lost}."] * (lost > 0)
    else:
        words = [
            f"Each line is a setting, coloured by its mean validation {found.measure.words}, better ones above "
            "worse; orange with stars is the best."
        ]
        if under:
            words.append(f"Colours and axis end at {end(bottom, found.measure)}, and {under} settings are below.")
        words += [f"Dashed: settings with a run that diverged, {lost}."] * (lost > 0)
    if any(column.labels for column in drawn):
        words.append("Within a category, settings are spread by chance.")
    if any(np.isnan(column.values).any() for column in drawn[:most]):
        words.append("Where a field is not set, the configuration's value holds or it has no use.")
    if found.stopped.any():
        words.append("A setting that was stopped early counts with what it had reached.")
    if len(drawn) > most:
        words.append(f"Drawn are {most} of {len(drawn)} columns, those of the fields that mattered most.")
    return " ".join(words)


def unsaid(results: xr.Dataset | Overview) -> str:
    """A sentence in the place of `what_mattered`, where a search was too small for it; else empty."""
    found = stats.overview(results)
    if not said(found) or importance(found) or not columns(found):
        return ""
    finished = int(np.isfinite(scores(found)[0]).sum())
    return f"Which field mattered can't be said from {finished} setting{'s' * (finished != 1)}."


def _importance_caption(found: Overview) -> str:
    words = [
        f"How much of the variance of the validation {found.measure.words} goes with a field, by itself or "
        "together with others: by so much do the errors of a random forest grow, on settings that it hasn't seen, "
        "if their values of the field are exchanged. The bars are 95% intervals over the settings, each by "
        "itself; where it includes zero the point is hollow. Shares needn't sum to 100%.",
        mattered_most(found) or "Which field mattered most can't be told from these settings.",
    ]
    explained = float(said(found).get("explained", np.nan))
    if np.isfinite(explained):
        words.append(
            f"The forest predicts {100 * explained:.0f}% of the variance; what it hasn't learned counts for none."
            if explained > 0
            else "The forest predicts no better than the mean, so that little can be said."
        )
    if (found.diverged > 0).any():
        words.append("A setting with a diverged run counts as the lowest of the others.")
    return " ".join(words)
