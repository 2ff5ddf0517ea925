"""What a result says, in a few sentences."""

import math

import xarray as xr

from nnjax.reporting.table import number
from nnjax.results import stats
from nnjax.results.stats import Estimate, Overview

NEAR = 0.01
"""How far above chance an accuracy still says nothing."""
TINY = 1e-9
"""What rounding may make of a difference of zero."""


def conclusion(results: xr.Dataset | Overview) -> str:
    """A few sentences: the best setting, its test accuracy, and its lead over the next with the interval.

    The best and the next are chosen on validation accuracy (`stats.rank`); the lead is the mean difference of
    their test accuracies over common seeds (`stats.paired_difference`), in percentage points. Where the result
    records ``chance``, the share of the commonest class in the test set, and the best setting's test accuracy
    can't be told from it, that is said as well.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    best = found.setting(found.order[0])
    accuracies = found.accuracies["test"][best.place]
    accuracy = stats.interval(accuracies)
    ended = _ended(found)
    if not accuracy.n:
        return f"There is nothing to compare: {ended}."
    words = f"{number(accuracy.mean)}%, {_ends(accuracy)}"
    if len(found) == 1:
        return f"The test accuracy is {words}; {ended}.{_chance(found, accuracy)}"
    first = (
        f"{best.label} is the best of {len(found)} settings, chosen on validation accuracy: "
        f"its test accuracy is {words}; {ended}."
    )
    second = found.setting(found.order[1])
    lead = stats.paired_difference(accuracies, found.accuracies["test"][second.place])
    if not lead.n:
        missing = "finished run" if second.diverged else "run"
        alone = f"{first} The next, {second.label}, has no {missing} with a seed of the best."
        return alone + _chance(found, accuracy)
    verdict = f": the interval {'excludes' if lead.low > TINY or lead.high < -TINY else 'includes'} zero"
    behind = " On the test set it is behind." if lead.mean < 0 else ""
    return (
        f"{first} Its lead over the next, {second.label}, paired by seed, is {number(lead.mean)} percentage "
        f"points of test accuracy, {_ends(lead)}{verdict if lead.n > 1 else ''}.{behind}{_chance(found, accuracy)}"
    )


def _ended(found: Overview) -> str:
    """How the runs ended: how many diverged, and how many were stopped where any was."""
    total, diverged, stopped = found.total * len(found), int(found.diverged.sum()), int(found.stopped.sum())
    if total == 1:
        return f"the run {'diverged' if diverged else 'was stopped' if stopped else 'finished'}"
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
    return words


def _chance(found: Overview, accuracy: Estimate) -> str:
    """A sentence where even the best setting can't be told from always naming the commonest class."""
    try:
        chance = float(found.attrs.get("chance", math.nan))
    except (TypeError, ValueError):  # another program's attributes may say something else
        return ""
    low = accuracy.mean if math.isnan(accuracy.low) else accuracy.low
    if not low <= chance + NEAR:
        return ""
    which = "Even the best" if len(found) > 1 else "It"
    return (
        f" {which} can't be told from chance, {number(chance)}%, the share of the commonest class: "
        "a larger learning rate, more epochs or another initialisation might help."
    )


def _ends(found: Estimate) -> str:
    if found.n < 2:
        return "from one run, so without an interval"
    return f"95% interval [{number(found.low)}, {number(found.high)}], over {found.n} runs"
