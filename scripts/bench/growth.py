"""How rate and memory of nnjax grow with runs, width and batch, and how long the first epoch takes to come."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import peers_jax
from hosts import NNJAX, Host
from nnjax import Dataset
from nnjax.data import Examples

RUNS, WIDTH, BATCH = 32, 128, 64
"""What is kept while something else grows."""

AXES = {
    "runs": (1, 4, 16, 32, 64, 256, 1024),
    "width": (16, 32, 64, 128, 256, 512, 1024),
    "batch": (16, 32, 64, 128, 256, 512, 1024),
}
QUICK = {"runs": (32, 128, 512)}

EXAMPLES = 8192, 2048
"""Of the data set that train and validate, the first of each: an epoch of 128 steps of 64."""

SECONDS = 0.5
"""A point's epochs take at least so long."""

STUDY = Path(__file__).parents[2] / "experiments" / "learning_rate.py"
FIRST_EPOCH = f"""
import runpy, time
study = runpy.run_path({str(STUDY)!r})
from nnjax.engine import plan as plans
from nnjax.engine.epochs import Training
(group,) = plans.plan(study["CONFIG"], axes=study["AXES"]).groups
next(Training(group).epochs(1))
print(time.time())
"""
"""A process that trains the first epoch of the study, and says when it has ended."""


def growth(data: Dataset, quick: bool, figure: str | None) -> dict[str, Any]:
    """Measure each point in a process of its own, print it, and draw all of them."""
    axes = QUICK if quick else AXES
    train, valid = (
        Examples(split.x[:n], split.y[:n]) for split, n in zip((data.train, data.valid), EXAMPLES, strict=True)
    )
    part = Dataset(data.name, train, valid, valid, data.classes, data.scale)
    print(f"\ngrowth of nnjax on {len(train.y)} examples, else {RUNS} runs of width {WIDTH}, batch {BATCH}")
    found: dict[str, Any] = {}
    for axis, values in axes.items():
        found[axis] = []
        for value in values:
            point = measure(part, **{axis: value})
            found[axis].append(point)
            rate, memory = point["rate"], point["memory"] / 1e6
            print(f"  {axis:5} {value:5}: {rate:11,.0f} run-steps/s, at most {memory:7,.0f} MB")
    found["slope"] = slope(found["runs"])
    if figure:
        draw(found, figure)
    return found


def measure(data: Dataset, runs: int = RUNS, width: int = WIDTH, batch: int = BATCH) -> dict[str, Any]:
    """Rates and memory of one point; no weights are fetched, which would take memory of their own."""
    task = peers_jax.draft(data, (width,), batch, runs)
    host = Host()
    host.call("make", NNJAX.module, NNJAX.trainer, task)
    host.call("epochs", 1)  # compiles
    epochs = math.ceil(SECONDS / host.call("epochs", 1)[0])
    rates = [runs * task.epoch * epochs / host.call("epochs", epochs)[0] for _ in range(3)]
    memory, cost = host.call("peak_memory"), host.call("cost")
    host.close()
    return {
        "runs": runs,
        "width": width,
        "batch": batch,
        "rate": float(np.median(rates)),
        "rates": rates,
        "memory": memory,
        "state": cost["state"],
    }


def slope(points: list[dict[str, Any]]) -> dict[str, float]:
    """Print the memory of a further run, from the larger points, beside what the plan says."""
    large = [point for point in points if point["runs"] >= RUNS]
    slope, _ = np.polyfit([point["runs"] for point in large], [point["memory"] for point in large], 1)
    planned = points[0]["state"]
    print(
        f"  a further run takes {slope / 1e6:.2f} MB; planned {planned / 1e6:.2f} MB, ratio {slope / planned:.2f}"
    )
    return {"measured": float(slope), "planned": planned, "ratio": float(slope / planned)}


def draw(found: Mapping[str, Any], path: str) -> None:
    """Rate above, memory below, by runs, width and batch."""
    import matplotlib
    from matplotlib.figure import Figure

    from nnjax.reporting.figures import MARKERS, PALETTE, STYLE

    labels = {"runs": "runs", "width": "hidden features", "batch": "batch, examples"}
    axes = [axis for axis in AXES if axis in found]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        panels = figure.subplots(2, len(axes), sharex="col", sharey="row", squeeze=False)
        for column, (axis, colour, marker) in enumerate(zip(axes, PALETTE, MARKERS, strict=False)):
            at = [point[axis] for point in found[axis]]
            rates = np.array([point["rates"] for point in found[axis]])
            memory = [point["memory"] / 1e6 for point in found[axis]]
            above, below = panels[:, column]
            above.plot(at, np.median(rates, 1), color=colour, marker=marker)
            above.fill_between(at, rates.min(1), rates.max(1), color=colour, alpha=0.2, linewidth=0)
            below.plot(at, memory, color=colour, marker=marker)
            below.set_xscale("log", base=2)
            below.set_xticks(at, map(str, at))
            below.set_xlabel(labels[axis])
            above.set_yscale("log")
            below.set_ylim(bottom=0)
        decades = np.log10([rate for axis in axes for point in found[axis] for rate in point["rates"]])
        panels[0, 0].set_ylim(10.0 ** np.floor(decades.min()), 10.0 ** np.ceil(decades.max()))
        panels[0, 0].set_ylabel("rate, run-steps/s")
        panels[1, 0].set_ylabel("peak memory, MB")
        figure.savefig(path, dpi=150)


def start_up(repeats: int) -> dict[str, list[float]]:
    """Seconds of whole processes: an import, the first epoch of the study without and with a cache, the study."""
    found: dict[str, list[float]] = {}
    print(f"\nstart-up, whole processes, {repeats} times: median (min to max)")

    def note(what: str, seconds: float) -> None:
        found.setdefault(what, []).append(seconds)

    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            kept = {"NNJAX_CACHE_DIR": f"{folder}/cache"}
            study = [str(STUDY), "--overwrite", "--output", f"{folder}/study"]
            note("import nnjax", _run(["-c", "import nnjax"])[0])
            note("first epoch, no compiled programs kept", _run(["-c", FIRST_EPOCH], kept)[1])
            note("first epoch, compiled programs kept", _run(["-c", FIRST_EPOCH], kept)[1])
            note(
                "the whole study, no compiled programs kept", _run(study, {"NNJAX_CACHE_DIR": f"{folder}/new"})[0]
            )
            note("the whole study, compiled programs kept", _run(study, {"NNJAX_CACHE_DIR": f"{folder}/new"})[0])
    for what, seconds in found.items():
        print(f"  {what:44} {np.median(seconds):5.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    return found


def _run(arguments: list[str], environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds until the end of a process, and until the time that it has printed, or 0."""
    started = time.time()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    ended = time.time() - started
    last = done.stdout.split()[-1:]
    try:
        return ended, float(last[0]) - started
    except (IndexError, ValueError):
        return ended, 0.0
