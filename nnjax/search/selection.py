"""The best of K settings by as few seeds as it takes: settings that fall behind are dropped while seeds are added.

The procedure is Kim's and Nelson's (2001), for settings that share their seeds. With n₀ seeds of the first stage,
an indifference zone δ, and an error of at most α:

    η  = ½ ((2α / (K − 1))^(−2 / (n₀ − 1)) − 1)
    S²ᵢₗ = Σⱼ (Xᵢⱼ − Xₗⱼ − (X̄ᵢ − X̄ₗ))² / (n₀ − 1)                over the first n₀ seeds j
    Wᵢₗ(r) = max(0, δ/2r (h² S²ᵢₗ/δ² − r)),   h² = 2η (n₀ − 1)

After r seeds setting i is dropped if a survivor l has ``X̄ₗ(r) − X̄ᵢ(r) > Wᵢₗ(r)``. W narrows to nothing, so that
there is an end, after at most ``h² max S²ᵢₗ/δ² + 1`` seeds.

**What is promised**: if the best mean is at least δ above all others, it is selected with probability 1 − α, for
scores that are normal, with any variances, and any correlation between settings on the same seed. (Where others
are nearer than δ, any of them may be selected; that none farther away is, isn't proved for more than two
settings.)

**Why.** For one pair the sum of r differences is a random walk with drift ≥ δ, in a triangle of height ``a = η
(n₀ − 1) S²/δ`` and slope δ/2. Brownian motion leaves that on the wrong side with probability at most ``½ exp(−a
δ/σ²)`` (Fabian, 1974), whose mean over S², independent of the walk of means, is ``½ (1 + 2η)^(−(n₀ − 1)/2) =
α/(K − 1)``; there are K − 1 pairs with the best. Looking at some moments only makes the wrong exit less likely
(Jennison, Johnstone and Turnbull, 1982): a path that crosses +b and is next seen beyond −b' has a mirror image
that crosses −b and is seen beyond +b', and with drift δ and variance σ² crossing there is exp(2δb/σ²) times as
likely, going on so exp(−2δ(b + b')/σ²) times: more wrong exits are mended than made. So rounds of any sizes
keep the promise as long as the sizes are fixed beforehand or follow from the variances of the first stage, not
from who leads.

Sources: Kim and Nelson (2001), A fully sequential procedure for indifference-zone selection in simulation, ACM
TOMACS 11(3), with c = 1 and dependent settings; Fabian (1974), Annals of Statistics 2; Jennison, Johnstone and
Turnbull (1982), in Statistical Decision Theory and Related Topics III.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from nnjax.search.scores import Bools, Floats, Ints, check_confidence, check_number, check_whole, checked, order
from nnjax.validation import UserError


class KimNelson:
    """A selection that is told scores round by round.

    Attributes:
        eta: η of the module's formulas.
        seeds: how many seeds each survivor has.
        alive: which settings may still be selected, ``[K]``.
        decided: whether the selection has ended. Then `alive` has one setting, or several with equal means.
    """

    def __init__(self, settings: int, zone: float, confidence: float = 0.95, *, first: int = 8) -> None:
        """
        Args:
            settings: K, how many there are.
            zone: δ, the smallest difference of means that matters, in units of the scores.
            confidence: 1 − α, how often the best is selected.
            first: n₀, the seeds from which the variances are estimated. More seeds narrow W, and cost more.

        Raises:
            UserError: for a number that can't be right.
        """
        self.eta = eta(settings, confidence, first)
        check_number("zone", zone, above=0)
        self.zone = zone
        self.first = first
        self.alive: Bools = np.full(settings, True)
        self.decided = settings == 1
        self._scores: Floats = np.empty((settings, 0))
        self._variances: Floats | None = None

    @property
    def seeds(self) -> int:
        """How many seeds each survivor has."""
        return self._scores.shape[1]

    @property
    def best(self) -> int:
        """The best survivor so far: fewest diverged runs, highest mean, first in order."""
        places = np.flatnonzero(self.alive)
        return int(places[order(self._scores[places])[0]])

    @property
    def most(self) -> int | None:
        """After how many seeds the selection ends at the latest; None before the first stage is over."""
        if self._variances is None:
            return None
        pairs = self._variances[np.ix_(self.alive, self.alive)]
        return max(self.first, int(2 * self.eta * (self.first - 1) * pairs.max() / self.zone**2) + 1)

    def tell(self, scores: ArrayLike) -> Ints:
        """The places of the survivors once the scores of new seeds are known.

        A setting with a diverged run is dropped if one without survives; where all have some, the fewest stay, and
        the selection ends without a promise. Once decided, further scores change nothing.

        Args:
            scores: ``[K, new seeds]``, NaN where a run diverged. The rows of settings that were dropped don't
            count.

        Raises:
            UserError: for scores of another shape.
        """
        new = checked(scores, len(self.alive))
        if self.decided:
            return np.flatnonzero(self.alive)
        self._scores = np.concatenate([self._scores, new], axis=1)
        diverged = np.isnan(self._scores).sum(axis=1)
        least = diverged[self.alive].min()
        self.alive &= diverged == least
        if least:
            self.decided = True
        elif self.seeds >= self.first:
            known = np.where(self.alive[:, None], self._scores, 0)
            if self._variances is None:
                self._variances = variances(known[:, : self.first])
            reach = reaches(self._variances, self.seeds, self.zone, self.eta, self.first)
            self.alive = surviving(self.alive, known.sum(axis=1), reach)
            self.decided = bool(ended(self.alive, reach))
        self.decided |= bool(self.alive.sum() == 1)
        return np.flatnonzero(self.alive)


def select(
    scores: Floats, zone: float, confidence: float = 0.95, *, first: int = 8, looks: Iterable[int]
) -> tuple[Bools, Ints]:
    """The survivors of many selections at once, ``[…, K]``, and the seeds after which each ended, ``[…]``, or 0.

    Args:
        scores: ``[…, K, S]``, all finite.
        zone, confidence, first: as `KimNelson` has them.
        looks: the numbers of seeds at which settings are dropped, ascending, none below ``first``.

    Raises:
        UserError: for a number that can't be right.
    """
    height = eta(scores.shape[-2], confidence, first)
    check_number("zone", zone, above=0)
    spread = variances(scores[..., :first])
    alive = np.full(scores.shape[:-1], True)
    end = np.zeros(scores.shape[:-2], np.int64)
    for seeds in looks:
        if not first <= seeds <= scores.shape[-1]:
            raise UserError(f"looks has {seeds}, and must be between first, {first}, and {scores.shape[-1]} seeds")
        reach = reaches(spread, seeds, zone, height, first)
        open_ = end == 0
        after = surviving(alive, scores[..., :seeds].sum(axis=-1), reach)
        alive = np.where(open_[..., None], after, alive)
        end = np.where(open_ & ended(alive, reach), seeds, end)
        if end.all():
            break
    return alive, end


def eta(settings: int, confidence: float, first: int) -> float:
    """η: ``½ ((2α / (K − 1))^(−2 / (n₀ − 1)) − 1)``, and 0 where a coin would do.

    Raises:
        UserError: for a confidence that isn't between 0 and 1, no setting or fewer than 2 first seeds.
    """
    check_whole("settings", settings, 1)
    check_confidence(confidence)
    check_whole("first", first, 2)
    if settings == 1:
        return 0.0
    return max(0.0, ((2 * (1 - confidence) / (settings - 1)) ** (-2 / (first - 1)) - 1) / 2)


def variances(scores: Floats) -> Floats:
    """S², the variances of the differences of settings on the same seed, ``[…, K, K]`` of ``[…, K, S]``."""
    rows = [np.var(scores[..., i, None, :] - scores, axis=-1, ddof=1) for i in range(scores.shape[-2])]
    return np.stack(rows, axis=-2)


def reaches(spread: Floats, seeds: int, zone: float, height: float, first: int) -> Floats:
    """``r W(r)``, how far a sum may be behind another, ``[…, K, K]``: ``max(0, η (n₀ − 1) S²/δ − δ r/2)``."""
    with np.errstate(over="ignore"):
        return np.maximum(height * (first - 1) * spread / zone - zone * seeds / 2, 0)


def surviving(alive: Bools, totals: Floats, reach: Floats) -> Bools:
    """Which of the survivors aren't behind another survivor by more than its reach, ``[…, K]``; never none."""
    behind = totals[..., None, :] - totals[..., :, None]  # [.., i, l], i behind l
    return alive & ~np.any(alive[..., None, :] & (behind > reach), axis=-1)


def ended(alive: Bools, reach: Floats) -> Bools:
    """Whether no pair of survivors has any reach left, ``[…]``: then one is left, or some with equal means."""
    pairs = alive[..., None, :] & alive[..., :, None] & ~np.eye(alive.shape[-1], dtype=bool)
    return np.asarray(~np.any(pairs & (reach > 0), axis=(-2, -1)))
