"""What a result says, in a few sentences."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nnjax.reporting import searched
from nnjax.reporting.measured import difference, number, with_unit
from nnjax.results import stats
from nnjax.results.stats import Estimate, Overview, Setting
from nnjax.tasks import MEASURES

NEAR = 0.01
"""How far above chance an accuracy still says nothing."""
SHARE = MEASURES["accuracy"]
TINY = 1e-9
"""What rounding may make of a difference of zero."""


def conclusion(results: xr.Dataset | Overview) -> str:
    """A few sentences: the best setting, its test accuracy, and its lead over the next with the interval.

    The best and the next are chosen on what was monitored (`stats.rank`); the lead is the mean difference of
    their test accuracies over common seeds (`stats.paired_difference`), in percentage points. Where the result
    records ``chance``, the share of the commonest class in the test set, and the best setting's test accuracy
    can't be told from it, that is said as well.

    Of a search (`nnjax.search`) it says what the choice promises too much, what the best is worth with fresh seeds
    (`stats.t_interval`), how many settings may be the best too, and which field mattered most where that can be
    said. Where runs were stopped early, it says how many, and how many epochs that has saved.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    best = found.setting(found.order[0])
    accuracies = found.at_best["test"][best.place]
    accuracy = stats.interval(accuracies)
    ended = _ended(found)
    if not accuracy.n:
        return f"There is nothing to compare: {ended}."
    said = searched.said(found)
    if said:
        return _choice(found, best, said, f"{ended[0].upper()}{ended[1:]}.")
    measure = found.measure
    words = f"{with_unit(accuracy.mean, measure)}, {_ends(found, accuracy)}{_others(found, best)}"
    if len(found) == 1:
        return f"The test {measure.words} is {words}; {ended}.{_chance(found, accuracy)}{_need(found)}"
    first = (
        f"{best.label} is the best of {len(found)} settings, chosen on {found.monitor.words}: "
        f"its test {measure.words} is {words}; {ended}."
    )
    second = found.setting(found.order[1])
    lead = stats.paired_difference(accuracies, found.at_best["test"][second.place])
    if not lead.n:
        missing = "finished run" if second.diverged else "run"
        alone = f"{first} The next, {second.label}, has no {missing} with a seed of the best."
        return alone + _chance(found, accuracy) + _need(found)
    verdict = f": the interval {'excludes' if lead.low > TINY or lead.high < -TINY else 'includes'} zero"
    behind = " On the test set it is behind." if lead.mean < 0 else ""
    return (
        f"{first} Its lead over the next, {second.label}, paired by seed, is {difference(lead.mean, measure)} "
        f"{'of' if measure.percent else 'in'} test {measure.words}, {_ends(found, lead)}"
        f"{verdict if lead.n > 1 else ''}.{behind}{_chance(found, accuracy)}{_need(found)}"
    )


def _others(found: Overview, setting: Setting) -> str:
    """``, with RMSE 54.1 and MAE 43.5`` on the test set, means over the runs that count, with their units."""
    words = []
    for name, values in found.others.items():
        mean = np.nanmean(np.where(np.isnan(values.values), np.nan, values.values).reshape(len(found), -1), axis=1)
        unit = str(values.attrs.get("units", ""))
        words.append(f"{name} {mean[setting.place]:.4g}{f' {unit}' if unit else ''}")
    return f", with {' and '.join(words)}" if words else ""


def _need(found: Overview) -> str:
    """What seeds by need have reached (`nnjax.seeds`), and with how many."""
    try:
        said = json.loads(found.attrs.get("by_need", "{}"))
        status, best, most, zone, width = (said[name] for name in ("status", "best", "most", "zone", "half_width"))
        behind = float(said["behind"])
    except (TypeError, ValueError, KeyError):  # fixed seeds, or another program's attributes
        return ""
    runs = found.total - found.missing
    least, sum_of, all_of = int(runs.min()), int(runs.sum()), most * len(found)
    words = f" Seeds were added by need, {least}{f' to {found.total}' if least < found.total else ''} a setting"
    words += f": {sum_of} runs, where {most} seeds each take {all_of}."
    sure = f"at {100 * float(said.get('confidence', 0.95)):g}% confidence"
    name = f" than {found.setting(best).label}" if best != found.order[0] else ""
    if status == "diverged":
        return f"{words} Nothing is decided, as all settings have diverged runs."
    if len(found) > 1:
        by = f"may be better{name} by up to {_points(found, behind)}" if behind > 0 else f"is better{name}"
        words += f" {'Another' if behind > 0 else 'No other'} setting {by} in {found.monitor.words}, {sure}"
        words += f"; asked for was {_points(found, zone)}." if zone is not None and behind > zone else "."
    if width is not None:
        own, lead = said.get("width", math.nan), said.get("widest_lead")
        known = f"known to ± {_points(found, own)}" + (f", its leads to ± {_points(found, lead)}" if lead else "")
        words += f" The best's {found.monitor.words} is {known}, {sure}"
        words += f"; asked for was ± {_points(found, width)}." if status == "gave up" else "."
    return words


