"""Seeds by need: which settings need more, for an interval as narrow or a decision as sure as was asked for.

Every mean and every lead of one setting over another on their common seeds has an interval that holds at all times
(`nnjax.search.sequences`). So one may look after each round, and add seeds where they are needed, for as long
as one likes. The error α is shared out equally:

- a decision looks at the K − 1 leads of the best alone, at α/(K − 1) each: where they hold, the best is never
  taken for worse, and a setting said to be at most δ behind is so. With probability 1 − α that is right, for
  normal scores of any variances and correlations, for any rounds;
- for a width all K means and K(K − 1)/2 leads have α/(K(K + 1)/2) each, and hold together, all at all times.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nnjax.search.scores import (
    Bools,
    Floats,
    Ints,
    check_confidence,
    check_number,
    check_whole,
    checked,
    order,
    running,
)
from nnjax.search.sequences import half_width as width_of
from nnjax.search.sequences import mixture
from nnjax.validation import UserError

Status = Literal["more", "reached", "gave up", "diverged"]


class Needed(NamedTuple):
    """What is known of K settings after some seeds, and what more they need.

    Attributes:
        add: how many more seeds each setting needs in the next round, ``[K]``; all 0 at the end.
        status: ``more`` seeds are needed; what was asked for is ``reached``; ``gave up`` at the most seeds;
            all settings have ``diverged`` runs, so that nothing can be promised.
        best: the setting that is surest to be the best.
        behind: by how much at most the best of all is better than it.
        contenders: which settings aren't known to be worse than another, ``[K]``.
        mean: of the best's scores.
        width: half the width of the interval of that mean; infinite where only a decision was asked for.
        leads: of the best over each setting, on their common seeds, ``[K]``; NaN for itself and what diverged.
        widths: half the widths of their intervals, ``[K]``. Where only a decision was asked for, these hold
            together if the best is truly the best.
    """

    add: Ints
    status: Status
    best: int
    behind: float
    contenders: Bools
    mean: float
    width: float
    leads: Floats
    widths: Floats


def needed(
    scores: ArrayLike,
    *,
    zone: float | None = None,
    half_width: float | None = None,
    runs: ArrayLike | None = None,
    confidence: float = 0.95,
    first: int = 4,
    most: int = 64,
) -> Needed:
    """Which settings need more seeds, and how many: ``first``, then in each round twice as many, up to ``most``.

    Settings that diverge get no more seeds, nor do those that are decided. A lead is over the seeds that both
    have, so seeds are given in the same order to all settings.

    Args:
        scores: ``[K, S]`` so far, higher is better; NaN where a run diverged.
        zone: δ, a decision to reach: a setting of which it is known that the best is at most δ better.
        half_width: to be reached by the interval of the best's mean and those of its lead over each other.
        runs: how many of the S seeds each setting has, the first ones, ``[K]``; None for all.
        confidence: of all that is said in all rounds together.
        first, most: seeds in the first round, and the most that a setting may have.
            These, what is asked for and the confidence must stay the same from round to round.

    Raises:
        UserError: where nothing is asked for, or for values that can't be right.
    """
    values = checked(scores)
    settings, seeds = values.shape
    have = np.full(settings, seeds) if runs is None else np.asarray(runs)
    if have.shape != (settings,) or have.dtype.kind not in "iu" or have.min() < 0 or have.max() > seeds:
        raise UserError(f"runs is {have.tolist()}, and must have from 0 to {seeds} for each setting of {settings}")
    check_targets(zone, half_width, confidence, first, most)
    found = _look(values, have.astype(np.int64), zone, half_width, confidence, first, most)
    status: Status = (
        "diverged"
        if np.isnan(values[found.best, : have[found.best]]).any()
        else "reached"
        if found.reached
        else "more"
        if found.add.any()
        else "gave up"
    )
    at = found.best
    return Needed(
        found.add,
        status,
        int(at),
        float(found.behind),
        found.contenders,
        float(found.means[at]),
        float(found.own[at]),
        found.leads,
        found.widths,
    )


def check_targets(zone: float | None, half_width: float | None, confidence: float, first: int, most: int) -> None:
    """Refuse what can't be asked for.

    Raises:
        UserError: naming the value and what it must be.
    """
    if zone is None and half_width is None:
        raise UserError("neither zone nor half_width is given, and one of them must say what to reach")
    for name, value in (("zone", zone), ("half_width", half_width)):
        if value is not None:
            check_number(name, value, above=0)
    check_confidence(confidence)
    check_whole("first", first, 2)
    check_whole("most", most, first)


class _Look(NamedTuple):
    """What one look finds, for any number of sweeps at once: shapes ``[…]`` and ``[…, K]``."""

    add: Ints
    reached: Bools
    best: Ints
    behind: Floats
    contenders: Bools
    means: Floats
    own: Floats
    leads: Floats
    widths: Floats


def _look(
    scores: Floats,
    runs: Ints,
    zone: float | None,
    half_width: float | None,
    confidence: float,
    first: int,
    most: int,
) -> _Look:
    """`needed` of scores ``[…, K, S]``, of which setting i has the first ``runs[…, i]``."""
    settings, seeds = scores.shape[-2:]
    there = np.arange(seeds) < runs[..., None]
    sound = ~np.any(there & np.isnan(scores), axis=-1)  # [..., K]
    known = np.where(there & sound[..., None], scores, 0.0)
    share = max(1, settings - 1) if half_width is None else settings * (settings + 1) // 2
    level = 1 - (1 - confidence) / share
    # Decisions fall early; a width is reached late.
    tight = 2 * first if half_width is None else max(2 * first, most // 2)
    scale = mixture(tight, level)

    lead = np.zeros((*runs.shape, settings))  # [..., i, l] of i over l
    width = np.full(lead.shape, np.inf)
    for i in range(settings):
        common = np.minimum(runs[..., i, None], runs)
        lead[..., i, :], width[..., i, :] = _after(known[..., i, None, :] - known, common, level, scale)
    means, own = _after(known, runs, level, scale)
    means = np.where(sound, means, np.nan)
    own = np.where(sound, own, np.nan) if half_width is not None else np.full(own.shape, np.inf)

    pair = sound[..., None, :] & sound[..., :, None] & ~np.eye(settings, dtype=bool)
    contenders = sound & ~np.any(pair & (lead - width > 0), axis=-2)
    ahead = np.where(
        np.isnan(lead), np.inf, width - lead
    )  # by how much l may be better than i, unknown without seeds
    above = np.where(pair & contenders[..., None, :], ahead, 0)
    regret = np.maximum(above.max(axis=-1), 0)
    ranks = np.argsort(order(scores, there), axis=-1)  # the place of each setting in the order
    best = np.lexsort((ranks, regret, ~contenders), axis=-1)[..., 0]
    at = best[..., None]

    def of_best(table: Floats) -> Floats:  # [..., K, K] → [..., K]
        return np.take_along_axis(table, at[..., None], axis=-2)[..., 0, :]

    rivals = np.take_along_axis(pair, at[..., None], axis=-2)[..., 0, :]
    short = np.full(sound.shape, False)  # leads of the best that aren't sure enough
    if zone is not None:
        short |= rivals & contenders & (of_best(above) > zone)
    if half_width is not None:
        short |= rivals & (of_best(width) > half_width)
    enough = np.take_along_axis(runs, at, axis=-1)  # [..., 1]
    need = short & (runs <= enough)
    alone = np.any(short & (enough <= runs), axis=-1)
    if half_width is not None:
        alone |= np.take_along_axis(own, at, axis=-1)[..., 0] > half_width
    need |= alone[..., None] & (np.arange(settings) == at)
    all_sound = np.take_along_axis(sound, at, axis=-1)[..., 0]
    reached = all_sound & ~need.any(axis=-1) & np.all(~sound | (runs >= first), axis=-1)
    need = np.where(all_sound[..., None], sound & (need | (runs < first)), False)
    add = np.where(need, np.clip(2 * runs, first, most) - runs, 0)
    return _Look(
        np.maximum(add, 0),
        reached,
        best,
        np.take_along_axis(regret, at, axis=-1)[..., 0],
        contenders,
        means,
        own,
        np.where(rivals, of_best(lead), np.nan),
        np.where(rivals, of_best(width), np.nan),
    )


def _after(values: Floats, runs: Ints, level: float, scale: float) -> tuple[Floats, Floats]:
    """Means of the first ``runs[…]`` of ``[…, S]``, NaN of none, and half the widths of their intervals."""
    if values.shape[-1] == 0:
        return np.full(runs.shape, np.nan), np.full(runs.shape, np.inf)
    mean, deviation = running(values)
    last = np.maximum(runs - 1, 0)[..., None]
    mean, deviation = (np.take_along_axis(table, last, axis=-1)[..., 0] for table in (mean, deviation))
    width = width_of(np.maximum(runs, 1), deviation, confidence=level, scale=scale)
    return np.where(runs > 0, mean, np.nan), width
