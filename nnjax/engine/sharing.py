"""Which structures share a program, and how wide it is.

A structure's own program takes seconds to compile and is the fastest afterwards. A shared one
(`nnjax.training.shared`) takes less than one for several structures, whose networks are padded to its widths.
Which is the better follows from what there is to train, and not from the machine, so that the numbers of a run
don't depend on that either.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nnjax.config import Config
from nnjax.data.order import num_batches
from nnjax.engine.joining import Joined, join
from nnjax.engine.work import CORES, Work, own_seconds, part_seconds, parts_of
from nnjax.nn.activations import ACTIVATIONS, identity
from nnjax.nn.curves import CURVES
from nnjax.nn.networks import MLP
from nnjax.training.metrics import METRICS
from nnjax.training.shared import Shared
from nnjax.training.structure import Structure
from nnjax.types import Activation

IN_A_SEARCH = 64
"""Of what the widths of programs are multiples in a search, which may ask for wider networks later."""


@dataclasses.dataclass
class Known:
    """What a search that asks for ever more settings knows of its programs."""

    activations: frozenset[str] = frozenset()
    """Those that will be asked for, so that its programs have their branches from the start."""
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
        and {*_branches([str(work.config.activation)])} <= {*program.branches}
        and (program.adds_up or program.rows >= work.config.batch_size)
        and program.parts >= _parts(work, program.rows)
    )


def _share_new(works: Sequence[Work], able: Sequence[int], known: Known) -> list[Shared | None]:
    """Programs for some of the structures, of which none is there yet."""
    found: list[Shared | None] = [None] * len(works)
    kinds: dict[Any, list[int]] = {}
    if len(able) < (1 if known.activations else 2):
        return found
    for index in able:
        kinds.setdefault((_like(works[index]), works[index].inputs), []).append(index)
    for of_kind in kinds.values():
        chosen = [works[index] for index in of_kind]
        for joined in join(chosen, IN_A_SEARCH) if known.activations else join(chosen):
            if joined.seconds < sum(own_seconds(chosen[member]) for member in joined.members):
                program = _program([chosen[member] for member in joined.members], joined, known.activations)
                for member in joined.members:
                    found[of_kind[member]] = program
    return found


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


def shared_seconds(work: Work, shared: Shared) -> float:
    """Seconds of a structure's training in a shared program that is there."""
    hidden = np.array(shared.structure.network.hidden)
    of_part = part_seconds(shared.inputs, hidden, shared.structure.network.classes, shared.rows, shared.adds_up)
    parts = parts_of(work.examples, work.config.batch_size, work.evaluated, shared.rows)
    return float(work.runs * work.epochs * parts * of_part / CORES)


def _like(work: Work) -> Structure:
    """What a program's structures have in common, its layers among it."""
    return dataclasses.replace(work.structure.without_options(), network=MLP((), work.classes, identity))


def _program(works: Sequence[Work], joined: Joined, more: Iterable[str]) -> Shared:
    """A program with all that its structures ask for."""
    network = MLP(joined.hidden, works[0].classes, identity)
    structure = dataclasses.replace(works[0].structure.without_options(), network=network)
    for work in works:
        structure = structure.with_options_of(work.structure)
    branches = _branches((*(str(work.config.activation) for work in works), *more))
    parts = max(_parts(work, joined.rows) for work in works)
    return Shared(structure, works[0].inputs, branches, joined.rows, parts, joined.adds_up)


def _branches(activations: Iterable[str]) -> tuple[Activation, ...]:
    """Those of some activations that are no numbers."""
    return tuple(ACTIVATIONS[name] for name in ACTIVATIONS if name in {*activations} - CURVES.keys())


def _parts(work: Work, rows: int) -> int:
    """How many parts an epoch has at most, of batches of more than half of the next power of 2."""
    least = min(rows, 2 ** (work.config.batch_size - 1).bit_length())
    return 2 * num_batches(work.examples, least) + 1 + num_batches(work.evaluated, rows)
