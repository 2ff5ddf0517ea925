"""Means over the runs of a sweep with bootstrap intervals, and paired differences.

Two rules hold throughout: a missing value (NaN) is left out and not counted, and where fewer than two values
are left an interval is absent (NaN), not zero.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from nnjax.results.runs import SEEDS, seed_dims
from nnjax.validation import UserError, choice

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """The mean of ``n`` values and the ends of its interval, NaN where there are fewer than two values."""

    mean: float
    low: float
    high: float
    n: int


def interval(
    values: ArrayLike | xr.DataArray, *, confidence: float = 0.95, seed: int = 0, resamples: int = 9999
) -> Estimate:
    """The mean over runs and its bootstrap interval.

    ``x̄ = Σ xᵢ / n``; the ends are quantiles of the means of ``resamples`` draws of n values with replacement,
    at levels corrected for bias and skewness (BCa), as `scipy.stats.bootstrap` finds them. The draws come from
    ``seed``, and the values are sorted first: the order of the runs changes nothing.

    Where init_seed and data_seed (or one of them and seed) were crossed, runs that share one of them aren't
    independent. Then the seeds of both kinds are drawn, each kind by itself, and the ends are plain quantiles
    of the means over the runs where the draws meet. This interval is rather too wide than too narrow.

    Args:
        values: one number a run, ``[S]``, or a DataArray with the dimensions of the seeds alone.
        confidence: the probability to cover the mean, between 0 and 1.
        seed: of the resampling.
        resamples: how many draws, at least 100.

    Raises:
        UserError: for other dimensions, or a confidence or a number of resamples that can't be right.

    Sources: Efron (1987), Better bootstrap confidence intervals, JASA 82; Owen (2007), The pigeonhole
    bootstrap, Annals of Applied Statistics 1.
    """
    if not isinstance(values, xr.DataArray):
        numbers = np.asarray(values, np.float64)
        if numbers.ndim != 1:
            raise UserError(f"values has shape {numbers.shape}, and must be a list with one number a run")
        values = xr.DataArray(numbers, dims="seed")
    result = summary(values, confidence=confidence, seed=seed, resamples=resamples)
    if result.sizes:
        raise UserError(f"values has dimensions {list(values.dims)}, and must have those of the seeds alone")
    return Estimate(float(result["mean"]), float(result["low"]), float(result["high"]), int(result["n"]))


def t_interval(values: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """The mean of independent runs and Student's interval, which covers the mean of few runs too.

    ``x̄ ± t s / √n``, t the quantile of Student's distribution with n − 1 degrees of freedom at (1 + confidence)/2,
    s² = Σ (xᵢ − x̄)² / (n − 1). It holds for normal values and nearly for others; its ends may leave their range.

    Args:
        values: one number a run, of any shape.
        confidence: the probability to cover the mean, between 0 and 1.

    Raises:
        UserError: for a confidence that can't be right.
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise UserError(f"confidence is {confidence}, and must be more than 0 and less than 1")
    numbers = np.asarray(values, np.float64).ravel()
    numbers = numbers[~np.isnan(numbers)]
    n = numbers.size
    mean = float(numbers.mean()) if n else math.nan
    half = stdtrit(n - 1, (1 + confidence) / 2) * numbers.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(mean, float(mean - half), float(mean + half), n)


def interquartile_mean(values: ArrayLike) -> float:
    """The mean of the middle half: sorted, without the ⌊n/4⌋ smallest and the ⌊n/4⌋ largest values.

    One failed run can't move it far, and it uses more of the runs than the median does.

    Args:
        values: one number a run, of any shape.

    Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice,
    NeurIPS.
    """
    numbers = np.asarray(values, np.float64).ravel()
    ordered = np.sort(numbers[~np.isnan(numbers)])
    return float(_middle_mean(ordered[None])[0]) if ordered.size else float("nan")


