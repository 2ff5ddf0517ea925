"""The driver of a search: asks a sampler for settings, batch by batch, and tells it how good they were."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nnjax.config import Config, replace
from nnjax.data import Dataset
from nnjax.engine.driver import Driver, Fixed, Outcome, Standing, Stretch, best_scores
from nnjax.engine.plan import Group, Plan, plan
from nnjax.engine.sharing import Known
from nnjax.results import labels
from nnjax.search.halving import Halving, Race, Raced
from nnjax.search.samplers import Sampler
from nnjax.search.seeds import NeededSeeds
from nnjax.search.sweep import labeled


class Batches(Driver):
    """Trains each batch of settings to its end, or as a race, and then asks for the next.

    Args:
        config: the setting that the others vary.
        data: what to train on; None loads what ``config.data`` says.
        sampler: says which settings.
        samples: how many settings; equal ones are trained once.
        batch: settings asked for at a time.
        seeds: how many or which.
        halving: makes a race of each batch.
        known: the programs that are there.
    """

    def __init__(
        self,
        config: Config,
        data: Dataset | None,
        sampler: Sampler,
        *,
        samples: int,
        batch: int,
        seeds: int | str | Iterable[int] | None,
        halving: Halving | None,
        known: Known,
    ) -> None:
        self.chosen: list[dict[str, Any]] = []
        """What each setting has instead of the configuration."""
        self.parts: list[labels.Trained] = []
        self.lost: set[int] = set()
        """The settings that a race has stopped."""
        self.plan: Plan | None = None
        """Of the last batch."""
        self._config, self._data, self._seeds = config, data, seeds
        self._sampler, self._samples, self._batch = sampler, samples, batch
        self._halving, self._known = halving, known
        self._asked: list[dict[str, Any]] = []
        self._first = 0  # the number of the batch's first setting
        self._before = 0  # epochs of the batches before
        self._inner: Fixed | Raced | NeededSeeds | None = None

    def ask(self) -> Sequence[Stretch]:
        asked = self._inner.ask() if self._inner else ()
        return asked or self._next()

    def on_standing(self, standing: Standing) -> None:
        assert self._inner is not None
        self._inner.on_standing(standing)

    def on_outcome(self, group: Group, outcome: Outcome) -> None:
        assert self._inner is not None
        self._inner.on_outcome(group, outcome)
        self.parts += [
            part._replace(runs=[(setting + self._first, of_seed) for setting, of_seed in part.runs])
            for part in labeled(group, outcome)
        ]
        if isinstance(self._inner, Raced):
            self.lost |= {setting + self._first for setting in self._inner.race.lost}

    @property
    def most_seeds(self) -> int | None:
        """The most seeds that a setting has had, where they are added by need."""
        if self.plan is None or self.plan.config.by_need is None:
            return None
        return 1 + max(of_seed for part in self.parts for _, of_seed in part.runs)

    @property
    def total(self) -> int:  # type: ignore[override]
        """Those of the batches so far, and as much for each setting to come."""
        if self._inner is None or self.plan is None:
            return 0
        to_come = self._samples - len(self.chosen)
        return self._before + self._inner.total + to_come * self._inner.total // len(self.plan.settings)

    def _next(self) -> Sequence[Stretch]:
        """The next batch; nothing where the sampler has no more, or asks for what it knows already."""
        self._tell()
        wanted = min(self._batch, self._samples - len(self.chosen))
        self._asked = self._sampler.ask(wanted) if wanted else []
        new = [setting for setting in distinct(self._config, self._asked) if setting not in self.chosen]
        if not new:
            return ()
        self._before += self._inner.total if self._inner else 0
        self._first = len(self.chosen)
        self.chosen += new
        self.plan = plan(self._config, self._data, new, seeds=self._seeds, known=self._known)
        groups = self.plan.groups
        epochs = max(group.epochs for group in groups)
        need = self.plan.config.by_need
        self._inner = (
            Raced(groups, Race(self._halving, len(new), epochs))
            if self._halving
            else NeededSeeds(self.plan, need)
            if need
            else Fixed(groups)
        )
        return self._inner.ask()

    def _tell(self) -> None:
        """Tell the sampler the mean over the seeds of each run's best score; NaN where a run diverged."""
        if self._inner is None or self.plan is None:
            return
        scores: dict[Config, list[float]] = {}
        for group, outcome in self._inner.outcomes:
            best = best_scores(group, outcome, self.plan.config.monitor)
            for run, score in zip(group.runs, best, strict=True):
                scores.setdefault(self.plan.settings[run.setting], []).append(float(score))
        for values in self._asked:
            config = replace(self.plan.config, values)
            if config in scores:
                self._sampler.tell(values, float(np.mean(scores[config])))


def distinct(config: Config, asked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The settings without those that are there already, as the configuration holds their values."""
    found: dict[Config, dict[str, Any]] = {}
    for values in asked:
        found.setdefault(replace(config, values), dict(values))
    return list(found.values())