def _choice(found: Overview, best: Setting, said: Mapping[str, Any], ended: str) -> str:
    """What a search has chosen, and what that is worth."""
    score = found.monitor.sign * stats.t_interval(found.scores[best.place]).mean
    optimism = float(said.get("optimism", math.nan))
    tried = f"is the best of {len(found)} settings" if len(found) > 1 else "is the one setting that was tried"
    words = f"{best.label} {tried}, chosen on {found.monitor.words}: {_value(found, score)}, "
    if math.isnan(optimism):
        words += "of whose optimism nothing is known."
    else:
        part = f"{number(optimism, SHARE)} percentage points" if found.monitor.percent else _value(found, optimism)
        which = f"the optimism of choosing the {found.monitor.extreme}"
        words += f"of which some {part} are {which}." if found.monitor.sign > 0 else f"too low by {part}, {which}."
    measure = found.measure
    fresh = stats.t_interval(found.metrics.get(f"fresh_test_{measure.name}", []))
    runs = len(said.get("fresh_seeds", ()))
    if fresh.n:
        half = f" ± {number(fresh.high - fresh.mean, measure)}, its 95% t-interval" if fresh.n > 1 else ""
        words += f" With {_seeds(runs)} its test {measure.words} is {with_unit(fresh.mean, measure)}{half}"
        words += f"; {runs - fresh.n} of these runs diverged." if fresh.n < runs else "."
    elif runs:
        words += f" With {_seeds(runs)} it diverged."
    else:
        fresh = stats.interval(found.at_best["test"][best.place])
        words += f" It wasn't trained with fresh seeds; with those of the search its test {measure.words} is "
        words += f"{with_unit(fresh.mean, measure)}, {_ends(found, fresh)}."
    most = searched.mattered_most(found)
    mattered = f" Of the fields, {most}" if most else ""
    return f"{words}{_contenders(found, said)}{mattered} {ended}{_chance(found, fresh)}"


def _contenders(found: Overview, said: Mapping[str, Any]) -> str:
    """How many settings may be the best too."""
    others = int(found.metrics["contender"].sum()) - 1
    if len(found) < 2:
        return ""
    if found.total < 2:
        return " With one seed, any other setting may be as good."
    if math.isnan(float(said.get("optimism", 0))):  # there were no runs to tell the best from others by
        return " Which others may be the best isn't known."
    sure = f"at {100 * float(said.get('confidence', 0.95)):g}% confidence"
    if found.stopped.any():
        sure += ", those stopped early taken for worse"
    if not others:
        return f" No other setting may be the best, {sure}."
    within = float(said.get("zone", 0))
    zone = _points(found, within)
    zone = f"differences within {zone} count as none"
    return f" {others} other setting{'' if others == 1 else 's'} may be the best too, {sure}; {zone}."


def _saved(found: Overview) -> str:
    """The epochs that were not trained since their runs were stopped, as not worth them."""
    if not found.stopped.any() or "ended" in found.attrs:  # by hand or by the clock, nothing is saved
        return ""
    status = found.metrics["status"].transpose(*found.axes, ...).values.reshape(len(found), -1)
    curves = found.metrics["valid_loss"].transpose(*found.axes, ..., "epoch").values
    trained = (~np.isnan(curves)).sum(axis=-1).reshape(status.shape)
    epochs = found.columns.get("epochs", np.full(len(found), curves.shape[-1])).astype(int)[:, None]
    saved = int(np.where(status == "stopped", epochs - trained, 0).sum())
    total = int(np.where(status == "missing", 0, epochs).sum())
    return f", which saved {saved:,} of the {total:,} epochs ({100 * saved / total:.0f}%)"


def _value(found: Overview, value: float) -> str:
    """A value of what was monitored: an accuracy in percent."""
    return with_unit(value, SHARE) if found.monitor.percent else f"{value:.4g}".replace("-", "−")


def _points(found: Overview, apart: float) -> str:
    """A difference of what was monitored: of accuracies in percentage points."""
    return f"{number(apart, SHARE)} points" if found.monitor.percent else _value(found, apart)


def _seeds(count: int) -> str:
    return f"{count} fresh seed{'' if count == 1 else 's'}"


def _ended(found: Overview) -> str:
    """How the runs ended: how many diverged, and how many were stopped where any was."""
    total = found.total * len(found) - int(found.missing.sum())
    diverged, stopped = int(found.diverged.sum()), int(found.stopped.sum())
    if total == 1:
        return f"the run {'diverged' if diverged else 'was stopped' if stopped else 'finished'}{_saved(found)}"
    if diverged in (0, total):
        words = f"{'all' if diverged else 'none of the'} {total} runs diverged"
    else:
        words = f"{diverged} of the {total} runs diverged"
        guilty = found.diverged.nonzero()[0]
        if len(found) > 1:
            with_one = found.setting(guilty[0]).label
            words += f", with {with_one if len(guilty) == 1 else f'{len(guilty)} of the settings'}"
    if stopped:
        words += f", and {stopped} {'was' if stopped == 1 else 'were'} stopped before the last epoch"
    return words + _saved(found)


def _chance(found: Overview, accuracy: Estimate) -> str:
    """A sentence where even the best setting can't be told from one that has learned nothing."""
    try:
        chance = float(found.attrs.get("chance", math.nan))
    except (TypeError, ValueError):  # another program's attributes may say something else
        return ""
    low = accuracy.mean if math.isnan(accuracy.low) else accuracy.low
    if not low <= chance + NEAR:
        return ""
    which = "Even the best" if len(found) > 1 else "It"
    return (
        f" {which} can't be told from chance, {with_unit(chance, found.measure)}, {found.measure.chance}: "
        "a larger learning rate, more epochs or another initialisation might help."
    )


def _ends(found: Overview, estimate: Estimate) -> str:
    if estimate.n < 2:
        return "from one run, so without an interval"
    low, high = number(estimate.low, found.measure), number(estimate.high, found.measure)
    return f"95% interval [{low}, {high}], over {estimate.n} runs"