def summary(
    values: xr.DataArray,
    over: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 9999,
) -> xr.Dataset:
    """``mean``, ``std`` (n − 1), ``median``, ``iqm``, ``low``, ``high`` and ``n`` over the runs.

    ``low`` and ``high`` are the ends of `interval` for each cell of the other dimensions (axes, epoch), which
    are kept. Each interval holds for its own cell, not for a whole curve at once.

    Args:
        values: a variable of a labelled result, ``[axes…, seed…, epoch]`` or a part of it.
        over: the dimensions to reduce; None for those of the seeds.
        confidence, seed, resamples: as in `interval`.

    Raises:
        UserError: for a dimension that isn't there, and what `interval` raises.
    """
    dims = [str(dim) for dim in values.dims]
    over = list(seed_dims(values) if over is None else over)
    for dim in over:
        choice("over", dim, dims)
    if not 0 < confidence < 1:
        raise UserError(f"confidence is {confidence}, and must be more than 0 and less than 1")
    if resamples < 100:
        raise UserError(f"resamples is {resamples}, and must be at least 100")

    kept = [dim for dim in dims if dim not in over]
    moved = values.transpose(*kept, *over)
    shape = tuple(moved.sizes[dim] for dim in kept)
    runs = tuple(moved.sizes[dim] for dim in over)
    cells = np.asarray(moved.values, np.float64).reshape(math.prod(shape), *runs)
    if not (len(over) == 2 and set(over) <= set(SEEDS) and min(runs) > 1):  # not crossed: one list of runs
        cells = cells.reshape(math.prod(shape), math.prod(runs))
    columns = _statistics(cells, confidence, seed, resamples)
    coords = {name: coord for name, coord in values.coords.items() if set(coord.dims) <= set(kept)}
    return xr.Dataset({name: (kept, column.reshape(shape)) for name, column in columns.items()}, coords)


def paired_difference(
    a: xr.DataArray, b: xr.DataArray, *, confidence: float = 0.95, seed: int = 0, resamples: int = 9999
) -> Estimate:
    """The mean of ``a − b`` over the runs that both have, with its interval.

    ``d̄ = Σ (aᵢ − bᵢ) / n`` over the seeds, matched by label, at which both are finite. Settings that share a
    seed share the initial draw and the data order, so what the seed does to both cancels.

    Args:
        a, b: one number a run, labelled with the dimensions of the seeds alone, the same for both.
        confidence, seed, resamples: as in `interval`.

    Raises:
        UserError: for other dimensions, and what `interval` raises.
    """
    if set(a.dims) != set(b.dims):
        raise UserError(f"a has dimensions {list(a.dims)} and b {list(b.dims)}, and both must have the same")
    a, b = xr.align(a, b, join="inner")
    there = np.isfinite(a) & np.isfinite(b)
    difference = a.where(there).astype(np.float64) - b.where(there)
    return interval(difference, confidence=confidence, seed=seed, resamples=resamples)


def _statistics(cells: Floats, confidence: float, seed: int, resamples: int) -> dict[str, NDArray[Any]]:
    """The columns of `summary`, each ``[K]``, of runs ``[K, S]`` or crossed runs ``[K, I, J]``."""
    ordered = np.sort(cells.reshape(len(cells), math.prod(cells.shape[1:])), axis=1)  # [K, S], NaN last
    n = np.sum(~np.isnan(ordered), axis=1)
    mean, std, median, iqm, low, high = np.full((6, len(cells)), np.nan)
    # Order doesn't matter to any of these, so rows with equally many values are one table without NaN.
    for count in np.unique(n[n > 0]):
        rows = np.flatnonzero(n == count)
        x = ordered[rows, :count]
        # An infinite loss has a mean, ∞, but neither spread nor interval; one too large to square is no better.
        with np.errstate(invalid="ignore", over="ignore"):
            # Within the values: rounding must not put the mean of three times 0.1 above 0.1.
            mean[rows] = np.clip(x.mean(axis=1), x[:, 0], x[:, -1])
            median[rows] = np.median(x, axis=1)
            iqm[rows] = _middle_mean(x)
            if count < 2:
                continue
            std[rows] = x.std(axis=1, ddof=1)
            spread = x[:, -1] - x[:, 0]
        same = spread == 0
        low[rows[same]] = high[rows[same]] = x[same, 0]
        wide = np.isfinite(spread) & ~same
        if wide.any():
            # In units of the spread around the mean, so that the ends are the same on every scale.
            rows, x, spread = rows[wide], x[wide], spread[wide]
            if cells.ndim == 2:
                ends = _bca_ends((x - mean[rows, None]) / spread[:, None], confidence, seed, resamples)
            else:
                scaled = (cells[rows] - mean[rows, None, None]) / spread[:, None, None]
                ends = _crossed_ends(scaled, confidence, seed, resamples)
            low[rows], high[rows] = np.clip(mean[rows] + spread * ends, x[:, 0], x[:, -1])
    return {"mean": mean, "std": std, "median": median, "iqm": iqm, "low": low, "high": high, "n": n}


