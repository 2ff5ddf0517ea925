"""What fits ask for, and how those of one kind or many are trained together, in few programs of the engine."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nnjax.config import Config, DataConfig, replace
from nnjax.data import Dataset
from nnjax.engine.driver import EpochEnd, Fixed
from nnjax.engine.loop import train
from nnjax.engine.plan import groups_of
from nnjax.engine.shared import by_structure
from nnjax.engine.sharing import Known
from nnjax.results.sources import Source
from nnjax.results.starts import Start, State
from nnjax.results.trees import leaves, path_name
from nnjax.sklearn.rule import Rule
from nnjax.types import Params

Optimizer = Mapping[str, np.ndarray]
"""The state of an optimizer, its leaves by their names; pickled, it needs no optax."""


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """Examples that train or validate."""

    x: Any  # [N, D], also sparse
    y: np.ndarray  # [N] int, or [N, C]
    weight: np.ndarray | None = None  # [N]

    def arrays(self) -> tuple[Any, ...]:
        """As `nnjax.Dataset` takes them."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """What a fit's networks are trained on."""

    task: str
    outputs: int
    train: Part
    valid: Part | None
    """What decides when to stop; None: training itself does."""

    @functools.cached_property
    def digest(self) -> str:
        """A hash of it."""
        digest = hashlib.blake2b(f"{self.task} {self.outputs}".encode())
        for part in (self.train, *([] if self.valid is None else [self.valid])):
            for array in part.arrays():
                add_array(digest, array)
        return digest.hexdigest()

    def dataset(self) -> Dataset:
        """As the engine takes it.

        It has three splits in any case: where nothing validates, and for the test, an example stands that nobody
        asks about.
        """
        one = Part(self.train.x[:1], self.train.y[:1])
        valid = one if self.valid is None else self.valid
        parts: Any = {"train": self.train.arrays(), "valid": valid.arrays(), "test": one.arrays()}
        return Dataset("data", **parts, classes=self.outputs, task=self.task, standardised=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """Networks of one setting that differ in their seeds."""

    config: Config
    data: Data
    seeds: tuple[int, ...]
    """Of the order of the examples, one for each network."""
    params: tuple[Params, ...]
    """With which they start."""
    optimizers: tuple[Optimizer, ...] | None
    """The state with which they go on; None: a new one."""
    rules: tuple[Rule, ...]
    """When each network stops."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A network, after it was trained."""

    params: Params
    """Of the best epoch where something validates, else the last."""
    optimizer: Optimizer
    curve: np.ndarray
    """The training loss of each epoch."""
    scores: np.ndarray | None
    """What validates, likewise."""
    best: float
    """As its rule has it, likewise the next."""
    waited: int
    converged: bool
    """Whether its rule ended it."""
    finite: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Begins(Start):
    """Networks with parameters, and maybe the state of an optimizer, of one's own."""

    trees: tuple[Params, ...] = ()
    optimizers: tuple[Optimizer, ...] = ()

    def params(self, shapes: Params, which: str = "last") -> Params:
        """Parameters ``[R, …]``, or of one run."""
        return self._of_each(self.trees)

    def check(self, shapes: Params) -> None:
        """They fit: an estimator makes them."""

    def state(self, like: State) -> State:
        """The states ``[R, …]``, or that of one run."""
        found = [
            jax.tree_util.tree_map_with_path(lambda path, _, one=one: one[path_name(path)], like.optimizer)
            for one in self.optimizers
        ]
        nothing = np.zeros(np.shape(self.index), np.int32)
        step = self._of_each([np.int32(one["step"]) for one in self.optimizers])
        worst = np.full(np.shape(self.index), -np.inf, np.float32)
        return State(self._of_each(found), step, nothing, worst, -worst)

    def of_runs(self, name: str) -> np.ndarray:
        """What was, of which nothing counts."""
        value = {"state.best_score": -np.inf, "state.best_loss": np.inf}.get(name, 0)
        return np.full(np.shape(self.index), value)

    def history(self, said: Any, labels: Any) -> list[dict[str, Any]]:
        """Likewise."""
        return []

    def _of_each(self, trees: Sequence[Any]) -> Any:
        if np.ndim(self.index) == 0:
            return trees[int(self.index)]
        return jax.tree.map(lambda *found: np.stack(found), *(trees[int(index)] for index in self.index))


def add_array(digest: Any, array: Any) -> None:
    """Add an array to a hash, also a sparse one."""
    parts = [array.data, array.indices, array.indptr] if hasattr(array, "indptr") else [np.asarray(array)]
    for part in parts:
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data if part.dtype != object else repr(part.tolist()).encode())


