"""nnjax's estimators beside scikit-learn's own: whether they are as good, and how fast a random search is.

    python scripts/bench/estimator.py               # both, on scikit-learn's data sets
    python scripts/bench/estimator.py --dir DIR     # as good on MNIST, too
    python scripts/bench/estimator.py --only search --candidates 200 --folds 5 --rounds 3

As good: one network of each, with the same parameters, random_state and split, for each of 32 seeds; the mean of
the differences of accuracy or R² on the test part, with its 95% t-interval. It should hold 0.

The search: RandomizedSearchCV with as many jobs as cores, of one thread each, and SearchCV, each as a whole
process from before its start to its end, in turn; nnjax with no program kept.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets
import sklearn.neural_network as theirs
from scipy.stats import loguniform, t
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from hosts import KEPT_MEMORY, SHARED_MACHINE, SINGLE_THREAD

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
NETWORK: dict[str, Any] = {
    "hidden_layer_sizes": (32,),
    "batch_size": 32,
    "learning_rate_init": 0.005,
    "max_iter": 60,
}
SETS: dict[str, dict[str, Any]] = {
    "iris": {},
    "wine": {},
    "breast_cancer": {},
    "digits": {"max_iter": 30},
    "diabetes": {"max_iter": 200, "learning_rate_init": 0.02},
    "mnist": {"max_iter": 3, "batch_size": 200, "hidden_layer_sizes": (64,)},
}
SPACE: dict[str, Any] = {
    "hidden_layer_sizes": [(16,), (32,), (64,), (100,), (32, 32), (64, 32), (100, 50)],
    "activation": ["relu", "tanh", "logistic"],
    "learning_rate_init": loguniform(1e-3, 3e-2),
    "alpha": loguniform(1e-5, 1e-1),
    "batch_size": [32, 64, 128],
}


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="the folder with MNIST's files")
    parser.add_argument("--only", choices=("good", "search"), help="one of the two")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), help="these data sets")
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--searched", default="digits", choices=tuple(SETS), help="what is searched on (digits)")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30, help="of a network in the search, at most")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--way", choices=("nnjax", "sklearn"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        search(options)
        return
    if options.only != "search":
        print(f"{'':14}{'nnjax':>8}{'sklearn':>9}   difference of {options.seeds} seeds, 95%")
        for name in options.sets or [name for name in SETS if name != "mnist" or options.dir]:
            as_good(name, options)
    if options.only != "good":
        turns(options)


def loaded(name: str, folder: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets; of MNIST the first 10,000."""
    if name != "mnist":
        x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        return x, y
    import nnjax

    data = nnjax.load_data("mnist", folder)
    return np.asarray(data.train.x[:10_000], float), np.asarray(data.train.y[:10_000])


def as_good(name: str, options: argparse.Namespace) -> None:
    """Print the scores of both on the test parts, and their difference."""
    from nnjax.sklearn import MLPClassifier, MLPRegressor
    from nnjax.sklearn.together import Together

    x, y = loaded(name, options.dir)
    real = name == "diabetes"
    splits = [
        train_test_split(x, y, random_state=seed, stratify=None if real else y) for seed in range(options.seeds)
    ]

    def fitted(kind: Any, seed: int) -> Any:
        model = make_pipeline(StandardScaler(), kind(**(NETWORK | SETS[name]), random_state=seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # most reach their last epoch
            return model.fit(splits[seed][0], splits[seed][2])

    own = theirs.MLPRegressor if real else theirs.MLPClassifier
    together = Together()
    with together.here():  # all seeds at once
        for seed in range(options.seeds):
            fitted(MLPRegressor if real else MLPClassifier, seed)
        together.train()
        ours = [fitted(MLPRegressor if real else MLPClassifier, seed) for seed in range(options.seeds)]
    others = Parallel(n_jobs=CORES)(delayed(fitted)(own, seed) for seed in range(options.seeds))
    scores = np.array(
        [
            [model.score(split[1], split[3]) for model, split in zip(of_all, splits, strict=True)]
            for of_all in (ours, others)
        ]
    )
    apart = scores[0] - scores[1]
    half = t.ppf(0.975, options.seeds - 1) * apart.std(ddof=1) / np.sqrt(options.seeds)
    holds = "" if abs(apart.mean()) <= half else "  APART"
    mean = scores.mean(axis=1)
    print(f"{name:14}{mean[0]:8.4f}{mean[1]:9.4f}   {apart.mean():+.4f} ± {half:.4f}{holds}", flush=True)


def search(options: argparse.Namespace) -> None:
    """Search in one way, as a process of its own."""
    x, y = loaded(options.searched, options.dir)
    x = StandardScaler().fit_transform(x)
    given: dict[str, Any] = {"n_iter": options.candidates, "cv": options.folds, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if options.way == "nnjax":
            from nnjax.sklearn import MLPClassifier, SearchCV

            found = SearchCV(MLPClassifier(max_iter=options.epochs, random_state=0), SPACE, **given).fit(x, y)
        else:
            network = theirs.MLPClassifier(max_iter=options.epochs, random_state=0)
            found = RandomizedSearchCV(network, SPACE, n_jobs=CORES, **given).fit(x, y)
    scores = found.cv_results_["mean_test_score"]
    print(f"best {found.best_score_:.4f}, mean {scores.mean():.4f}")


def turns(options: argparse.Namespace) -> None:
    """Both ways in turn, as whole processes."""
    epochs = f"{options.epochs} epochs of {options.searched}"
    print(f"\n{options.candidates} candidates × {options.folds} folds × {epochs}")
    passed = ["candidates", "folds", "epochs", "searched", *(["dir"] if options.dir else [])]
    arguments = [text for name in passed for text in (f"--{name}", str(getattr(options, name)))]
    for number in range(1, options.rounds + 1):
        seconds = {}
        for way, environment in (("nnjax", {}), ("sklearn", SINGLE_THREAD | KEPT_MEMORY)):
            with tempfile.TemporaryDirectory() as folder:
                given = {**SHARED_MACHINE, **os.environ, **environment, "NNJAX_CACHE_DIR": folder}
                given.pop("JAX_COMPILATION_CACHE_DIR", None)  # or nobody would start cold
                began, before = time.perf_counter(), _cpu_seconds()
                command = [sys.executable, str(Path(__file__)), "--way", way, *arguments]
                done = subprocess.run(command, env=given, stdout=subprocess.PIPE, text=True, check=True)
                seconds[way] = time.perf_counter() - began
            of_cpu = f"{_cpu_seconds() - before:.1f} of CPU time"
            print(f"round {number}: {way:8}{seconds[way]:7.1f} s, {of_cpu}, {done.stdout.strip()}", flush=True)
        print(f"round {number}: scikit-learn ÷ nnjax {seconds['sklearn'] / seconds['nnjax']:.2f}", flush=True)


def _cpu_seconds() -> float:
    """Of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