def _middle_mean(ordered: Floats) -> Floats:
    """Interquartile means of sorted rows ``[K, n]``."""
    cut = ordered.shape[1] // 4
    return np.asarray(ordered[:, cut : ordered.shape[1] - cut].mean(axis=1))


def _bca_ends(x: Floats, confidence: float, seed: int, resamples: int) -> Floats:
    """The ends ``[2, K]`` of the BCa intervals of the means of rows ``[K, n]``, drawn alike for all rows.

    ``z₀ = Φ⁻¹(share of the draws' means below x̄)`` and ``a = Σ uᵢ³ / (6 (Σ uᵢ²)^1.5)``, with uᵢ the mean of all
    means with one value left out, less the i-th of these. The ends are the quantiles of the draws' means at
    ``Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z)))``, z = Φ⁻¹ of the two tails. A draw's mean is a product of how often it
    has each value with the values: one matrix product for all rows and draws.
    """
    normal = NormalDist()
    z = normal.inv_cdf((1 - confidence) / 2)
    ends = np.empty((2, len(x)))
    block = max(1, 2**23 // resamples)  # rows at a time: at most some 64 MB of means
    for start in range(0, len(x), block):
        rows = x[start : start + block]
        means = np.sort(_drawn_means(rows, seed, resamples), axis=1)  # [K, resamples]
        centre = _rounded(rows.mean(axis=1))
        n = rows.shape[1]
        # Without one value each. Rounded, so that equal values don't skew by the last bit.
        left_out = _rounded((rows.sum(axis=1, keepdims=True) - rows) / (n - 1))
        u = left_out.mean(axis=1, keepdims=True) - left_out
        skew = np.sum(u**3, axis=1) / (6 * np.sum(u**2, axis=1) ** 1.5)
        for k, (mean, sorted_means, a) in enumerate(zip(centre, means, skew, strict=True)):
            # Draws at the mean count half. No share is 0 or 1, whose quantile is infinite.
            below = (np.searchsorted(sorted_means, mean) + np.searchsorted(sorted_means, mean, "right")) / 2
            z0 = normal.inv_cdf(float(np.clip(below, 0.5, resamples - 0.5)) / resamples)
            for end, tail in enumerate((z0 + z, z0 - z)):
                level = normal.cdf(z0 + tail / (1 - a * tail))
                at = level * (resamples - 1)
                low, share = int(at), at - int(at)
                high = min(low + 1, resamples - 1)
                ends[end, start + k] = sorted_means[low] + share * (sorted_means[high] - sorted_means[low])
    return ends


def _drawn_means(x: Floats, seed: int, resamples: int) -> Floats:
    """The means ``[K, resamples]`` of draws with replacement of rows ``[K, n]``."""
    n = x.shape[1]
    rng = np.random.default_rng(seed)
    means = np.empty((len(x), resamples))
    step = max(1, 2**23 // n)  # draws at a time: at most some 64 MB of places
    for start in range(0, resamples, step):
        draws = rng.integers(0, n, (min(step, resamples - start), n))
        cells = draws + n * np.arange(len(draws))[:, None]
        often = np.bincount(cells.ravel(), minlength=draws.size).reshape(draws.shape)
        means[:, start : start + len(draws)] = _rounded(x @ often.T.astype(np.float64) / n)
    return means


def _rounded(means: Floats) -> Floats:
    """Means of values of order 1, without their rounding error.

    BCa counts the draws below and at the mean; a draw of all values in another order is at the mean, not below.
    """
    return np.asarray(np.round(means, 12))


def _crossed_ends(x: Floats, confidence: float, seed: int, resamples: int) -> Floats:
    """The ends ``[2, K]`` of the pigeonhole bootstrap of the means of tables ``[K, I, J]``, NaN left out."""
    rng = np.random.default_rng(seed)
    # How often each level is drawn, [resamples, I] and [resamples, J]: the weight of a run is their product.
    first, second = (rng.multinomial(size, np.full(size, 1 / size), resamples) for size in x.shape[1:])
    tail = (1 - confidence) / 2
    ends = np.empty((2, len(x)))
    for k, cells in enumerate(x):
        there = ~np.isnan(cells)
        total = np.sum((first @ np.where(there, cells, 0)) * second, axis=1)
        weight = np.sum((first @ there) * second, axis=1)
        ends[:, k] = np.quantile(total[weight > 0] / weight[weight > 0], [tail, 1 - tail])
    return ends
