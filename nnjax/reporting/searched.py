"""What a search has varied: a column of numbers or categories for each field, and the score of each setting."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.measured import factor
from nnjax.results import stats
from nnjax.results.stats import Overview

FEW_NUMBERS = 6
"""Numbers that stand side by side as categories do, where they are a choice or each has several settings."""
MOST_CATEGORIES = 8
"""Categories that have a place of their own; all others share the last."""
WIDE = 30
"""A factor between the ends of a column above which its axis is logarithmic, where no distribution says it."""
OTHERS = "others"

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Column(NamedTuple):
    """One axis of a figure.

    Attributes:
        field: the field of the space that it belongs to, as ``results.field`` has it.
        name: what is written on the axis.
        values: ``[K]``, of categories their number; NaN where the field isn't set.
        labels: of the categories; none for numbers.
        log: whether the axis is logarithmic.
    """

    field: str
    name: str
    values: Floats
    labels: tuple[str, ...]
    log: bool

    def places(self, values: Floats | None = None) -> Floats:
        """Where values, those of all settings for None, stand between 0 and 1 of the axis."""
        values = self.values if values is None else values
        if self.labels:
            return (values + 0.5) / len(self.labels)
        low, high = np.nanmin(self.values), np.nanmax(self.values)
        if self.log:
            values, low, high = np.log(values), np.log(low), np.log(high)
        return np.asarray((values - low) / (high - low))

    def jittered(self) -> Floats:
        """The places of all settings, those of a category side by side, and below 0 those that have none."""
        rng = np.random.default_rng(0)
        apart = rng.uniform(-1, 1, len(self.values))
        places = self.places() + (0.3 * apart / len(self.labels) if self.labels else 0)
        return np.where(np.isnan(self.values), MISSING + 0.03 * apart, places)

    def ticks(self) -> tuple[Floats, list[str]]:
        """Places of the axis and what is written there."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        if self.labels:
            return self.places(np.arange(len(self.labels), dtype=float)), list(self.labels)
        low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        if self.log:
            found = LogLocator(subs=(1,) if high > 300 * low else (1, 2, 5)).tick_values(low, high)
        else:
            whole = bool((self.values[~np.isnan(self.values)] % 1 == 0).all())
            found = MaxNLocator(4, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        places = self.places(np.asarray(found, float))
        shown = np.asarray(found)[(places > -1e-9) & (places < 1 + 1e-9)]
        if self.log and len(shown) > 5:
            shown = shown[:: -(-len(shown) // 5)]
        return self.places(shown), [f"{value:g}" for value in shown]


MISSING = -0.14
"""Where a setting stands that doesn't have the field."""


def said(found: Overview) -> dict[str, Any]:
    """What a search says of itself; nothing where these are the results of none, or not all of one's."""
    try:
        words = json.loads(found.attrs.get("search", "{}"))
    except (TypeError, ValueError):  # another program's attributes may say something else
        return {}
    whole = isinstance(words, dict) and words.get("best") == found.order[0] and "contender" in found.metrics
    return words if whole else {}


def contenders(found: Overview) -> Bools:
    """Which settings may be the best, ``[K]``."""
    return found.metrics["contender"].values.ravel().astype(bool)


def scores(found: Overview) -> tuple[Floats, Floats, Floats]:
    """The mean validation accuracy of each setting in percent (or R², F1), and the ends of its interval, ``[K]``.

    NaN where any run of a setting diverged: as in the ranking, no number says how good it is.
    """
    estimates = stats.summary(found.at_best["valid"], resamples=1999)
    sound = found.diverged == 0
    unit = factor(found.measure)
    mean, low, high = (unit * np.where(sound, estimates[name].values, np.nan) for name in ("mean", "low", "high"))
    return mean, low, high


def columns(found: Overview) -> list[Column]:
    """A column or two of each field that varies: those that mattered most first, or else as in the space."""
    space = said(found).get("space")
    space = space if isinstance(space, Mapping) else {}
    names = [str(name) for name in space] or list(found.columns)
    if "importance" in found.metrics:
        share = dict(zip(found.metrics["field"].values, found.metrics["importance"].values, strict=True))
        names.sort(key=lambda name: -share.get(name, 0))
    made = []
    for name in names:
        there = np.full(len(found), True)
        if "is_set" in found.metrics and name in found.metrics["field"].values:
            there = found.metrics["is_set"].sel(field=name).values.ravel()
        distribution = str(space.get(name, ""))
        for field in name.split(","):
            if field in found.columns:
                made += _columns(name, field, found.columns[field], there, distribution)
    return [column for column in made if len(np.unique(column.values)) > 1]  # NaN is one of these


def importance(found: Overview) -> list[tuple[str, float, float, float]]:
    """Each field's share in percent and the ends of its interval, the largest first; empty where there is none."""
    if not said(found) or "importance" not in found.metrics:
        return []
    names = found.metrics["field"].values.tolist()
    ends = (100 * found.metrics[f"importance{end}"].values for end in ("", "_low", "_high"))
    rows = [(str(name), *map(float, row)) for name, *row in zip(names, *ends, strict=True)]
    return sorted(rows, key=lambda row: -row[1])  # type: ignore[arg-type]


def mattered_most(found: Overview) -> str:
    """A sentence on the field that mattered most; empty where the settings don't say which."""
    most = said(found).get("mattered_most")
    for name, share, low, high in importance(found):
        if name == most:
            return (
                f"{name} mattered most: some {share:.0f}% of the variance of the validation {found.measure.words} "
                f"goes with it, 95% interval [{low:.0f}, {high:.0f}]."
            )
    return ""


def plain(text: str) -> str:
    """A text of which nothing is set as mathematics, as what stands between two dollars would be."""
    return text.replace("$", r"\$")


def _columns(parameter: str, field: str, raw: NDArray[Any], there: Bools, distribution: str) -> list[Column]:
    if raw.dtype.kind in "iuf":
        return [_of_numbers(parameter, field, np.where(there, raw, np.nan).astype(float), distribution)]
    texts = [str(value) for value in raw]
    used = sorted({text for text, one in zip(texts, there, strict=True) if one}, key=_natural)
    with suppress(ValueError):  # numbers, and elsewhere what is none, such as a patience
        known = [float(text) if one else np.nan for text, one in zip(texts, there, strict=True)]
        return [_of_numbers(parameter, field, np.array(known), distribution)]
    if len(used) > MOST_CATEGORIES and all(text.startswith("(") for text in used):
        lists = [ast.literal_eval(text) if one else None for text, one in zip(texts, there, strict=True)]
        length = np.array([np.nan if each is None else len(each) for each in lists])
        mean = np.array([np.mean(each) if each else np.nan for each in lists])
        what = "width" if field == "hidden" else "value"
        called = f"{field}: {what}" if np.nanmax(length) == 1 else f"{field}: mean {what}"
        return [
            _of_numbers(parameter, f"{field}: layers", length, ""),
            _of_numbers(parameter, called, mean, distribution),
        ]
    numbers = [re.fullmatch(r"(\w+)\(([-+.\de]+)\)", text) for text in texts]
    kinds = {match[1] for match, one in zip(numbers, there, strict=True) if match and one}
    if len(used) > MOST_CATEGORIES and len(kinds) == 1 and all(match for match in numbers):
        inside = np.array([float(match[2]) if match else np.nan for match in numbers])
        return [
            _of_numbers(parameter, f"{field}: {kinds.pop()}(·)", np.where(there, inside, np.nan), distribution)
        ]
    return [_of_texts(parameter, field, texts, used, there)]


def _of_numbers(parameter: str, name: str, values: Floats, distribution: str) -> Column:
    known = values[~np.isnan(values)]
    different = np.unique(known)
    several = "choice(" in distribution or len(known) >= 3 * len(different)
    if not len(known):
        return Column(parameter, name, values, (), False)
    if len(different) == 1 or (len(different) <= FEW_NUMBERS and several):
        places = np.where(np.isnan(values), np.nan, np.searchsorted(different, values))
        return Column(parameter, name, places, tuple(f"{value:g}" for value in different), False)
    log = "log_" in distribution
    if not re.search("uniform|integers|normal", distribution):  # it says nothing
        log = bool(known.max() > WIDE * known.min())
    return Column(parameter, name, values, (), log and bool(known.min() > 0))


def _of_texts(parameter: str, name: str, texts: Sequence[str], used: Sequence[str], there: Bools) -> Column:
    shown = list(used)
    if len(used) > MOST_CATEGORIES:
        often = {text: sum(one == text for one in texts) for text in used}
        kept = sorted(used, key=lambda text: -often[text])[: MOST_CATEGORIES - 1]
        shown = [*sorted(kept, key=_natural), OTHERS]
    places = {text: number for number, text in enumerate(shown)}
    values = [places.get(text, len(shown) - 1) if one else np.nan for text, one in zip(texts, there, strict=True)]
    return Column(parameter, name, np.array(values, float), tuple(shown), False)


def _natural(text: str) -> tuple[Any, ...]:
    """By the numbers in a text as numbers: (8,) comes before (16,)."""
    return tuple((1, float(part), "") if part.isdigit() else (0, 0.0, part) for part in re.split(r"(\d+)", text))
