"""How fast many runs train in nnjax and in other ways, measured in turn, and how far from what the machine can do.

    python scripts/bench/bench.py --dir DIR    # the folder of MNIST's files; without it, noise
    python scripts/bench/bench.py --dir DIR --quick --json bench.json
    python scripts/bench/bench.py --dir DIR --only mnist-32 growth --figure growth.png

A rate is steps × runs per second. In each round every peer trains once, for about two seconds, from the same
initial weights in the same order of the examples; a slow one takes fewer runs or the first steps only. All work is
checked: the running loss and the weights of run 0 are held against float64 NumPy that does just these steps, and a
deviation above 0.001 (0.01 for scikit-learn) is printed as WRONG and makes the exit code 1. nnjax is timed twice:
as a sweep runs, and with one example to validate on, since no peer validates; ratios are of that. peers.py
says what each does.
"""

import argparse
import importlib.util
import itertools
import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import events
import growth
import machine
import peers
import peers_jax
import search
from hosts import NNJAX, SINGLE_THREAD, Host, Kind, Peer
from nnjax import Dataset, load_data
from nnjax.data import Examples
from nnjax.engine import devices

TOLERANCE = 1e-3
"""The largest deviation of a loss, relative to it, and of the weights, relative to the way that they have gone."""

NNJAX_SECONDS = 0.5
"""nnjax takes as many whole epochs a round as last so long."""

HAS_TORCH = importlib.util.find_spec("torch") is not None

KINDS = {
    "nnjax": NNJAX._replace(title="nnjax", trainer="NnJaxAlone"),
    "nnjax-valid": NNJAX,
    "vmap": Kind("jax, vmap of a scan", "peers_jax", "JaxVmap", together=True),
    "scan": Kind("jax, a scan for each run", "peers_jax", "JaxScan"),
    "torch": Kind("PyTorch, run by run", "peers_torch", "TorchLoop", keeps_memory=True),
    "torch-cores": Kind(
        "PyTorch, one process a core", "peers_torch", "TorchLoop", one_a_core=True, keeps_memory=True
    ),
    "torch-vmap": Kind("torch.func.vmap", "peers_torch", "TorchVmap", together=True, keeps_memory=True),
    "numpy": Kind("NumPy, one process a core", "peers", "NumPy", one_a_core=True, keeps_memory=True),
    "sklearn": Kind(
        "scikit-learn, one process a core",
        "peers",
        "ScikitLearn",
        one_a_core=True,
        with_decay=True,
        keeps_memory=True,
    ),
}
"""The ways, and what each is given: processes, threads, memory."""


class Workload(NamedTuple):
    """What is trained, and by whom."""

    data: str
    hidden: tuple[int, ...]
    batch: int
    runs: int
    kinds: tuple[str, ...] = tuple(KINDS)


WORKLOADS = {
    "mnist-8": Workload("mnist", (128,), 64, 8),
    "mnist-32": Workload("mnist", (128,), 64, 32),
    "mnist-128": Workload("mnist", (128,), 64, 128),
    "digits-32": Workload("digits", (32,), 32, 32),
    "digits-512": Workload("digits", (32,), 32, 512),
    "wide": Workload("mnist", (512, 512), 256, 16),
    "one": Workload("mnist", (128,), 64, 1, ("nnjax", "nnjax-valid", "scan")),
    "gpu": Workload("mnist", (128,), 64, 1024, ("nnjax", "nnjax-valid", "vmap", "torch-vmap")),
}
PARTS = (*(name for name in WORKLOADS if name != "gpu"), "growth", "start", "events")
ASKED = ("gpu", "search", "search-mnist")
QUICK = ("mnist-32", "digits-512", "growth")


