"""Which fields of a space mattered: the share of the scores' variance that goes with each, from a random forest.

A forest learns the scores of the settings. For each setting i, f̂ is the mean of the trees that were grown without
it, x its values, and x′ the same with those of one field from another setting:

    dᵢ = ½ ((yᵢ − f̂(x′))² − (yᵢ − f̂(x))²),   share = Σ dᵢ / Σ (yᵢ − ȳ)²

**What that estimates.** Where f̂ is the true function and fields are drawn independently, it is the total Sobol
index of the field, the share of the variance that stays where all other fields are fixed, in the form of Jansen
(1999): interactions count for each field that takes part, so that shares may sum to more than 1. What the forest
hasn't learned counts for no field, so that an important one is rather more important than it says. Of a field
without influence the mean of dᵢ is zero whatever the forest makes of it, as f̂ has seen neither yᵢ nor xᵢ; the
shares of an analysis of variance of the forest itself (Hutter et al., 2014) are never below zero, and can't show
that.

**Intervals** are Student's over the settings, of dᵢ − share · (yᵢ − ȳ)². They take the forest as it is: that other
settings would have grown another one is not in them, and with few settings they are somewhat narrow.

Fields that are zipped are one. Where a field hangs on others, its values are exchanged among the settings in which
the same distribution holds. One that others hang on is exchanged alone, and theirs stay as they are.

Sources: Breiman (2001), Random forests, Machine Learning 45; Jansen (1999), Analysis of variance designs for model
output, Computer Physics Communications 117; Hutter, Hoos and Leyton-Brown (2014), An efficient approach for
assessing hyperparameter importance, ICML.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from nnjax.results.settings import overview
from nnjax.search.distributions import is_number, written
from nnjax.search.scores import Bools, Floats, Ints
from nnjax.search.space import Space

FEWEST = 16
"""Settings below which a forest learns too little to say anything."""
TREES = 200
EXCHANGES = 10
"""Other settings from which each has its values exchanged."""
MOST_ROWS = 100_000
"""Settings with exchanged values, at most, for which fewer exchanges are made."""


class Importance(NamedTuple):
    """How much each of F fields mattered.

    Attributes:
        fields: their names, zipped ones joined by commas.
        share: of the variance of the scores, ``[F]``.
        low, high: the ends of its interval, ``[F]``.
        most: the field that mattered most, surely; None where the settings don't say.
        explained: the share of the variance that the forest predicts of settings it hasn't seen; negative where it
            predicts worse than the mean.
        settings: from how many.
    """

    fields: tuple[str, ...]
    share: Floats
    low: Floats
    high: Floats
    most: str | None
    explained: float
    settings: int


def varied(space: Space) -> tuple[str, ...]:
    """The names of the space's fields but for those that are one value always."""
    count: dict[str, int] = {}
    for parameter in space.parameters:
        count[parameter.name] = (
            count.get(parameter.name, 0) + parameter.distribution.dims + len(parameter.conditions)
        )
    return tuple(name for name, dims in count.items() if dims)


def distribution_at(space: Space, settings: Sequence[Mapping[str, Any]]) -> Ints:
    """Which parameter of the space sets each of the `varied` fields, ``[K, F]``; −1 where none does."""
    found = np.full((len(settings), len(varied(space))), -1)
    for column, name in enumerate(varied(space)):
        for index, parameter in enumerate(space.parameters):
            if parameter.name == name:
                found[[parameter.active(values) for values in settings], column] = index
    return found


