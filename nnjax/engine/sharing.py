"""Which structures share a program, and how wide it is.

A structure's own program takes seconds to compile and is the fastest afterwards. A shared one
(`nnjax.training.shared`) takes less than one for many structures, whose networks are padded to the next rung of a
ladder of widths. Which is the better follows from what there is to train, and not from the machine, so that the
numbers of a run don't depend on that either.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nnjax.config import Config
from nnjax.data.order import num_batches
from nnjax.nn.activations import ACTIVATIONS, identity
from nnjax.nn.models import MLP
from nnjax.training.metrics import METRICS
from nnjax.training.shared import Shared
from nnjax.training.structure import Structure

LADDERS = ((64, 128, 256), (32, 64, 128, 256), (32, 48, 64, 96, 128, 160, 192, 224, 256))
"""Widths to which layers are padded: coarse, finer and fine."""

ROWS = ((32,), (16, 32), (32, 64), (16, 32, 64), (16, 32, 64, 128))
"""Examples that a program computes at a time: the first that hold a batch, or several times the last."""

COMPILING_OWN, COMPILING_SHARED = 4.0, 0.45
"""Seconds on two cores from a structure to its first step in a program of its own, and in a shared one."""

RATE = 85e9
"""Operations a second of a core in products of some hundred."""

OWN_STEP, SHARED_PART = 15e-6, 10e-6
"""Seconds of a step beside its products, and of each part of one that a shared program computes at a time."""

PADDING = 0.9e-9
"""Seconds for each parameter and part of a step, twice where the gradients of parts add up in memory."""

CORES = 2
"""Cores at which the times of training are compared with those of compiling, wherever the plan is made."""


class Work(NamedTuple):
    """What there is to do for a structure."""

    config: Config
    structure: Structure
    inputs: int
    classes: int
    examples: int
    runs: int
    epochs: int


@dataclasses.dataclass
class Known:
    """What a search that asks for ever more settings knows of its programs."""

    activations: frozenset[str] = frozenset()
    """Those that will be asked for, so that its programs have them from the start."""
    programs: list[Shared] = dataclasses.field(default_factory=list)
    """Those that are there."""


def share(works: Sequence[Work], known: Known | None = None) -> list[Shared | None]:
    """For each structure the program that it shares with others, or None for one of its own.

    One alone has its own: it is what a sweep over numbers is made of. In a search it has one that is there.
    """
    known = known or Known()
    able = [index for index, work in enumerate(works) if can_share(work.config, work.structure)]
    there = {index: program for index in able if (program := _there(works[index], known.programs)) is not None}
    new = _share_new(works, [index for index in able if index not in there], known)
    known.programs += [program for program in dict.fromkeys(new) if program is not None]
    return [there.get(index, program) for index, program in enumerate(new)]


def _there(work: Work, programs: Sequence[Shared]) -> Shared | None:
    """The fastest of some programs that can train a structure, if it is faster there than in one of its own."""
    holding = [program for program in programs if _holds(program, work)]
    best = min(holding, key=lambda program: shared_seconds(work, program), default=None)
    return best if best is not None and shared_seconds(work, best) < own_seconds(work) else None


def _holds(program: Shared, work: Work) -> bool:
    network, structure = program.structure.network, work.structure
    like = dataclasses.replace(structure, network=network).with_options_of(program.structure)
    return (
        like == program.structure
        and (program.inputs, network.classes) == (work.inputs, work.classes)
        and len(network.hidden) == len(work.config.hidden)
        and all(rung >= width for rung, width in zip(network.hidden, work.config.hidden, strict=True))
        and ACTIVATIONS[str(work.config.activation)] in program.activations
        and (program.adds_up or program.rows >= work.config.batch_size)
    )


def _share_new(works: Sequence[Work], able: Sequence[int], known: Known) -> list[Shared | None]:
    """Programs for some of the structures, of which none is there yet."""
    found: list[Shared | None] = [None] * len(works)
    best = sum(own_seconds(works[index]) for index in able)
    for ladder, rows, joined in itertools.product(LADDERS, ROWS, (False, True)):
        chosen = [shared_program(works[index], ladder, rows) for index in able]
        if joined:  # what adds up the parts of a batch can train what has one part
            adding = {dataclasses.replace(program, adds_up=False) for program in chosen if program.adds_up}
            chosen = [
                dataclasses.replace(program, adds_up=True) if program in adding else program for program in chosen
            ]
        sharing = {
            index: program
            for index, program in zip(able, chosen, strict=True)
            if shared_seconds(works[index], program) < own_seconds(works[index])
        }
        if len(sharing) < (1 if known.activations else 2):
            continue
        seconds = COMPILING_SHARED * len(set(sharing.values()))
        for index in able:
            work = works[index]
            seconds += shared_seconds(work, sharing[index]) if index in sharing else own_seconds(work)
        if seconds < best:
            best = seconds
            found = [sharing.get(index) for index in range(len(works))]
    return _with_all_activations(works, found, known.activations)


def can_share(config: Config, structure: Structure) -> bool:
    """Whether a shared program knows all the parts of a structure: perceptrons with nnjax's own parts."""
    return (
        config.model == "mlp"
        and isinstance(config.activation, str)
        and bool(config.hidden)
        and not config.residual
        and not structure.use_dropout
        and structure.optimizer.direction is not None
        and all(metric.of == "example" or METRICS.get(name) is metric for name, metric in structure.metrics)
    )


