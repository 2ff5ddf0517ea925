"""What it costs to watch training: epochs that nobody watches, that somebody waits for, and with all states."""

import statistics
import time
from typing import Any, NamedTuple

from nnjax import Config, Dataset, load_data
from nnjax.engine.epochs import Training
from nnjax.engine.plan import plan


class Watched(NamedTuple):
    """Who is trained while somebody watches."""

    hidden: tuple[int, ...]
    batch: int
    runs: int
    epochs: int


WATCHED = {"mnist": Watched((128,), 64, 32, 2), "digits": Watched((32,), 32, 512, 10)}
"""By data set; so many epochs are timed at a time."""

WAYS: dict[str, dict[str, bool]] = {"watched": {"wait": True}, "with states": {"wait": True, "states": True}}
"""What `nnjax.engine.epochs.Training.epochs` is asked for, beside nothing."""


def events(mnist: Dataset, rounds: int) -> dict[str, Any]:
    """Train in turn without a watcher, with one and with one that looks at states; print ratios of the seconds."""
    found: dict[str, Any] = {}
    for name, (hidden, batch, runs, epochs) in WATCHED.items():
        data = mnist if name == "mnist" else load_data("digits")
        config = Config(hidden=hidden, batch_size=batch, seeds=runs, epochs=10_000)
        training = Training(plan(config, data).groups[0])
        seconds: dict[str, list[float]] = {"alone": [], **{way: [] for way in WAYS}}
        _timed(training, 1, {})
        for _ in range(rounds):
            for way in seconds:
                seconds[way].append(_timed(training, epochs, WAYS.get(way, {})))
        print(
            f"\nevents: {runs} runs of {'-'.join(map(str, (data.inputs, *hidden, data.classes)))} on {data.name}"
        )
        for way in WAYS:
            ratios = [one / alone for one, alone in zip(seconds[way], seconds["alone"], strict=True)]
            spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"  {way:12} takes {statistics.median(ratios):.2f} {spread} times as long")
        found[name] = seconds
    return found


def _timed(training: Training, epochs: int, asked: dict[str, bool]) -> float:
    started = time.perf_counter()
    for _ in training.epochs(epochs, **asked):
        pass
    return time.perf_counter() - started
