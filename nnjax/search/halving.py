"""Successive halving and hyperband: many settings begin, and the better share of them goes on.

Source: L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, Hyperband: A novel bandit-based approach to
hyperparameter optimization, JMLR 18 (2018) 185, algorithm 1. A setting's seeds stay together, and settings share
them: what is compared is a mean of pairs.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnjax.engine.driver import Driver, Outcome, Standing, Stretch
from nnjax.engine.plan import Group
from nnjax.validation import UserError, check_count, short


@dataclass(frozen=True)
class Halving:
    """At each rung one setting in ``factor`` goes on.

    With ``brackets`` the settings are dealt out to several such races, which begin to choose ever later, as
    hyperband does: a setting that starts slowly then has a chance.
    """

    factor: int = 3
    """η."""
    least: int = 1
    """Epochs up to the first choice."""
    brackets: int = 1
    """Races; hyperband has as many as there are rungs."""

    def __post_init__(self) -> None:
        for name in ("least", "brackets"):
            check_count(f"{name} of a halving", getattr(self, name))
        if not isinstance(self.factor, int) or self.factor < 2:
            raise UserError(f"factor of a halving is {short(self.factor)}, and must be a whole number from 2 on")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs at whose end settings are compared, and the last one: least · ηⁱ."""
        if self.least > epochs:
            raise UserError(f"least of a halving is {self.least}, and must be at most {epochs}, the epochs")
        found = [self.least]
        while found[-1] * self.factor < epochs:
            found.append(found[-1] * self.factor)
        return (*found, epochs) if found[-1] < epochs else tuple(found)

    def shares(self, settings: int, epochs: int) -> list[int]:
        """How many of the settings each bracket has: bracket s begins to choose at rung s.

        In proportion to hyperband's n = ⌈(s_max + 1) / (s_max + 1 − s)⌉ · η^(s_max − s), at least one each.
        """
        rungs = len(self.rungs(epochs))
        if self.brackets > rungs:
            raise UserError(
                f"brackets of a halving is {self.brackets}, and must be at most {rungs}, the rungs of {epochs} "
                "epochs"
            )
        weights = np.array([rungs / (rungs - s) * self.factor ** (rungs - 1 - s) for s in range(self.brackets)])
        ends = np.round(np.cumsum(weights) / weights.sum() * settings).astype(int)
        return np.diff([0, *ends]).tolist()


class Race:
    """Says at each rung which settings stop; the same whatever the order in which their runs ended."""

    def __init__(self, halving: Halving, settings: int, epochs: int) -> None:
        self.halving = halving
        self.rungs = halving.rungs(epochs)
        shares = halving.shares(settings, epochs)
        self.bracket = np.repeat(np.arange(len(shares)), shares)  # [settings]
        self.lost: set[int] = set()
        """The settings that the race has stopped."""

    def epochs(self) -> int:
        """The epochs of all settings, for each seed, where none of them diverges."""
        found = 0
        for bracket, settings in enumerate(np.bincount(self.bracket).tolist()):
            for rung, (before, until) in enumerate(itertools.pairwise((0, *self.rungs))):
                found += settings * (until - before)
                if settings and rung >= bracket:
                    settings = max(1, settings // self.halving.factor)
        return found

    def __call__(self, rung: int, scores: Mapping[int, np.ndarray]) -> set[int]:
        """The settings that stop at a rung."""
        stopped: set[int] = set()
        for bracket in range(int(self.bracket.max(initial=0)) + 1):
            if rung < bracket:
                continue
            inside = sorted(setting for setting in scores if self.bracket[setting] == bracket)
            stopped |= set(inside) - set(
                survivors({setting: scores[setting] for setting in inside}, self.halving.factor)
            )
        self.lost |= stopped
        return stopped


class Raced(Driver):
    """Trains groups from rung to rung of a race, and stops there what has lost.

    Args:
        groups: of the race's settings.
        race: says which settings stop.
    """

    def __init__(self, groups: Sequence[Group], race: Race) -> None:
        self.outcomes: list[tuple[Group, Outcome]] = []
        self.race = race
        self.total = race.epochs() * sum(len(group.runs) for group in groups) // len(race.bracket)
        self._under_way = list(groups)
        self._standing: dict[Group, Standing] = {}
        self._rung = 0

    def ask(self) -> Sequence[Stretch]:
        rung, self._rung = self._rung, self._rung + 1
        if rung == len(self.race.rungs):
            return ()
        lost = self.race(rung - 1, self._scores()) if rung else set()
        return [
            Stretch(group, self.race.rungs[rung], np.array([run.setting in lost for run in group.runs]))
            for group in self._under_way
        ]

    def on_standing(self, standing: Standing) -> None:
        self._standing[standing.group] = standing

    def on_outcome(self, group: Group, outcome: Outcome) -> None:
        self._under_way.remove(group)
        self.outcomes.append((group, outcome))

    def _scores(self) -> dict[int, np.ndarray]:
        """Of each setting that nobody has stopped, the best score so far of each run."""
        found: dict[int, list[float]] = {}
        for group, standing in self._standing.items():
            for index in np.flatnonzero(~standing.stopped):
                found.setdefault(group.runs[index].setting, []).append(standing.best[index])
        return {setting: np.array(of_runs) for setting, of_runs in found.items()}


def survivors(scores: Mapping[int, np.ndarray], factor: int) -> list[int]:
    """The better settings, one in ``factor`` of them and at least one, by the mean over their runs.

    A setting is worse the more of its runs have diverged, before its mean counts; equal ones stay in order.
    """

    def worse(setting: int) -> tuple[float, float, int]:
        runs = scores[setting]
        finite = runs[np.isfinite(runs)]
        return 1 - len(finite) / len(runs), -float(finite.mean()) if len(finite) else 0.0, setting

    return sorted(scores, key=worse)[: max(1, len(scores) // factor)] if scores else []
