"""The ways to train the settings of a search, each for a process of its own: `python search_ways.py WAY FOLDER`.

The folder holds what `search.py` has written there: the examples, and the settings. Every way trains every setting
with all seeds for all epochs, by plain SGD with weight decay on the kernels, and prints one line of JSON: its
seconds, how many settings diverged, and their mean loss in the last epoch, so that nobody wins by doing less. Each
works as its users would write it for speed, and draws weights and orders itself. nnjax alone validates, tests,
measures norms and keeps the best epoch too.

What a way doesn't use isn't imported: that would be timed.
"""

import importlib
import json
import math
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DECAY = 1e-3
"""λ of all settings, in J = L + ½ λ Σ w²."""

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Setting(NamedTuple):
    """What a search varies."""

    hidden: tuple[int, ...]
    activation: str
    batch: int
    rate: float


class Problem(NamedTuple):
    """The settings, and on what they are trained."""

    settings: list[Setting]
    seeds: int
    epochs: int
    scale: float
    classes: int
    x: dict[str, np.ndarray]  # by split, [N, D] as it is stored
    y: dict[str, np.ndarray]  # [N] int32

    def write(self, folder: Path) -> None:
        """Into files that each way reads."""
        arrays = {f"{name}_{split}": array for name in "xy" for split, array in getattr(self, name).items()}
        np.savez(folder / "data.npz", allow_pickle=False, **arrays)
        numbers = {name: getattr(self, name) for name in ("settings", "seeds", "epochs", "scale", "classes")}
        (folder / "problem.json").write_text(json.dumps(numbers), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Problem":
        """From these files."""
        numbers = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
        settings = [Setting(tuple(hidden), *rest) for hidden, *rest in numbers.pop("settings")]
        with np.load(folder / "data.npz") as arrays:
            x, y = ({split: arrays[f"{name}_{split}"] for split in ("train", "valid", "test")} for name in "xy")
        return cls(settings, x=x, y=y, **numbers)

    def inputs(self) -> np.ndarray:
        """The training examples as float32, divided by the scale."""
        return self.x["train"].astype(np.float32) / np.float32(self.scale)

    def widths(self, setting: Setting) -> tuple[int, ...]:
        """From the inputs to the classes."""
        return (self.x["train"].shape[1], *setting.hidden, self.classes)


Losses = list[float]
"""The running loss of the last epoch, without decay, by setting: a mean over seeds, NaN where one diverged."""


def by_sklearn(problem: Problem, folder: Path) -> Losses:
    """MLPClassifier, each core a process that takes run after run."""
    import sklearn.neural_network

    assert sklearn
    return by_run(problem, fit_sklearn)


def fit_sklearn(problem: Problem, x: np.ndarray, setting: Setting, seed: int) -> float:
    """One run; NaN where it diverges, which scikit-learn has an error for.

    Its loss is J: the decay of the last weights is taken off. It divides alpha by the examples of a batch.
    """
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        setting.hidden,
        activation="logistic" if setting.activation == "sigmoid" else setting.activation,
        solver="sgd",
        alpha=DECAY * setting.batch,
        batch_size=setting.batch,
        learning_rate_init=setting.rate,
        momentum=0.0,
        max_iter=problem.epochs,
        n_iter_no_change=problem.epochs + 1,
        tol=0.0,
        random_state=seed,
    )
    try:
        with np.errstate(all="ignore"):
            model.fit(x, problem.y["train"])
    except ValueError as error:
        if "non-finite" not in str(error):
            raise
        return math.nan
    return float(model.loss_curve_[-1] - DECAY / 2 * sum(float((kernel**2).sum()) for kernel in model.coefs_))


def by_optuna(problem: Problem, folder: Path) -> Losses:
    """Optuna driving scikit-learn with as many jobs as cores, which are threads; it is told the settings."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x, losses = problem.inputs(), [math.nan] * len(problem.settings)

    def objective(trial: optuna.Trial) -> float:
        hidden = tuple(
            trial.suggest_int(f"width_{layer}", 1, 4096, log=True)
            for layer in range(trial.suggest_int("layers", 1, 2))
        )
        setting = Setting(
            hidden,
            trial.suggest_categorical("activation", ["identity", "sigmoid", "tanh", "relu"]),
            trial.suggest_categorical("batch", [16, 32, 64, 128]),
            trial.suggest_float("rate", 1e-4, 10, log=True),
        )
        losses[trial.number] = _mean([fit_sklearn(problem, x, setting, seed) for seed in range(problem.seeds)])
        return losses[trial.number]

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for setting in problem.settings:
        widths = {f"width_{layer}": width for layer, width in enumerate(setting.hidden)}
        rest = {"activation": setting.activation, "batch": setting.batch, "rate": setting.rate}
        study.enqueue_trial({"layers": len(setting.hidden), **widths, **rest})
    study.optimize(objective, n_trials=len(problem.settings), n_jobs=CORES)
    return losses


def by_run(problem: Problem, fit: Callable[[Problem, np.ndarray, Setting, int], float]) -> Losses:
    """Each core a process that takes run after run."""
    runs = [(setting, seed) for setting in problem.settings for seed in range(problem.seeds)]
    losses = on_cores(problem, fit, runs)
    return [_mean(losses[first : first + problem.seeds]) for first in range(0, len(runs), problem.seeds)]


def on_cores(problem: Problem, fit: Callable[..., Any], parts: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What `fit` gives for each part, of the problem, its inputs and the part.

    Each core is a process, forked from this one where that can be, so that it needs no start of its own.
    """
    ways = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in ways else "spawn")
    with context.Pool(CORES, _hold, (problem, problem.inputs(), fit)) as pool:
        return pool.map(_fit_one, parts, chunksize=1)


_held: tuple[Problem, np.ndarray, Callable[..., Any]]
"""What a process of `on_cores` has for all its parts."""


def _hold(*given: Any) -> None:
    global _held
    _held = given


def _fit_one(part: tuple[Any, ...]) -> Any:
    problem, x, fit = _held
    return fit(problem, x, *part)


def _mean(losses: Iterable[float]) -> float:
    return float(np.mean(list(losses)))


WAYS = {
    "nnjax": ("search_nnjax", "by_nnjax"),
    "jax": ("search_jax", "by_jax"),
    "sklearn": ("search_ways", "by_sklearn"),
    "optuna": ("search_ways", "by_optuna"),
    "torch": ("search_torch", "by_torch"),
    "population": ("search_population", "by_population"),
}
"""Where each way is."""


def main() -> None:
    """Train in one way, and print the line."""
    way, folder = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    warnings.simplefilter("ignore")  # of scikit-learn, that it has not converged
    module, name = WAYS[way]
    losses = getattr(importlib.import_module(module), name)(Problem.read(folder), folder)
    finite = [loss for loss in losses if math.isfinite(loss)]
    line = {
        "way": way,
        "seconds": time.perf_counter() - started,
        "diverged": len(losses) - len(finite),
        "loss": _mean(finite) if finite else None,
        "losses": [loss if math.isfinite(loss) else None for loss in losses],
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
