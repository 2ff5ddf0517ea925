"""Who says which runs are trained, and which of them stop: what `nnjax.engine.loop.train` asks, and tells."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnjax.engine.plan import Group, Run
from nnjax.results.starts import State
from nnjax.training.monitor import VALID, signs
from nnjax.training.start import RunState
from nnjax.types import Params

Metrics: TypeAlias = dict[str, Any]
"""Host arrays [R, …] by the names of `nnjax.training.metrics.variables`."""

Stops: TypeAlias = int | Iterable[int] | np.ndarray | None
"""Which runs stop: an index, several, or a truth value for each."""


class Stretch(NamedTuple):
    """Runs that are to train up to the end of an epoch."""

    group: Group
    until: int
    """The epoch, counted from 1, after which the driver is asked again."""
    stops: Stops = None
    """Which of the runs stop before that."""


class EpochEnd(NamedTuple):
    """The end of an epoch of a group's runs, none of which has gone further when somebody sees it."""

    epoch: int  # counted from 1
    runs: tuple[Run, ...]
    trained: np.ndarray  # [R]: which of them were trained in this epoch, and have not diverged in it
    metrics: Metrics  # [R, …]; NaN where a run was not trained
    states: RunState | None
    """Host arrays [R, …]: parameters, optimizer state and the best so far, where somebody asked for them."""


OnEpoch: TypeAlias = Callable[[EpochEnd], Stops]
"""Is told of each end of an epoch, and may say which runs stop there."""


class Standing(NamedTuple):
    """How the runs of a group stand at the end of a stretch."""

    group: Group
    best: np.ndarray  # [R]: the score of the best epoch so far; NaN: the run has diverged
    stopped: np.ndarray  # [R]: which were stopped
    trained: int  # epochs of all runs


class Outcome(NamedTuple):
    """What came out of a group, as host arrays."""

    epochs: Metrics  # [R, E, …]
    test: Metrics  # [R, …]
    best_epoch: np.ndarray  # [R]
    diverged_epoch: np.ndarray  # [R]; 0 for none
    stopped_epoch: np.ndarray  # [R]; 0 for none
    best_params: Params | None  # [R, …]; of a shared program its vectors [R, P]
    last_params: Params | None
    state: State | None = None  # [R, …]: what training can go on from


def best_scores(group: Group, outcome: Outcome, monitor: str) -> np.ndarray:
    """The best score of each run by the monitored metric, ``[R]``, the higher the better; NaN: it has diverged."""
    sign = signs(group.structure.metrics)[monitor.removeprefix(VALID)]
    best = np.fmax.reduce(sign * outcome.epochs[monitor], axis=1)
    return np.where(outcome.diverged_epoch > 0, np.nan, best)


class Driver:
    """Asks for runs, is told what becomes of them, and asks again.

    This one asks for nothing; another has an ``ask`` of its own. Nothing may depend on the order in which the
    groups of one answer are trained.
    """

    waits = False
    """Whether the next epoch begins only after ``on_epoch`` has answered; that costs some speed."""

    total = 0
    """Epochs of all the runs that it will have asked for, as far as it knows."""

    def ask(self) -> Sequence[Stretch]:
        """What to train next; nothing ends the training. Asked when all that it said before has been trained."""
        return ()

    def on_epoch(self, end: EpochEnd) -> Stops:
        """Which runs stop at the end of an epoch."""

    def on_standing(self, standing: Standing) -> None:
        """How runs stand at the end of a stretch."""

    def on_outcome(self, group: Group, outcome: Outcome) -> None:
        """What came out of runs none of which trains any longer."""


class Fixed(Driver):
    """Trains groups to their ends, and keeps what came out of them.

    Args:
        groups: what to train.
        on_epoch: who else is told of each end of an epoch, and may say which runs stop.
    """

    def __init__(self, groups: Sequence[Group], on_epoch: OnEpoch | None = None) -> None:
        self.outcomes: list[tuple[Group, Outcome]] = []
        self.waits = on_epoch is not None
        self.total = sum(group.left for group in groups)
        self._left = [Stretch(group, group.epochs) for group in groups]
        self._told = on_epoch

    def ask(self) -> Sequence[Stretch]:
        asked, self._left = self._left, []
        return asked

    def on_epoch(self, end: EpochEnd) -> Stops:
        return self._told(end) if self._told else None

    def on_standing(self, standing: Standing) -> None:
        self.total += standing.trained - standing.group.left

    def on_outcome(self, group: Group, outcome: Outcome) -> None:
        self.outcomes.append((group, outcome))
