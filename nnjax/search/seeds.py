"""The driver that adds seeds by need: rounds of runs, until a decision is reached or an interval narrow enough."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from nnjax.engine.driver import Driver, Outcome, Stretch, best_scores
from nnjax.engine.plan import Group, Plan
from nnjax.search.needed import Needed, needed
from nnjax.seeds import ByNeed


class NeededSeeds(Driver):
    """Trains the runs of a plan in rounds, as far as they are needed.

    Args:
        plan: all the runs that there may be.
        need: what is to be reached.
    """

    def __init__(self, plan: Plan, need: ByNeed) -> None:
        self.outcomes: list[tuple[Group, Outcome]] = []
        self.need = need
        self.runs = np.zeros(len(plan.settings), int)
        """How many seeds each setting has, or has been asked for, ``[K]``."""
        self._plan = plan
        self._scores = np.full((len(plan.settings), need.most), np.nan)
        """The best score of each run, ``[K, S]``."""

    def ask(self) -> Sequence[Stretch]:
        found = self.look()
        if found.status != "more":
            return ()
        before, self.runs = self.runs, self.runs + found.add
        asked = []
        for group in self._plan.groups:
            runs = [run for run in group.runs if before[run.setting] <= run.seed_index < self.runs[run.setting]]
            if runs:
                part = dataclasses.replace(group, runs=tuple(runs))
                asked.append(Stretch(part, part.epochs))
                self.total += len(runs) * part.epochs
        return asked

    def on_outcome(self, group: Group, outcome: Outcome) -> None:
        self.outcomes.append((group, outcome))
        for run, score in zip(group.runs, best_scores(group, outcome, self._plan.config.monitor), strict=True):
            self._scores[run.setting, run.seed_index] = score

    def look(self) -> Needed:
        """What is known so far."""
        return look(self.need, self._scores[:, : self.runs.max()], self.runs)

    def described(self) -> str:
        """In JSON what was asked for, and what has come of it."""
        found = self.look()
        return json.dumps(
            {
                **dataclasses.asdict(self.need),
                "status": found.status,
                "best": found.best,
                "behind": found.behind,
                **({} if self.need.half_width is None else {"width": found.width, "widest_lead": _widest(found)}),
            }
        )


def _widest(found: Needed) -> float | None:
    """Half the width of the widest interval of a lead; None where there is no other setting."""
    there = found.widths[np.isfinite(found.widths)]
    return float(there.max()) if there.size else None


def look(need: ByNeed, scores: np.ndarray, runs: np.ndarray) -> Needed:
    """`nnjax.search.needed` for what is to be reached."""
    return needed(
        scores,
        runs=runs,
        zone=need.zone,
        half_width=need.half_width,
        confidence=need.confidence,
        first=need.first,
        most=need.most,
    )