def importance(
    space: Space,
    settings: Sequence[Mapping[str, Any]],
    scores: ArrayLike,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Importance | None:
    """The share of each field in the variance of the scores, with its interval.

    `Importance.most` is the field with the largest share, where its own share and its lead over each other are
    above zero, all of that together with the confidence.

    Args:
        space: from which the settings are.
        settings: K of them, their values by field.
        scores: ``[K]``; a setting with a NaN is left out.
        confidence: of the intervals, each by itself.
        seed: of the forest and the exchanges.

    Returns:
        None where there are fewer than `FEWEST` settings with scores, or these are all equal.
    """
    y = np.asarray(scores, np.float64)
    there = np.isfinite(y)
    settings = [values for values, one in zip(settings, there, strict=True) if one]
    y = y[there]
    fields = varied(space)
    if len(y) < FEWEST or not fields or np.ptp(y) == 0:
        return None
    y = (y - y.mean()) / y.std()
    features = [_features(name.split(","), settings) for name in fields]
    contributions, predicted = _contributions(features, distribution_at(space, settings), y, seed)
    share, low, high = _interval(contributions, y, confidence)
    first = int(np.argmax(share))
    # The lead over each other field, and over none.
    leads = contributions[first] - np.delete(np.vstack([contributions, np.zeros(len(y))]), first, axis=0)
    _, least, _ = _interval(leads, y, 1 - (1 - confidence) / len(leads))
    sure = len(fields) > 1 and bool((least > 0).all())
    explained = 1 - float(np.mean((y - predicted) ** 2))
    return Importance(fields, share, low, high, fields[first] if sure else None, explained, len(y))


def with_importance(
    results: xr.Dataset, space: Space, settings: Sequence[Mapping[str, Any]], said: dict[str, Any]
) -> xr.Dataset:
    """The results with which fields each setting has set, and how much each field mattered.

    A setting with a diverged run counts as the lowest of the others: no number says how much worse it is.

    Args:
        results: of a search.
        space: of the search.
        settings: the values of each setting, in the order of the results.
        said: what the search says of itself, to which the field that mattered most is added.
    """
    names = list(varied(space))
    words = "whether the space has set the field in the setting"
    results = results.assign_coords(field=np.array(names, object))
    results["is_set"] = (("setting", "field"), distribution_at(space, settings) >= 0, {"long_name": words})
    seen = overview(results)
    valid = seen.at_best["valid"]
    scores = valid.mean("seed").where(valid.notnull().any("seed")).values.astype(float)
    sound = (seen.diverged == 0) & np.isfinite(scores)
    scores[seen.diverged > 0] = scores[sound].min() if sound.any() else np.nan
    found = importance(space, settings, scores)
    if found is None:
        return results
    said |= {"mattered_most": found.most, "explained": found.explained}
    words = f"share of the variance of the validation {seen.measure.words} that goes with the field"
    for name, values, of in (("", found.share, ""), ("_low", found.low, "low"), ("_high", found.high, "high")):
        long_name = f"{of} end of the 95% interval of the {words}" if of else words
        results[f"importance{name}"] = ("field", values, {"long_name": long_name})
    return results


def _interval(contributions: Floats, y: Floats, confidence: float) -> tuple[Floats, Floats, Floats]:
    """The shares of contributions ``[F, n]`` with the ends of their intervals; y has mean 0 and variance 1."""
    from scipy.special import stdtrit

    n = len(y)
    share = contributions.mean(axis=1)
    apart = contributions - share[:, None] * y**2
    half = stdtrit(n - 1, (1 + confidence) / 2) * apart.std(axis=1, ddof=1) / math.sqrt(n)
    return np.minimum(share, 1), share - half, np.minimum(share + half, 1)  # the largest that a share can be


def _contributions(features: Sequence[Floats], strata: Ints, y: Floats, seed: int) -> tuple[Floats, Floats]:
    """d of the module's formulas, ``[F, n]``, and f̂(x), ``[n]``."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(seed)
    n = len(y)
    exchanges = int(np.clip(MOST_ROWS // (n * len(features)), 1, EXCHANGES))
    whole = np.concatenate(features, axis=1)
    rows = np.repeat(whole[None], 1 + len(features) * exchanges, axis=0)  # [1 + F · exchanges, n, features]
    first = 0
    for number, own in enumerate(features):
        of_field = slice(first, first + own.shape[1])
        for turn in range(exchanges):
            rows[1 + number * exchanges + turn, :, of_field] = own[_exchanged(strata[:, number], rng)]
        first += own.shape[1]
    forest = RandomForestRegressor(TREES, random_state=seed).fit(whole, y)
    total, count = np.zeros(rows.shape[:2]), np.zeros(n)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(n), drawn)
        asked = np.ascontiguousarray(rows[:, unseen].reshape(-1, rows.shape[2]), np.float32)
        total[:, unseen] += tree.tree_.predict(asked).reshape(len(rows), -1)
        count[unseen] += 1
    predicted = total / np.maximum(count, 1)
    errors = (y - predicted) ** 2
    other = errors[1:].reshape(len(features), exchanges, n).mean(axis=1)
    return (other - errors[0]) / 2, predicted[0]


def _exchanged(strata: Ints, rng: np.random.Generator) -> Ints:
    """For each setting another one of its stratum, each taken once; itself where it is alone."""
    places = np.arange(len(strata))
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        places[members] = np.roll(members, 1)
    return places


def _features(fields: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> Floats:
    """Some fields as numbers for a tree, ``[n, features]``: what isn't there is below all that is."""
    split = [
        {
            (field, *name): number
            for field in fields
            if field in values
            for name, number in _numbers(values[field]).items()
        }
        for values in settings
    ]
    names = list(dict.fromkeys(name for one in split for name in one))
    table = np.array([[one.get(name, math.nan) for name in names] for one in split]).reshape(
        len(split), len(names)
    )
    missing: Bools = np.isnan(table)
    for column, gone in zip(table.T, missing.T, strict=True):
        column[gone] = 0 if gone.all() else np.min(column[~gone]) - 1
    return table


def _numbers(value: Any) -> dict[tuple[Any, ...], float]:
    """A value as numbers by name: those of a tuple and their count, those in brackets, 1 for a category."""
    if is_number(value):
        return {("",): float(value)}
    if isinstance(value, tuple):
        found: dict[tuple[Any, ...], float] = {("length",): float(len(value))}
        for place, item in enumerate(value):
            found |= {(place, *name): number for name, number in _numbers(item).items()}
        return found
    text = written(value)
    inside = re.fullmatch(r"'?(\w+)\((.*)\)'?", text)
    if inside is None:
        return {("is", text): 1.0}
    found = {("is", inside[1]): 1.0}
    for place, word in enumerate(inside[2].split(",")):
        try:
            found[inside[1], place] = float(word)
        except ValueError:
            found["is", inside[1], place, word.strip()] = 1.0
    return found
