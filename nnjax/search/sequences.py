"""Intervals of a mean that hold at all times at once, so that one may look after every seed and stop at will.

For n normal values with mean m̄, deviation s (n − 1) and ``t = √n (m̄ − μ)/s``, a Gaussian mixture over the
standardised distance of the mean, of variance g, has the likelihood ratio against μ

    Mₙ(μ) = (1 + ng)^(−½) ((1 + t²/(n − 1)) / (1 + t²/((n − 1)(1 + ng))))^(n/2)

At the true μ it is a martingale of mean 1, whatever the variance, so ``P(Mₙ ≥ 1/α for any n) ≤ α`` (Ville). All
μ with ``Mₙ(μ) < 1/α`` are the interval

    m̄ ± s √((n − 1)/n · (q − 1)/(1 − q/(1 + ng))),   q = ((1 + ng)/α²)^(1/n)

and the whole line while ``q ≥ 1 + ng``. It has a finite end for few values only where g is large, and is narrow
for many where g is small: it is narrowest at n = N where ``(1 + g)^N = (1 + Ng)/α²``, and there ``m̄ ± s √(1/N
+ g)``.

Sources: Lai (1976), On confidence sequences, Annals of Statistics 4, with a flat mixture; Wang and Ramdas (2023),
Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance, arXiv 2310.03722, with the
Gaussian one. The best g is worked out here, from the derivative of the width.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from nnjax.search.scores import Floats, check_confidence, check_number, check_whole, running


def mixture(tight: int, confidence: float = 0.95) -> float:
    """g, the mixture's variance for which the interval is narrowest after ``tight`` values.

    It is the root of ``N log(1 + g) = log(1 + Ng) − 2 log α``. The left side grows faster, so that there is one.

    Raises:
        UserError: for fewer than 2 values, or a confidence that isn't between 0 and 1.
    """
    check_whole("tight", tight, 2)
    check_confidence(confidence)
    alpha = 1 - confidence

    def short(x: float) -> bool:  # x = log(1 + g)
        # log(1 + N(eˣ − 1)), also where eˣ is no number
        grown = math.log1p(tight * math.expm1(x)) if x < 300 else x + math.log(tight)
        return tight * x < grown - 2 * math.log(alpha)

    low, high = 0.0, 1.0
    while short(high):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return math.expm1(min(high, 700))


def half_width(n: ArrayLike, deviation: ArrayLike, *, confidence: float = 0.95, scale: float) -> Floats:
    """Half the width of the interval after n values with a standard deviation; infinite while it has no ends.

    Args:
        n, deviation: arrays of shapes that go together; a deviation of n − 1.
        confidence: 1 − α.
        scale: g, from `mixture`. It must not be chosen by looking at the values.

    Raises:
        UserError: for a confidence or a scale that can't be right.
    """
    check_confidence(confidence)
    check_number("scale", scale, above=0)
    count = np.asarray(n, np.float64)
    wide = np.log1p(count * scale)
    log_q = (wide - 2 * math.log(1 - confidence)) / count
    finite = (log_q < wide) & (count > 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        squared = (count - 1) / count * np.expm1(log_q) / -np.expm1(log_q - wide)
        width = np.asarray(deviation, np.float64) * np.sqrt(squared)
    return np.where(finite, width, np.inf)


def sequence(values: ArrayLike, *, confidence: float = 0.95, scale: float) -> tuple[Floats, Floats]:
    """Low and high ends of the intervals after 1, 2, … of the values ``[…, S]``, each ``[…, S]``.

    The mean is in all of them at once with probability 1 − α, for normal values of any mean and variance.

    Raises:
        UserError: as `half_width` does.
    """
    mean, deviation = running(np.asarray(values, np.float64))
    width = half_width(np.arange(1, mean.shape[-1] + 1), deviation, confidence=confidence, scale=scale)
    return mean - width, mean + width
