"""Made scores of settings on shared seeds, with known means, and how a rate from simulations is judged."""

import numpy as np
from scipy import stats

from nnjax.search.scores import Floats

SIMULATIONS = 2000


def made(
    means: list[float] | Floats, deviations: float | Floats, correlation: float, seeds: int, *, seed: int = 0
) -> Floats:
    """``[SIMULATIONS, K, S]`` normal scores; a negative correlation is between each setting and the next."""
    rng = np.random.default_rng(seed)
    means = np.asarray(means, np.float64)
    shared = rng.standard_normal((SIMULATIONS, 1, seeds))
    own = rng.standard_normal((SIMULATIONS, len(means), seeds))
    sign = np.where((np.arange(len(means)) % 2 == 1) & (correlation < 0), -1, 1)[:, None]
    noise = np.sqrt(abs(correlation)) * sign * shared + np.sqrt(1 - abs(correlation)) * own
    return means[:, None] + np.broadcast_to(deviations, len(means))[:, None] * noise


def kept(right: Floats, rate: float) -> bool:
    """Whether truth values are right at a rate at least: a true rate fails in 1 of 1,000 such tests."""
    values = np.asarray(right, bool)
    return bool(values.sum() >= stats.binom.ppf(0.001, values.size, rate))