def train_fits(fits: Sequence[Fit], *, states: bool = True, verbose: bool = False) -> list[list[Trained]]:
    """The networks of all fits, trained together.

    Args:
        fits: what is to be trained.
        states: give the optimizers' states back.
        verbose: say the losses of each epoch.
    """
    places = {digest: place for place, digest in enumerate(dict.fromkeys(fit.data.digest for fit in fits))}
    folds = {digest: DataConfig(folds=max(2, len(places)), fold=place) for digest, place in places.items()}
    loaded: dict[DataConfig, Dataset] = {}
    settings, networks = [], []
    for fit in fits:
        data = folds[fit.data.digest]
        if data not in loaded:
            loaded[data] = fit.data.dataset()
        config = dataclasses.replace(fit.config, data=data)
        for place, seed in enumerate(fit.seeds):
            settings.append(replace(config, {"data_seed": seed}))
            networks.append((fit, place))
    known = Known(frozenset(str(config.activation) for config in settings))
    groups = []
    for group in groups_of(settings, loaded, known):
        of = [networks[run.setting] for run in group.runs]
        goes_on = of[0][0].optimizers is not None
        source = Source("state" if goes_on else "last", {}, [], [], np.zeros(0, int))
        groups.append(
            dataclasses.replace(
                group,
                start=Begins(
                    source,
                    np.arange(len(of)),
                    0,
                    tuple(fit.params[place] for fit, place in of),
                    tuple(fit.optimizers[place] for fit, place in of if fit.optimizers is not None),
                ),
            )
        )
    rules = Rules([fit.rules[place] for fit, place in networks], verbose)
    driver = Fixed(groups, rules.stop)
    train(driver, keep_parameters=True, keep_state=states)
    found: dict[int, Trained] = {}
    for group, outcome in driver.outcomes:
        for _, runs, of_structure in by_structure(group, outcome):
            for index, run in enumerate(runs):
                setting = group.runs[run].setting
                fit, _ = networks[setting]
                kept: Any = of_structure.last_params if fit.data.valid is None else of_structure.best_params
                optimizer: dict[str, np.ndarray] = {}
                if of_structure.state is not None:
                    optimizer = {name: leaf[index] for name, leaf in leaves(of_structure.state.optimizer)}
                    optimizer["step"] = of_structure.state.step[index]
                found[setting] = Trained(
                    jax.tree.map(lambda leaf, index=index: leaf[index], kept),
                    optimizer,
                    *rules.curves(setting),
                    float(rules.best[setting]),
                    int(rules.waited[setting]),
                    bool(rules.converged[setting]),
                    not of_structure.diverged_epoch[index],
                )
    ordered = iter([found[setting] for setting in range(len(settings))])
    return [[next(ordered) for _ in fit.seeds] for fit in fits]


class Rules:
    """When each network stops, and how it came there."""

    def __init__(self, rules: Sequence[Rule], verbose: bool) -> None:
        self.tol, self.patience, self.best = (
            np.array([getattr(rule, name) for rule in rules], float) for name in ("tol", "patience", "best")
        )
        self._share, self._decay = (
            np.array([getattr(rule, name) for rule in rules]) for name in ("share", "decay")
        )
        self.waited = np.array([rule.waited for rule in rules])
        self.converged = np.zeros(len(rules), bool)
        self._rules, self._verbose = rules, verbose
        self._losses: list[list[float]] = [[] for _ in rules]
        self._scores: list[list[float]] = [[] for _ in rules]

    def stop(self, end: EpochEnd) -> np.ndarray:
        """Which runs stop at the end of an epoch, of those that share a program."""
        settings = np.array([run.setting for run in end.runs])
        loss, norm = (end.metrics[name].astype(float) for name in ("train_loss", "kernel_norm"))
        loss = loss * self._share[settings] + self._decay[settings] / 2 * norm**2
        validated = [self._rules[setting].score is not None for setting in settings]
        value = loss.copy()
        for index in np.flatnonzero(validated & end.trained):
            score: Any = self._rules[settings[index]].score
            said = {name: of_all[index] for name, of_all in end.metrics.items() if name.startswith("valid_")}
            value[index] = -score(said)
            self._scores[settings[index]].append(-value[index])
        for index in np.flatnonzero(end.trained):
            self._losses[settings[index]].append(loss[index])
        if self._verbose:
            words = f"Iteration {end.epoch}, loss = {np.nanmean(loss):.8f}"
            print(words + (f", validation score = {-np.nanmean(value):.6f}" if any(validated) else ""))
        worse = value > self.best[settings] - self.tol[settings]
        here = settings[end.trained]
        self.waited[here] = np.where(worse, self.waited[settings] + 1, 0)[end.trained]
        self.best[here] = np.fmin(self.best[settings], value)[end.trained]
        stops = end.trained & (self.waited[settings] > self.patience[settings])
        self.converged[settings[stops]] = True
        return stops

    def curves(self, network: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The losses of a network, and its validation scores."""
        validates = self._rules[network].score is not None
        return np.array(self._losses[network]), np.array(self._scores[network]) if validates else None
