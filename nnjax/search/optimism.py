"""How much too good the score of a winner is: the highest of many noisy means is partly luck."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nnjax.search.scores import checked, order


class Optimism(NamedTuple):
    """The winner of a selection and what its score is worth.

    Attributes:
        best: the place of the winner.
        score: its mean, by which it was selected.
        expected: what a fresh run of a setting selected so is expected to score.
        optimism: ``score − expected``, never negative.
    """

    best: int
    score: float
    expected: float
    optimism: float


def optimism(scores: ArrayLike) -> Optimism:
    """The optimism of selecting the setting with the highest mean, by leaving one seed out at a time.

    With w the winner on all n seeds and wₛ the one on all but seed s,

        expected = 1/n Σₛ X[wₛ, s],   optimism = X̄[w] − expected

    Seed s had no say in wₛ, so the mean of X[wₛ, s] is the true mean of a setting selected on n − 1 seeds,
    whatever the distribution of the scores and the correlation between settings. So ``expected`` is right on
    average but that a selection on n seeds is a little better than one on n − 1; where the means are equal, it
    is right exactly. Where the winner is the same whichever seed is left out, the optimism is 0. One estimate
    is rough: its deviation is about as large as the optimism itself.

    Of settings only those with the fewest diverged runs are candidates, and where they have some, the seeds at
    which a candidate diverged are left out.

    Args:
        scores: ``[K, S]``, of settings that have the same seeds; NaN where a run diverged.

    Raises:
        UserError: for scores of another shape.
    """
    values = checked(scores)
    best = int(order(values)[0])
    diverged = np.isnan(values).sum(axis=1)
    places = np.flatnonzero(diverged == diverged.min())
    kept = values[places]
    kept = kept[:, ~np.isnan(kept).any(axis=0)]  # [candidates, n]
    n = kept.shape[1]
    if n < 2:
        score = float(kept.mean(axis=1).max()) if n else float("nan")
        return Optimism(best, score, float("nan"), float("nan"))
    totals = kept.sum(axis=1, keepdims=True)
    left_out = np.argmax(totals - kept, axis=0)  # [n], wₛ
    winner = int(np.argmax(totals))
    best = int(places[winner])
    chosen = kept[left_out, np.arange(n)]
    lost = float(np.mean(np.maximum(kept[winner] - chosen, 0)))
    score = float(kept[winner].mean())
    return Optimism(best, score, score - lost, lost)
