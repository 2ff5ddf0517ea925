"""Who says which setting of a space comes next: at random, quasi-random, one after the other, or Optuna.

A sampler is asked for settings and told how good they were. With the same seed, and asked for as many at a time,
it says the same again; the order in which the settings of a batch are told changes nothing.
"""

import functools
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from nnjax.search.distributions import MOST_VALUES, Leaf, choice
from nnjax.search.numbers import integers, log_integers, log_uniform, uniform
from nnjax.search.space import Space
from nnjax.validation import UserError, check_count, check_seed, short

BATCH = 8
"""Settings that are asked for at a time of a sampler that learns from their scores."""


class Sampler(Protocol):
    """Says which settings come next."""

    def ask(self, count: int) -> list[dict[str, Any]]:
        """The next settings; fewer than ``count`` where there are no more."""

    def tell(self, values: Mapping[str, Any], score: float) -> None:
        """How good a setting that was asked for is, the larger the better; NaN where it diverged."""


class Planned:
    """A sampler that goes its way whatever it is told."""

    def tell(self, values: Mapping[str, Any], score: float) -> None:
        """Nothing follows from a score."""


class Random(Planned):
    """Settings drawn independently of each other."""

    def __init__(self, space: Space, seed: int = 0) -> None:
        check_seed("the seed of a sampler", seed)
        self._space = space
        self._generator = np.random.default_rng(seed)

    def ask(self, count: int) -> list[dict[str, Any]]:
        return [self._space.values(u.tolist()) for u in self._generator.random((count, self._space.dims))]


class Sobol(Planned):
    """Points of Sobol's sequence, scrambled after Owen: they fill the space more evenly than random ones."""

    def __init__(self, space: Space, seed: int = 0) -> None:
        from scipy.stats import qmc

        check_seed("the seed of a sampler", seed)
        self._space = space
        self._engine = qmc.Sobol(max(space.dims, 1), scramble=True, rng=np.random.default_rng(seed))

    def ask(self, count: int) -> list[dict[str, Any]]:
        with warnings.catch_warnings():
            # Balanced are only powers of two. A search of another length is still more even than a random one.
            warnings.filterwarnings("ignore", message="The balance properties of Sobol", category=UserWarning)
            return [self._space.values(u.tolist()) for u in self._engine.random(count)] if count else []


class Grid(Planned):
    """All combinations, the last field running fastest."""

    def __init__(self, space: Space, seed: int = 0, points: "int | Mapping[str, int] | None" = None) -> None:
        """``points`` says how many values a continuous distribution has: one number for all, or by name."""
        by_name = points if isinstance(points, Mapping) else {}
        for name, number in by_name.items() if by_name else [("points", points)] if points is not None else []:
            check_count(f"the number of points of {name}" if by_name else name, number)  # type: ignore[arg-type]
        names = [parameter.name for parameter in space.parameters]
        for name in by_name:
            if name not in names:
                raise UserError(f"points names {short(name)}, and the space has {', '.join(names)}")
        most = math.prod(
            len(parameter.distribution.grid(self._of(points, parameter.name))) for parameter in space.parameters
        )
        if most > MOST_VALUES:
            raise UserError(f"the grid has {most:,} combinations, and may have at most {MOST_VALUES:,}")
        self._settings = list(space.grid(lambda name: self._of(points, name)))
        self._next = 0

    @staticmethod
    def _of(points: "int | Mapping[str, int] | None", name: str) -> int | None:
        return points.get(name) if isinstance(points, Mapping) else points

    def __len__(self) -> int:
        return len(self._settings)

    def ask(self, count: int) -> list[dict[str, Any]]:
        first, self._next = self._next, self._next + count
        return self._settings[first : self._next]


class Optuna:
    """What a sampler of Optuna suggests; asked for a batch, it takes settings that aren't told yet as bad ones."""

    def __init__(self, space: Space, seed: int = 0, sampler: Any = None) -> None:
        """``sampler`` is one of ``optuna.samplers``, which has its own seed; None: a tree of Parzen estimators."""
        check_seed("the seed of a sampler", seed)
        self._optuna = _optuna()
        self._space = space
        shown = self._optuna.logging.get_verbosity()
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)  # else it says that there is a study
        with warnings.catch_warnings():
            # A batch needs constant_liar, which Optuna has called experimental since 2021.
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study = self._optuna.create_study(
                direction="maximize",
                sampler=sampler or self._optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            )
        self._optuna.logging.set_verbosity(shown)
        self._trials: dict[Any, list[Any]] = defaultdict(list)
        """Those that aren't told yet, by their settings."""
        self._scores: dict[Any, list[float]] = defaultdict(list)
        """Those that are told, but not to Optuna."""

    def ask(self, count: int) -> list[dict[str, Any]]:
        self._pass_on()
        asked = []
        for _ in range(count):
            trial = self._study.ask()
            values = self._space.draw(functools.partial(self._suggested, trial))
            self._trials[_key(values)].append(trial)
            asked.append(values)
        return asked

    def tell(self, values: Mapping[str, Any], score: float) -> None:
        key = _key(values)
        if len(self._scores[key]) >= len(self._trials.get(key, ())):
            raise UserError(
                f"a sampler is told of {short(dict(values))}, which it wasn't asked for or was told already"
            )
        # What diverged is worse than all else; left out, Optuna would go there again.
        self._scores[key].append(-math.inf if math.isnan(score) else float(score))

    def _pass_on(self) -> None:
        """Tell Optuna the scores in the order of the trials, whichever ended first."""
        told: list[tuple[Any, float]] = []
        for key, scores in self._scores.items():
            trials = self._trials[key]
            told += zip(trials[: len(scores)], sorted(scores), strict=True)
            del trials[: len(scores)]
        self._scores.clear()
        for trial, score in sorted(told, key=lambda pair: pair[0].number):
            self._study.tell(trial, score)

    def _suggested(self, trial: Any, index: int, dim: int, leaf: Leaf) -> Any:
        return _suggested(trial, f"{index}.{dim} {self._space.parameters[index].name}", leaf)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError("the sampler optuna needs Optuna: pip install optuna") from None
    return optuna


def _key(values: Mapping[str, Any]) -> Any:
    return tuple(sorted(values.items(), key=lambda item: item[0]))


def _suggested(trial: Any, name: str, leaf: Leaf) -> Any:
    """What Optuna suggests for a dimension, which it knows by the nearest thing that it has."""
    match leaf:
        case uniform(step=None):
            return trial.suggest_float(name, leaf.low, leaf.high)
        case log_uniform(step=None):
            return trial.suggest_float(name, leaf.low, leaf.high, log=True)
        case uniform(count=int(count)) | integers(count=int(count)):
            return leaf.place(trial.suggest_int(name, 0, count - 1))
        case log_integers(step=1):
            return trial.suggest_int(name, leaf.low, leaf.high, log=True)
        case choice(probabilities=None):
            return leaf.options[trial.suggest_categorical(name, range(len(leaf.options)))]
    # It has no others: there it searches the unit interval, over which these are spread by their probabilities.
    return leaf.ppf(trial.suggest_float(name, 0.0, 1.0))


SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "random": Random,
    "sobol": Sobol,
    "grid": Grid,
    "optuna": Optuna,
}
"""The samplers by name: ``(space, seed, **options)`` makes one."""


def batch_of(sampler: Sampler, samples: int) -> int:
    """Settings to ask for at a time, of so many: all, or few of a sampler that learns from their scores."""
    return samples if isinstance(sampler, Planned) else BATCH
