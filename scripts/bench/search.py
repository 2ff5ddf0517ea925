"""A search over structures, as a whole process, in nnjax and in other ways, in turn.

    python scripts/bench/search.py                  # 40 settings × 4 seeds × 30 epochs of the digits
    python scripts/bench/search.py --dir DIR        # 3 epochs of MNIST, with wider layers
    python scripts/bench/search.py --quick --ways nnjax again sklearn

The clock runs from before a process starts until it has ended: imports, compilation and all. In each round nnjax
starts cold, with an empty folder for its programs, and a second time with what is then in it; so does plain jax.
Losses of the last epoch are compared with nnjax's by setting, without settings that diverged in either or lost
twice what guessing does. They need only agree roughly, within a tenth in the median setting, since initial draws
and orders differ; where they don't, the line says WRONG and the exit code is 1.

search_ways.py says what each way does.
"""

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hosts import KEPT_MEMORY, SHARED_MACHINE, SINGLE_THREAD
from nnjax import Dataset, load_data
from search_ways import CORES, Problem, Setting

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu")
BATCHES = (16, 32, 64, 128)
RATES = (0.01, 1.0)

APART = 0.1
"""By how much the loss of the median setting may differ from nnjax's, relative to it."""


class Size(NamedTuple):
    """How much is searched."""

    settings: int
    seeds: int
    epochs: int
    widths: tuple[int, int]


SIZES = {"digits": Size(40, 4, 30, (16, 256)), "mnist": Size(40, 4, 3, (32, 512))}
QUICK = Size(8, 2, 5, (16, 256))


class Way(NamedTuple):
    """A way to search: what it is called, which of `search_ways` it is, and what it is given."""

    title: str
    name: str
    module: str | None = None  # without which it is left out
    environment: dict[str, str] = {}  # noqa: RUF012  (never changed)
    cold: bool = True  # whether it starts without the programs that it kept
    given: str = "threads and memory as it likes"


ONE_A_CORE: dict[str, Any] = {
    "environment": SINGLE_THREAD | KEPT_MEMORY,
    "given": "a process a core, of one thread; memory kept",
}
WAYS = {
    "nnjax": Way("nnjax, cold", "nnjax"),
    "again": Way("nnjax, programs kept", "nnjax", cold=False),
    "sklearn": Way("scikit-learn", "sklearn", **ONE_A_CORE),
    "torch": Way("PyTorch", "torch", "torch", **ONE_A_CORE),
    "population": Way("PyTorch, masked population", "population", "torch", **ONE_A_CORE),
    "jax": Way("jax.jit by setting, cold", "jax"),
    "jax-again": Way("jax.jit, programs kept", "jax", cold=False),
    "optuna": Way(
        "Optuna with scikit-learn",
        "optuna",
        "optuna",
        SINGLE_THREAD | KEPT_MEMORY,
        given="as many jobs as cores, of one thread; memory kept",
    ),
}


def main() -> int:
    """Measure and print, and say by the exit code whether all have trained the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dir", help="the folder with MNIST's files, which then is searched instead of the digits"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.settings} settings of the digits")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is timed (default 3)")
    parser.add_argument("--settings", type=int, help="how many, instead of 40")
    parser.add_argument("--seeds", type=int, help="how many, instead of 4")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), help="these ways, and nnjax")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured here too")
    options = parser.parse_args()
    data = load_data("mnist", options.dir) if options.dir and not options.quick else load_data("digits")
    size = QUICK if options.quick else SIZES[data.name]
    size = size._replace(settings=options.settings or size.settings, seeds=options.seeds or size.seeds)
    found = search(data, options.rounds, size, options.ways)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if found["right"] else 1


def draw(size: Size, seed: int = 0) -> list[Setting]:
    """Random settings; no two are equal, as the rates aren't."""
    rng = np.random.default_rng(seed)
    return [
        Setting(
            tuple(_log_integer(rng, *size.widths) for _ in range(rng.integers(1, 3))),
            ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
            BATCHES[rng.integers(len(BATCHES))],
            float(np.exp(rng.uniform(*np.log(RATES)))),
        )
        for _ in range(size.settings)
    ]