def main() -> int:
    """Measure and print, and say by the exit code whether all work was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="the folder with MNIST's files")
    parser.add_argument("--quick", action="store_true", help=f"a rough answer: {', '.join(QUICK)}")
    parser.add_argument("--rounds", type=int, help="how often everything is timed; 5, or 2 with --quick")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured here too")
    parser.add_argument("--figure", metavar="FILE", help="draw the growth here")
    parser.add_argument(
        "--only", nargs="+", choices=(*PARTS, *ASKED), help=f"these parts; {', '.join(ASKED)} run only so"
    )
    options = parser.parse_args()
    if "search-mnist" in (options.only or ()) and not options.dir:
        parser.error("search-mnist needs --dir, the folder with MNIST's files")
    rounds = options.rounds or (2 if options.quick else 5)
    parts = options.only or (QUICK if options.quick else PARTS)

    given = {key: kind.given for key, kind in KINDS.items()}
    found: dict[str, Any] = {"machine": machine.description(), "rounds": rounds, "given": given}
    versions = ", ".join(f"{name} {version}" for name, version in found["machine"]["versions"].items())
    print(f"{found['machine']['cpu']}, {devices.cores()} cores, device {found['machine']['device']}; {versions}")
    if not HAS_TORCH:
        print("PyTorch is left out: pip install torch==2.13.0")
    mnist = load_data("mnist", options.dir) if options.dir else noise()
    right = True
    for part in parts:
        if part == "growth":
            found[part] = growth.growth(mnist, options.quick, options.figure)
        elif part == "events":
            found[part] = events.events(mnist, rounds)
        elif part in ("search", "search-mnist"):
            data = mnist if part == "search-mnist" else load_data("digits")
            size = search.QUICK if options.quick else search.SIZES[data.name]
            found[part] = search.search(data, rounds, size)
            right &= found[part]["right"]
        elif part == "start":
            found[part] = growth.start_up(1 if options.quick else 3)
        else:
            data = mnist if WORKLOADS[part].data == "mnist" else load_data(WORKLOADS[part].data)
            found[part] = measure(part, data, rounds, 0.5 if options.quick else 2.0)
            right &= found[part]["right"]
        if options.json:
            Path(options.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if right else 1


def measure(name: str, data: Dataset, rounds: int, seconds: float) -> dict[str, Any]:
    """Train a workload in all ways in turn, round after round; print their rates, and those of the machine."""
    workload = WORKLOADS[name]
    keys = [key for key in workload.kinds if "torch" not in key or HAS_TORCH]
    everybody = {key: Peer(KINDS[key], workload.runs, devices.cores()) for key in keys}
    floor = Host()
    floor.call("make", "machine", "Machine")
    task = _start(everybody["nnjax"], data, workload)
    others = [peer for key, peer in everybody.items() if key != "nnjax"]
    for peer in others:
        peer.make(task)
    for peer in others:
        peer.wait()
    for peer in others:
        peer.calibrate(task, seconds)

    trained: dict[str, list[peers.Trained]] = {key: [] for key in everybody}
    floors: list[machine.Rates] = []
    for _ in range(rounds):
        floors.append(floor.call("rates"))
        for key, peer in everybody.items():
            trained[key].append(peer.train())
    cost = everybody["nnjax"].hosts[0].call("cost")
    floor.close()
    for peer in everybody.values():
        peer.close()
    truths = _truths(task, {peer.steps for peer in everybody.values()})

    widths = "-".join(map(str, (data.inputs, *workload.hidden, data.classes)))
    print(f"\n{name}: {workload.runs} runs of {widths}, batch {workload.batch}, on {data.name}, {rounds} rounds")
    print(f"{'':34}{'run-steps/s':>11} {'(min to max)':22} {'nnjax ÷ this one':24} loss, weights apart")
    table: dict[str, Any] = {}
    for key, peer in everybody.items():
        ours = table["nnjax"]["rates"] if table else None
        table[key] = _entry(task, peer, trained[key], truths[peer.steps], ours)
    found = {"workload": workload._asdict(), "peers": table, "right": all(row["right"] for row in table.values())}
    return found | {"floor": _reach(task, cost, table["nnjax"]["rates"], table["nnjax-valid"]["rates"], floors)}


def _start(nnjax: Peer, data: Dataset, workload: Workload) -> peers.Task:
    """The task. nnjax draws the initial weights and, alone, the orders; the others are given both."""
    task = peers_jax.draft(data, workload.hidden, workload.batch, workload.runs)
    nnjax.make(task)
    nnjax.wait()
    nnjax.steps = task.epoch
    nnjax.train()  # compiles
    epochs = math.ceil(NNJAX_SECONDS / nnjax.train().seconds)
    nnjax.steps *= epochs
    return task._replace(weights=nnjax.hosts[0].call("start"), orders=peers_jax.draw_orders(task, epochs))


def _truths(task: peers.Task, steps: set[int]) -> dict[int, peers.Truth]:
    """What comes out of run 0 after these numbers of steps; on one core, where NumPy's threads don't wait."""
    host = Host(SINGLE_THREAD)
    one = task._replace(weights=[leaf[:1] for leaf in task.weights], orders=task.orders[:1])
    host.call("make", "peers", "Reference", one)
    truths: dict[int, peers.Truth] = host.call("after", steps)
    host.close()
    return truths


def _entry(
    task: peers.Task, peer: Peer, trained: list[peers.Trained], truth: peers.Truth, ours: list[float] | None
) -> dict[str, Any]:
    """Print a peer's line, and give what it says."""
    rates = [peer.runs * peer.steps / each.seconds for each in trained]
    ratios = [our / rate for our, rate in zip(ours or rates, rates, strict=True)]
    loss = truth.objective if peer.kind.with_decay else truth.loss
    apart = (
        float(np.max([abs(each.loss - loss) / loss for each in trained])),
        float(np.max([_apart(task, each.weights, truth.weights) for each in trained])),
    )
    most = 10 * TOLERANCE if peer.kind.with_decay else TOLERANCE  # scikit-learn decays more in a partial batch
    right = all(value <= most for value in apart)  # not where it is NaN
    verdict = "" if right else "  WRONG"
    print(
        f"{peer.kind.title:34}{statistics.median(rates):11,.0f} {_span(rates, ',.0f'):22} "
        f"{statistics.median(ratios):6.2f} {_span(ratios, '.2f'):17} {apart[0]:.0e}, {apart[1]:.0e}{verdict}"
    )
    return {
        "runs": peer.runs,
        "steps": peer.steps,
        "seconds": [each.seconds for each in trained],
        "rates": rates,
        "ratios": ratios,
        "loss apart": apart[0],
        "weights apart": apart[1],
        "right": right,
    }


