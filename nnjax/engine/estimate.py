"""How long a plan will take: a model of seconds, whose units are measured on this machine in a moment.

`nnjax.engine.plan.plan` stays fast and the same everywhere: nothing here is asked for by it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nnjax.data.order import num_batches
from nnjax.engine.cost import FLOAT
from nnjax.engine.cost import products as products_of
from nnjax.engine.speed import Speed, calibrate
from nnjax.engine.work import OWN_STEP, part_seconds, parts_of

if TYPE_CHECKING:
    from nnjax.engine.plan import Group, Plan

OWN_PROGRAMS, A_LAYER, SHARED_PROGRAM = 56.0, 4.0, 9.0
"""What a structure's own programs take to compile, beside that for each of its layers, and what a shared one
takes, in compilations of the small program on one core."""

OUTPUT, INPUT, PARAMETER, RANDOM = 1.1e-9, 0.6e-9, 0.45e-9, 5.3e-9
"""Seconds of a step on a core, beside the products, for each number that a product gives, each input of an
example, each parameter and each moment of the optimizer, and each random number of dropout."""

CALL = 0.5e-3
"""Seconds from one epoch of a chunk to the next."""

COMPILING = 2
"""Cores that compile, at most: a structure's own programs keep about two busy, and shared ones compile in two
threads."""

BUSY = 1.5
"""Times as long by the clock from which others are said to use the machine."""


class Seconds(NamedTuple):
    """What a group takes."""

    compiling: float
    """Without training beside it."""
    training: float
    """Without compilation beside it."""


@dataclass(frozen=True)
class Estimate:
    """How long a plan takes from here, imports and labels left out."""

    groups: tuple[Seconds, ...]
    """Of each group of the plan."""
    speed: Speed
    at_most: bool = False
    """Whether some runs may stop before their last epoch, or not be needed."""

    @property
    def compiling(self) -> float:
        """Seconds for which programs compile."""
        return sum(group.compiling for group in self.groups)

    @property
    def training(self) -> float:
        """Seconds of training without compilation."""
        return sum(group.training for group in self.groups)

    @property
    def total(self) -> float:
        """Seconds from the start to the end: later programs compile beside the training.

        first + max(training + rest · min(2, cores) / cores, rest): on a CPU they take cores from it, so that
        of two cores it is the sum.
        """
        first = self.groups[0].compiling
        rest = self.compiling - first
        cores = self.speed.cores
        taken = rest * min(COMPILING, cores) / cores if self.speed.is_cpu else 0.0
        return first + max(self.training + taken, rest)

    def __str__(self) -> str:
        number = self.speed.devices
        what = f"{number} {'cpu ' if self.speed.is_cpu else ''}device{'' if number == 1 else 's'}"
        what += ", which others keep busy" if self.speed.busy > BUSY else ""
        beside = ", some of it beside the training" if len(self.groups) > 1 else ""
        about = "at most about" if self.at_most else "about"
        early = " It is an upper bound, as some runs may stop early or not be needed." if self.at_most else ""
        return (
            f"It takes {_words(self.total, about)}: {_words(self.compiling)} of compilation{beside}, and "
            f"{_words(self.training, about)} of training, as this machine ({what}) computes just now.{early} "
            "Programs kept from an earlier start aren't compiled again, which is not counted here."
        )


def estimate(plan: "Plan", speed: Speed | None = None, *, at_most: bool = False) -> Estimate:
    """How long a plan takes, from a calibration of about a second; ``str`` of it says so in a sentence.

    Args:
        plan: from `nnjax.plan`.
        speed: of this machine, from `calibrate`; None measures it.
        at_most: whether something will stop runs early, as halving does. A ``patience``, and seeds
            by need, are seen without it.

    Returns:
        Seconds of compilation and of training by group and in all.

    Of 13 plans on 2 cores, own and shared programs, that took 7 to 33 seconds of the cores' time in a process, the
    estimate was 0.78 to 1.60 times that time, within 1.4 in 12 of them; the constants were fitted to structures
    like these. Where others use the machine it says what that comes to now. It hasn't been held against an
    accelerator.
    """
    speed = calibrate(plan) if speed is None else speed
    patient = any(run.config.patience is not None for group in plan.groups for run in group.runs)
    groups = tuple(Seconds(_compiling(group, speed), _training(group, speed)) for group in plan.groups)
    return Estimate(groups, speed, at_most or patient or plan.config.by_need is not None)


def _compiling(group: "Group", speed: Speed) -> float:
    programs = SHARED_PROGRAM if group.shared else OWN_PROGRAMS + A_LAYER * len(group.structure.layers)
    return speed.busy * programs * speed.compiling / min(COMPILING, speed.cores)


def _training(group: "Group", speed: Speed) -> float:
    """The seconds of the device that works longest."""
    of_device = [0.0] * group.grid.number
    for chunk, runs in enumerate(group.grid.runs):
        epochs = max(group.runs[run].config.epochs for run in np.unique(runs))
        epoch = _epoch(group, group.runs[runs[0, 0]].config.batch_size, runs.size, speed)
        call = CALL * speed.slowness if speed.is_cpu else CALL
        tested = 2 * len(group.data.test.y) * _evaluation(group, speed) * runs.size
        of_device[chunk % group.grid.number] += epochs * (epoch + call) + tested
    return speed.busy * max(of_device)


def _epoch(group: "Group", batch_size: int, runs: int, speed: Speed) -> float:
    """Seconds of an epoch of runs side by side, of one batch size."""
    examples, valid = len(group.data.train.y), len(group.data.valid.y)
    steps = num_batches(examples, batch_size)
    elements = speed.slowness if speed.is_cpu else 0.0
    if group.shared is not None:
        shared = group.shared
        part = part_seconds(
            shared.inputs,
            np.array(shared.structure.network.hidden),
            shared.structure.network.classes,
            shared.rows,
            shared.adds_up,
            rate=speed.rate,
            slowness=elements,
        )
        return float(parts_of(examples, batch_size, valid, shared.rows) * part)
    parameters = group.parameters
    moments = group.cost.state / FLOAT - 2 * parameters
    products = products_of(group.structure.network, group.data.inputs, batch_size, group.data.places)
    outputs = sum(product.outputs for product in products)
    dropped = outputs - products[-1].outputs if group.structure.use_dropout and products else 0
    beside = (
        OUTPUT * outputs
        + INPUT * batch_size * (group.data.places or group.data.inputs)
        + PARAMETER * (parameters + moments)
        + RANDOM * dropped
    )
    step = OWN_STEP * speed.slowness + runs * (group.cost.flops / speed.rate + elements * beside)
    return steps * step + valid * runs * _evaluation(group, speed)


def _evaluation(group: "Group", speed: Speed) -> float:
    """Seconds to evaluate an example: a third of the operations of a step, and half of what else it does."""
    elements = speed.slowness if speed.is_cpu else 0.0
    products = products_of(group.structure.network, group.data.inputs, 1, group.data.places)
    read = group.data.places or group.data.inputs
    numbers = OUTPUT / 2 * sum(product.outputs for product in products) + INPUT * read
    return sum(product.flops for product in products) / speed.rate + elements * numbers


def _words(seconds: float, about: str = "") -> str:
    """Seconds, minutes or hours, rounded to what an estimate is good for."""
    if seconds < 1:
        return "less than 1 s"
    unit, size = next((unit for unit in (("h", 3600), ("min", 60)) if seconds >= 3 * unit[1]), ("s", 1))
    number = seconds / size
    return f"{about} {round(number / 5) * 5 if number >= 10 else round(number):,} {unit}".lstrip()