def shared_program(work: Work, ladder: Sequence[int], rows: Sequence[int]) -> Shared:
    """The program of a ladder for a structure, as yet without activations."""
    rungs = tuple(_rung(width, ladder) for width in work.config.hidden)
    network = MLP(rungs, work.classes, identity)
    structure = dataclasses.replace(work.structure.without_options(), network=network)
    at_a_time = _first(rows, work.config.batch_size)
    return Shared(structure, work.inputs, (), at_a_time, adds_up=work.config.batch_size > at_a_time)


def own_seconds(work: Work) -> float:
    """Seconds for a structure with a program of its own."""
    steps = num_batches(work.examples, work.config.batch_size)
    step = 6 * _weights(work, work.config.hidden) * work.config.batch_size / RATE + OWN_STEP
    return COMPILING_OWN + work.runs * work.epochs * steps * step / CORES


def shared_seconds(work: Work, shared: Shared) -> float:
    """Seconds of its training in a shared program that is there."""
    weights = _weights(work, shared.structure.network.hidden)
    parts = num_batches(work.examples, work.config.batch_size) * num_batches(work.config.batch_size, shared.rows)
    part = 6 * weights * shared.rows / RATE + PADDING * weights * (2 if shared.adds_up else 1) + SHARED_PART
    return work.runs * work.epochs * parts * part / CORES


def _with_all_activations(
    works: Sequence[Work], found: Sequence[Shared | None], more: Iterable[str]
) -> list[Shared | None]:
    """The programs with all that is asked of them, so that equal ones are one."""
    used = set(more) | {str(work.config.activation) for work, shared in zip(works, found, strict=True) if shared}
    activations = tuple(function for name, function in ACTIVATIONS.items() if name in used)
    full: list[Shared | None] = []
    for shared in found:
        if shared is None:
            full.append(None)
            continue
        structure = shared.structure
        alike = [work.structure for work, other in zip(works, found, strict=True) if other == shared]
        for other in alike:
            structure = structure.with_options_of(other)
        full.append(dataclasses.replace(shared, structure=structure, activations=activations))
    return full


def _weights(work: Work, hidden: Iterable[int]) -> int:
    widths = (work.inputs, *hidden, work.classes)
    return sum(before * after for before, after in itertools.pairwise(widths))


def _rung(width: int, ladder: Sequence[int]) -> int:
    """The first rung that is wide enough; beyond the ladder in steps that double with the width."""
    step = ladder[-1]
    while step * 2 < width:
        step *= 2
    return next((rung for rung in ladder if rung >= width), step * 2 if width > 1.5 * step else step * 3 // 2)


def _first(sizes: Sequence[int], least: int) -> int:
    return next((size for size in sizes if size >= least), sizes[-1])