def _apart(task: peers.Task, weights: peers.Weights, expected: peers.Weights) -> float:
    """How far the weights of run 0 are from where they should be, relative to how far they should have gone."""

    def distance(ones: peers.Weights, others: peers.Weights) -> float:
        return math.sqrt(sum(float(((a - b) ** 2).sum()) for a, b in zip(ones, others, strict=True)))

    return distance(weights, expected) / distance(task.start(0), expected)


def _reach(
    task: peers.Task,
    cost: dict[str, int],
    alone: list[float],
    validating: list[float],
    floors: list[machine.Rates],
) -> dict[str, Any]:
    """Print how much of what the machine can do nnjax does, and give the numbers."""
    rate = statistics.median(alone)
    flops, bandwidth = (statistics.median(values) for values in zip(*floors, strict=True))
    widths = (task.x.shape[1], *task.hidden, task.classes)
    products = sum(d * f for d, f in itertools.pairwise(widths))
    validation = 2 * products * len(task.y_valid) / task.epoch  # operations a training step
    counted = {
        "training": cost["flops"] * rate,
        "training and validation": (cost["flops"] + validation) * statistics.median(validating),
    }
    print(
        f"  products of {machine.SIDE}³: {flops / 1e9:,.0f} GFLOP/s; read and written: {bandwidth / 1e9:,.0f} GB/s"
    )
    for what, done in counted.items():
        print(f"  nnjax, {what}: {done / 1e9:,.0f} GFLOP/s, {done / flops:.0%} of the products' rate")
    traffic = cost["traffic"] * rate
    print(
        f"  nnjax, weights and inputs: {traffic / 1e9:,.0f} GB/s, {traffic / bandwidth:.0%} of the memory's rate"
    )
    step, by_products, by_memory = (
        1e6 * seconds for seconds in (1 / rate, cost["flops"] / flops, cost["traffic"] / bandwidth)
    )
    print(f"  µs a run-step: {step:.2f}; floor by products {by_products:.2f}, by memory {by_memory:.2f}")
    return {
        "rates": [each._asdict() for each in floors],
        "cost": cost,
        "counted flops": counted,
        "traffic": traffic,
        "step µs": step,
        "by products µs": by_products,
        "by memory µs": by_memory,
    }


def _span(values: Sequence[float], spec: str) -> str:
    return f"({min(values):{spec}} to {max(values):{spec}})"


def noise() -> Dataset:
    """Noise in the shape of MNIST."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Examples:
        x = rng.integers(0, 256, (count, 784), np.uint8)
        return Examples(x, rng.integers(0, 10, count).astype(np.int32))

    return Dataset("noise", split(48_000), split(12_000), split(10_000), classes=10, scale=255.0)


if __name__ == "__main__":
    sys.exit(main())