def _log_integer(rng: np.random.Generator, low: int, high: int) -> int:
    """Log-uniform from low to high, both included."""
    return min(high, int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))))


def problem_of(data: Dataset, size: Size) -> Problem:
    """What every way is given."""
    splits = ("train", "valid", "test")
    x = {split: getattr(data, split).x for split in splits}
    y = {split: getattr(data, split).y for split in splits}
    return Problem(draw(size), size.seeds, size.epochs, data.scale, data.classes, x, y)


def search(data: Dataset, rounds: int, size: Size, asked: list[str] | None = None) -> dict[str, Any]:
    """Search in all ways in turn, round after round; print their seconds, and how they stand to nnjax's."""
    keys = [key for key in WAYS if asked is None or key == "nnjax" or {key, f"{key}-again"} & set(asked)]
    ways = {key: WAYS[key] for key in keys if _is_there(WAYS[key])}
    print(f"\nsearch: {size.settings} settings × {size.seeds} seeds × {size.epochs} epochs of {data}")
    print(f"{CORES} cores, {rounds} rounds; widths {size.widths[0]} to {size.widths[1]}")
    lines: dict[str, list[dict[str, Any]]] = {key: [] for key in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problem_of(data, size).write(folder)
        for number in range(1, rounds + 1):
            for key, way in ways.items():
                if way.cold:
                    shutil.rmtree(folder / way.name, ignore_errors=True)
                lines[key].append(run(way, folder))
                print(f"round {number}: {way.title}, {lines[key][-1]['seconds']:.1f} s", file=sys.stderr)
    print(f"{'':26}{'seconds':>8} {'(min to max)':18} {'÷ nnjax, cold':22} diverged, loss of it and nnjax, apart")
    most = 2 * float(np.log(data.classes))
    table = {key: _entry(way, lines[key], lines["nnjax"], most) for key, way in ways.items()}
    right = all(row["right"] for row in table.values())
    return {"size": size._asdict(), "cores": CORES, "ways": table, "right": right}


def _is_there(way: Way) -> bool:
    if way.module is None or importlib.util.find_spec(way.module):
        return True
    print(f"{way.title} is left out: {way.module} isn't installed")
    return False


def run(way: Way, folder: Path) -> dict[str, Any]:
    """The line of one way as a process of its own, with the seconds from its start to its end."""
    script = Path(__file__).with_name("search_ways.py")
    environment = {**SHARED_MACHINE, **os.environ, **way.environment}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # or nobody would start cold
    started = time.perf_counter()
    command = [sys.executable, str(script), way.name, str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - started
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line | {"seconds": seconds}


def _entry(way: Way, lines: list[dict[str, Any]], ours: list[dict[str, Any]], most: float) -> dict[str, Any]:
    """Print a way's line, and give what it says; losses above the most are of settings that went astray."""
    seconds = [line["seconds"] for line in lines]
    ratios = [line["seconds"] / our["seconds"] for line, our in zip(lines, ours, strict=True)]
    pairs = zip(lines[-1]["losses"], ours[-1]["losses"], strict=True)
    both = np.array([pair for pair in pairs if None not in pair and max(pair) < most]).reshape(-1, 2)
    apart = float(np.median(np.abs(both[:, 0] / both[:, 1] - 1))) if len(both) else np.nan
    loss, our_loss = both.mean(0) if len(both) else (np.nan, np.nan)
    right = bool(apart <= APART)  # not where it is NaN
    print(
        f"{way.title:26}{statistics.median(seconds):8.1f} {_span(seconds, '.1f'):18} "
        f"{statistics.median(ratios):6.2f} {_span(ratios, '.2f'):15} "
        f"{lines[-1]['diverged']:3}, {loss:.4f} and {our_loss:.4f}, {apart:.0%}{'' if right else '  WRONG'}"
    )
    return {
        "given": way.given,
        "seconds": seconds,
        "ratios": ratios,
        "diverged": lines[-1]["diverged"],
        "losses": lines[-1]["losses"],
        "apart": apart,
        "right": right,
    }


def _span(values: list[float], spec: str) -> str:
    return f"({min(values):{spec}} to {max(values):{spec}})"


if __name__ == "__main__":
    sys.exit(main())
