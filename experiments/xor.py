"""How wide must a hidden layer be to learn XOR?

Question: two ReLU units can compute XOR, and one can't. How often does gradient descent get there from random
initial weights, over 1,000 seeds, by the width of the hidden layer?

    python experiments/xor.py

prints a table and writes the figure to results/xor.svg. Each run has 2 inputs, F ReLU units, one output and the
mean squared error on all four inputs; it starts from weights ~ N(0, 2 / fan-in) and biases 0, and takes 2,000
steps of gradient descent at learning rate 0.1. "Learnt" means that all four outputs are within ¼ of their
targets; 6,000 steps change no count by more than 1. Intervals are Wilson's, 95%.

Expected (jax 0.10.2, 4 CPU cores shared with others, 8 to 21 s in all):

    hidden units  learnt  of runs  fraction  95% interval
               1       0     1000     0.000  0.000 … 0.004
               2     219     1000     0.219  0.194 … 0.246
               3     504     1000     0.504  0.473 … 0.535
               4     699     1000     0.699  0.670 … 0.727
               6     905     1000     0.905  0.885 … 0.922
               8     974     1000     0.974  0.962 … 0.982
              12     996     1000     0.996  0.990 … 0.998
              16     994     1000     0.994  0.987 … 0.997

No run diverges: the others end at local minima, with outputs such as ⅓, 1, ⅓, ⅓ or ½ everywhere.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from nnjax.derivations.xor import learnt
from nnjax.reporting.figures import PALETTE, STYLE

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16)
RATE = 0.1
STEPS = 2000


class Row(NamedTuple):
    """How many runs of one width learnt XOR, and the ends of the interval of that fraction."""

    width: int
    learnt: int
    runs: int
    low: float
    high: float


def measure(widths: Sequence[int], seeds: int) -> list[Row]:
    """All seeds of a width train in one compiled program."""
    rows = []
    for width in widths:
        count = int(np.sum(learnt(jax.random.key(0), width, jnp.arange(seeds), RATE, STEPS)))
        interval = binomtest(count, seeds).proportion_ci(method="wilson")
        rows.append(Row(width, count, seeds, float(interval.low), float(interval.high)))
    return rows


def table(rows: Sequence[Row]) -> str:
    """Aligned text, a line a width."""
    lines = ["hidden units  learnt  of runs  fraction  95% interval"]
    for row in rows:
        fraction, interval = row.learnt / row.runs, f"{row.low:.3f} … {row.high:.3f}"
        lines.append(f"{row.width:12}  {row.learnt:6}  {row.runs:7}  {fraction:8.3f}  {interval}")
    return "\n".join(lines)


def plot(rows: Sequence[Row]) -> Figure:
    """The fractions with their intervals over the width."""
    widths = [row.width for row in rows]
    fractions = np.array([row.learnt / row.runs for row in rows])
    ends = np.array([(row.low, row.high) for row in rows]).T
    bars = np.abs(ends - fractions)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.5, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.errorbar(widths, fractions, bars, fmt="o-", color=PALETTE[0], markersize=4, capsize=3, linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_xticks(widths, [str(width) for width in widths])
        axes.minorticks_off()
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("hidden units")
        axes.set_ylabel("fraction of runs that learnt XOR")
        axes.set_title(f"{rows[0].runs} runs a width, bars are 95% intervals", fontsize="medium")
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description="How often XOR is learnt, by width of the hidden layer.")
    parser.add_argument("--seeds", type=int, default=1000, help="runs of each width (default: 1000)")
    parser.add_argument("--output", type=Path, default=Path("results/xor.svg"), help="the figure's file")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}, and must be at least 1")
    start = time.perf_counter()
    rows = measure(WIDTHS, options.seeds)
    print(table(rows))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        plot(rows).savefig(options.output, dpi=150)
    print(f"{time.perf_counter() - start:.1f} s; the figure is in {options.output}")


if __name__ == "__main__":
    main()
